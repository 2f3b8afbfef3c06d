"""What each office has on its table: clues that wait, in hand, overdue; cases against expectation.

Everything is counted from indices of the ledger, and for the offices asked about alone. A clue
counts where it stands: the office that handed it on counts it no longer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from dispatch.in_hand import IN_HAND
from dispatch.offices import Offices
from dispatch.oversight import TO_ACCEPT, TO_VERIFY
from dispatch.week import NOBODYS, given_since, monday
from scoring.ledger import clue_states, queue_offices

# Endings that say whether there was a case; a clue merged, withdrawn or returned says nothing.
CLEARED = ("case_filed", "unfounded", "transferred", "case_withdrawn")
CASE = "case_filed"


@dataclass(frozen=True)
class Load:
    """Of one office, or of several together. `capacity`: clues a week; `ordered`: clues
    it was given this week, each once, whatever became of them since; `proposed`: waiting clues
    within what capacity is left. `cleared`: ended clues that had a score; `expected`: the sum of
    their probabilities; `cases`: how many were filed."""

    capacity: int = 0
    ordered: int = 0
    waiting: int = 0
    proposed: int = 0
    in_hand: int = 0
    overdue: int = 0
    cleared: int = 0
    expected: float = 0.0
    cases: int = 0

    def __add__(self, other: Load) -> Load:
        names = [field.name for field in fields(Load)]
        return Load(**{name: getattr(self, name) + getattr(other, name) for name in names})


def loads(
    ledger: sa.Engine,
    offices: Offices,
    seen: Collection[str] | None,
    now: datetime,
    since: datetime,
) -> dict[str, Load]:
    """Load of each office of `seen` (None: all), by what stands in the ledger; the queue must be
    fresh (dispatch/kept_queue.py). `since`: from when on endings are counted."""
    names = set(offices.by_id) if seen is None else set(seen)
    found: dict[str, dict[str, float]] = {name: {} for name in names}
    for name in names & set(offices.by_id):
        found[name]["capacity"] = offices.by_id[name].weekly_capacity
    with ledger.connect() as connection:
        for query in (_queued(), _ordered(now), _at_work(now), _ended(since)):
            for row in connection.execute(query).mappings():
                told = dict(row)
                office = told.pop("office_id") or NOBODYS
                if seen is None or office in names:
                    found.setdefault(office, {}).update(told)
    return {name: Load(**told) for name, told in found.items()}  # type: ignore[arg-type]


def together(each: Mapping[str, Load], names: Collection[str]) -> Load:
    """The load of several offices."""
    return sum((each[name] for name in names if name in each), Load())


def _queued() -> sa.Select[tuple[str, int, int]]:
    q = queue_offices.c
    return sa.select(q.office_id, q.total.label("waiting"), q.within.label("proposed"))


def _ordered(now: datetime) -> sa.Select[tuple[str, int]]:
    given = given_since(monday(now)).subquery()
    count = sa.func.count().label("ordered")
    return sa.select(given.c.office_id, count).group_by(given.c.office_id)


def _at_work(now: datetime) -> sa.Select[tuple[str, int, int]]:
    c = clue_states.c
    late = sa.or_(
        c.state.in_(TO_ACCEPT) & (c.accept_until < now),
        c.state.in_(TO_VERIFY) & (c.verify_until < now),
    )
    overdue = sa.func.sum(sa.case((late, 1), else_=0)).label("overdue")
    return (
        sa.select(c.office_id, sa.func.count().label("in_hand"), overdue)
        .where(c.state.in_(IN_HAND))
        .group_by(c.office_id)
    )


def _ended(since: datetime) -> sa.Select[tuple[str, int, float, int]]:
    c = clue_states.c
    return (
        sa.select(
            c.office_id,
            sa.func.count().label("cleared"),
            sa.func.sum(c.probability).label("expected"),
            sa.func.sum(sa.case((c.state == CASE, 1), else_=0)).label("cases"),
        )
        .where(c.state.in_(CLEARED), c.since >= since, c.probability.is_not(None))
        .group_by(c.office_id)
    )
