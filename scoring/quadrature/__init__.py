"""Exact contributions by quadrature: a compiled replacement of LightGBM's `pred_contrib`.

forest.py     the text model as flat tables, or why it is outside what the kernels do
reading.py    the same in words, where it is outside
kernel.py     the mathematics, for a block of rows; four_rows.py and one_row.py for fewer
engine.py     rows in, contributions out, over threads
"""
