"""Exact contributions by quadrature: a compiled replacement of LightGBM's `pred_contrib`.

forest.py   the text model as flat tables, or why it is outside what the kernels do
kernel.py   the mathematics, for a block of rows and for one row
engine.py   rows in, contributions out, over threads
"""
