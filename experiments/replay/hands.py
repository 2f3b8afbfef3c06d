"""How many clues each office can take in each week of the replay.

The simulated province is a model to scale: it raises a few thousand clues where a real one raises
many more, while `offices.yaml` tells what a real office can verify. All capacities are therefore
multiplied by one number, such that together they suffice for a declared share of what is raised.
Fractions of a place are carried over to the next week.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from base.moment import add_months
from dispatch.offices import Offices

WEEK = timedelta(days=7)
ROUNDING = 1e-9


@dataclass(frozen=True)
class Hands:
    """Places a week per office, as fractions; whole ones come as they add up."""

    weekly: dict[str, float]

    def places(self, office_id: str, week: int) -> int:
        """Whole places of the office in its `week`th week (from 0)."""
        each, begun = self.weekly.get(office_id, 0.0), _begun(office_id)
        return int(each * (week + 1) + begun) - int(each * week + begun)


def _begun(office_id: str) -> float:
    """How far an office is into its next place when the replay begins: not all alike."""
    drawn = int.from_bytes(hashlib.sha256(office_id.encode()).digest()[:4], "big")
    return drawn / 2**32 + ROUNDING


def scaled_hands(offices: Offices, office_of: Sequence[str], weeks: int, share: float) -> Hands:
    """Capacities of the offices that get clues, scaled to `share` of all the clues whose offices
    are `office_of`."""
    declared = {name: offices.office(name).weekly_capacity for name in sorted(set(office_of))}
    scale = share * len(office_of) / max(1, weeks * sum(declared.values()))
    return Hands({name: capacity * scale for name, capacity in declared.items()})


def weeks_of(first: datetime, months: int) -> list[list[datetime]]:
    """Per month the moments at which its weeks begin, counted on from the first month's moment."""
    found: list[list[datetime]] = []
    at = first
    for month in range(1, months + 1):
        end, weeks = add_months(first, month), []
        while at < end:
            weeks.append(at)
            at += WEEK
        found.append(weeks)
    return found
