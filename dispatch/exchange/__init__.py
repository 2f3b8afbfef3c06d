"""Exchange with other systems: what happens to clues is told them, what they know is compared."""
