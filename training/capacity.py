"""Cases found at real capacity: every office takes the best of the clues it was sent in a week.

An office of `offices.yaml` can verify `weekly_capacity` clues a week. Of the clues raised in one
week (Monday to Sunday) for one office, the first of a ranking are taken, ties in random order, by
expectation. Clues without a label take places like any other; found is the share of the known
cases that stand within a place. The order of the labels themselves (cases first) is the most that
any ranking can reach. A clue of no office, or of one that is not declared, stands in no queue: it
is left out of these figures, and counted (`left_out_note`).

Where offices have places for all clues every order finds everything. How well a ranking would do
with fewer hands is told for shares of the capacity: 0.5 places are one place in every other week.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from base.bilingual import Bilingual
from base.declared import load_declared
from base.errors import Refused
from features.slices import micros

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
FILE = "offices.yaml"
WEEK = 7 * 24 * 3600 * 1_000_000
# 1970-01-01 was a Thursday: three days later than the Monday of its week.
MONDAY = 3 * 24 * 3600 * 1_000_000
SHARES = (1.0, 0.5, 0.25, 0.1)


class _OfficePlaces(BaseModel):
    """What is needed here of an office; the whole tree is checked by `clues init`."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    office_id: str
    title: Bilingual
    weekly_capacity: Annotated[int, Field(ge=0)]


class _OfficesPlaces(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    offices: tuple[_OfficePlaces, ...]


@dataclass(frozen=True)
class Queues:
    """Test clues as offices meet them, all (n,): `queue` numbers the office's week, `places` is how
    many of that queue the office can verify; NaN where the office is not declared.
    """

    queue: Places
    places: Floats

    def where(self, chosen: npt.NDArray[np.bool_]) -> Queues:
        """The chosen clues alone, `chosen` (n,)."""
        return Queues(self.queue[chosen], self.places[chosen])

    @property
    def short(self) -> float:
        """Share of the clues that stand in a queue longer than its places; 0 without clues."""
        declared = ~np.isnan(self.places)
        if not declared.any():
            return 0.0
        long = np.bincount(self.queue)[self.queue] > self.places
        return float(long[declared].mean())


@dataclass(frozen=True)
class AtCapacity:
    """Cases found at a `share` of the offices' weekly capacity.

    `found`: per ranking the expected share of the known cases; `best`: that of the labels' own
    order. None where no case is known. `short`: share of the clues in queues longer than places.
    """

    share: float
    short: float
    best: float | None
    found: Mapping[str, float | None]

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "share": self.share,
            "short": self.short,
            "best": self.best,
            "found": dict(self.found),
        }


def weekly_places(jurisdiction: Path) -> dict[str, int] | None:
    """office_id -> clues it can verify in a week; None where no offices are declared."""
    if not (jurisdiction / FILE).is_file():
        return None
    return {office.office_id: office.weekly_capacity for office in _offices(jurisdiction)}


def office_titles(jurisdiction: Path) -> dict[str, Bilingual]:
    """office_id -> its title; empty where no offices are declared."""
    if not (jurisdiction / FILE).is_file():
        return {}
    return {office.office_id: office.title for office in _offices(jurisdiction)}


def _offices(jurisdiction: Path) -> tuple[_OfficePlaces, ...]:
    return load_declared(jurisdiction / FILE, _OfficesPlaces).offices


def queues_of(clues: pa.Table, places: Mapping[str, int], share: float = 1.0) -> Queues:
    """Which queue each clue stands in; `clues` has office_id and raised_at, `share` above 0.

    Raises Refused for a share that is not above 0.
    """
    if not share > 0:
        raise Refused(
            wanted="a share of the capacity above 0", got=repr(share), cure="give 1 for all of it"
        )
    offices = _named(clues)
    week = (micros(clues["raised_at"]) + MONDAY) // WEEK
    _, office = np.unique(np.array(offices, dtype=str), return_inverse=True)
    _, queue = np.unique(np.column_stack([office, week]), axis=0, return_inverse=True)
    room = np.array([places.get(each, np.nan) * share for each in offices], np.float64)
    return Queues(queue.reshape(-1).astype(np.int64), room)


def left_out_note(clues: pa.Table, places: Mapping[str, int]) -> str | None:
    """How many clues no declared office has, in words; None where every one has its office."""
    count = sum(each not in places for each in _named(clues))
    if not count:
        return None
    return f"{count} clues of no office of {FILE} are left out of cases found at capacity"


def _named(clues: pa.Table) -> list[str]:
    return ["" if each is None else str(each) for each in clues["office_id"].to_pylist()]


def chance_of_a_place(score: Floats, queues: Queues) -> Floats:
    """(n,): chance of each clue to be within its queue's places, best first, ties by lot; NaN where
    the office is not declared.

    Of 2.5 places the third is there every other week.
    """
    if not len(score):
        return np.zeros(0)
    order = np.lexsort((-score, queues.queue))
    queue, ranked = queues.queue[order], score[order]
    rank = np.arange(len(order))
    first = np.append(True, queue[1:] != queue[:-1])
    tie = first | np.append(True, ranked[1:] != ranked[:-1])
    queue_start = rank[first][np.cumsum(first) - 1]
    tie_start = rank[tie][np.cumsum(tie) - 1]
    tie_size = np.bincount(np.cumsum(tie) - 1)[np.cumsum(tie) - 1]
    before = tie_start - queue_start
    whole = np.floor(queues.places[order])
    more = queues.places[order] - whole
    chance = np.empty(len(order))
    chance[order] = (1 - more) * np.clip((whole - before) / tie_size, 0, 1) + more * np.clip(
        (whole + 1 - before) / tie_size, 0, 1
    )
    return chance


def found_at_capacity(
    scores: Mapping[str, Floats],
    label: Floats,
    clues: pa.Table,
    places: Mapping[str, int],
    *,
    shares: Sequence[float] = SHARES,
    weight: Floats | None = None,
) -> tuple[AtCapacity, ...]:
    """Cases found by each ranking at each share of the capacity.

    `scores` (ranking -> (n,)), `label` (n,) (1, 0, NaN: unknown) and `weight` (n,) are parallel to
    `clues`. A case counts its weight; a place is a place. Cases of no declared office are left out.
    """
    declared = np.isin(_named(clues), list(places)) if clues.num_rows else np.zeros(0, bool)
    known = np.where((label == 1) & declared, 1.0 if weight is None else weight, 0.0)
    cases = float(known.sum())
    told = []
    for share in shares:
        queues = queues_of(clues, places, share)
        ranked = {"": (label == 1).astype(np.float64), **scores}
        found = {
            name: float(known @ np.nan_to_num(chance_of_a_place(score, queues))) / cases
            if cases
            else None
            for name, score in ranked.items()
        }
        best = found.pop("")
        told.append(AtCapacity(share, queues.short, best, found))
    return tuple(told)
