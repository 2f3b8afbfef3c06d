"""The whole error family.

    CluesError
    ├── Refused      the input is not what was wanted; the sender can mend it
    ├── NotFound     the thing named does not exist (or may not be seen: both answer alike)
    ├── NotReady     right request, wrong time: something must happen first
    ├── NotAllowed   the caller's role or office does not cover this
    └── Conflict     the state has moved on since the caller looked

Each says what was wanted, what it got and the cure; values are attributes, so that callers never
parse a message. HTTP meaning is given in `serving/refusals.py` only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

# So many names are told whole; of more, the nearest few.
NAMES_TOLD, FEW_NAMES = 20, 5
# From this likeness on (1: the same) a name is taken for the one that was meant.
LIKE = 0.6


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, where it is, and how to mend it."""

    wanted: str
    got: str
    cure: str
    where: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}wanted {self.wanted}; got {self.got}; cure: {self.cure}"


class CluesError(Exception):
    """Base of the family: `wanted`, `got`, `cure`, `where`, `faults`, and any further values."""

    def __init__(
        self,
        *,
        wanted: str = "",
        got: str = "",
        cure: str = "",
        where: str = "",
        faults: Sequence[Fault] = (),
        **values: object,
    ) -> None:
        self.faults = tuple(faults) or (Fault(wanted, got, cure, where),)
        first = self.faults[0]
        self.wanted, self.got, self.cure, self.where = (
            first.wanted,
            first.got,
            first.cure,
            first.where,
        )
        self.values = values
        for name, value in values.items():
            setattr(self, name, value)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def gather(cls, faults: Iterable[Fault], **values: Any) -> CluesError:
        """One error that tells all `faults` together."""
        return cls(faults=tuple(faults), **values)


class Refused(CluesError):
    """The input is not what was wanted; the sender can mend it."""


class NotFound(CluesError):
    """The thing named does not exist, or may not be seen: both answer alike."""


class NotReady(CluesError):
    """The request is right but something must happen first."""


class NotAllowed(CluesError):
    """The caller's role or office does not cover this."""


class Conflict(CluesError):
    """The state has moved on since the caller looked."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A cure for a misspelt name: the nearest known one, else all of them, or of many a few."""
    names = sorted(known)
    # Equals stay in their order.
    by_likeness = sorted(names, key=lambda each: -_likeness(name, each))
    likest = _likeness(name, by_likeness[0]) if names else 0.0
    if likest >= LIKE:
        close = [each for each in by_likeness[:FEW_NAMES] if _likeness(name, each) == likest]
        return f"write {' or '.join(map(repr, close))}"
    if len(names) > NAMES_TOLD:
        return f"use one of {', '.join(by_likeness[:FEW_NAMES])} ... ({len(names)} in all)"
    return f"use one of {', '.join(names) or '(none declared)'}"


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, other, one).ratio()
