"""Events of clues as the audit tells of them: one digest over all that an event says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from scoring.ledger.chain import canonical

# Kept later than the event itself: not of what was told.
MUTABLE = ("event_id", "record", "to_admit")


def digest_of_event(row: Mapping[str, Any]) -> str:
    """sha256 over everything an event says, as kept or as read back."""
    told = {name: row[name] for name in row if name not in MUTABLE}
    return hashlib.sha256(canonical(told)).hexdigest()


def digest_of_events(digests: Iterable[str]) -> str:
    """One digest over events that were told of together, in whatever order they are read back."""
    return hashlib.sha256(canonical(sorted(digests))).hexdigest()
