"""A stand-in for the case system: it is told of clues, works on them, and reports what became."""
