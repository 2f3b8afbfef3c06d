"""Data governance centre: records come in under contract and are read as known at a moment."""
