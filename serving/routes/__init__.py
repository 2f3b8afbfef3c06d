"""Routes, one file per thing asked for."""
