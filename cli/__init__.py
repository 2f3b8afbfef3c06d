"""`clues ...`: the commands, in the order of a clue's way."""
