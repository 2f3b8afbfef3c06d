"""What could be known about a clue at its moment: definitions, the sweep, lineage."""
