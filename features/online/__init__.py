"""The features of one clue now: memory-mapped histories by key that grow as records arrive."""
