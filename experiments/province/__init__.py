"""A fictitious province whose truth is known. The platform never reads its truth."""
