"""Clue research and judgement centre: supervision models raise clues from records known then."""
