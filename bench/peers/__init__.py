"""Peers that cannot live beside the project: each a script for an environment of its own."""
