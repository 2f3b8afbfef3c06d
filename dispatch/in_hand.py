"""Clues beyond the queue: those that offices have in hand, those overdue, those that ended."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from dispatch.life_cycle import OPEN, STATES, State
from dispatch.kept_queue import one_of
from dispatch.oversight import TO_ACCEPT, TO_VERIFY
from dispatch.queue_reading import OFFICES_APART
from scoring.ledger import clue_states
from scoring.ledger.reading import Written, reading

IN_HAND: tuple[State, ...] = ("dispatched", "accepted", "verifying", "supplement")
ENDED: tuple[State, ...] = tuple(state for state in STATES if state not in OPEN)


class InHand(NamedTuple):
    """A clue beyond the queue; `due`: its next deadline, None where it has none."""

    clue_id: str
    office_id: str | None
    supervision_model: str | None
    raised_at: datetime
    state: str
    probability: float | None
    due: datetime | None


def read_in_hand(
    ledger: sa.Engine,
    offices: Collection[str] | None,
    states: Collection[str],
    models: Collection[str] | None,
    limit: int,
    start: int,
    overdue_at: datetime | None = None,
) -> list[InHand]:
    """Clues of some offices (None: all) in some states, by deadline: the next one first.

    Ended ones come newest first. `models`: of these supervision models only. `overdue_at`: only
    those that missed their deadline then. `start`: after so many.
    """
    values: dict[str, Any] = {"limit": limit, "start": start}
    for name, given in (("state", states), ("office", offices or ()), ("model", models or ())):
        values |= {f"{name}_{at}": each for at, each in enumerate(given)}
    if overdue_at is not None:
        values["overdue_at"] = overdue_at
    statement = _found(
        ledger.dialect,
        len(states),
        None if offices is None else len(offices),
        None if models is None else len(models),
        not set(states) & set(OPEN),
        overdue_at is not None,
    )
    with reading(ledger) as read:
        return list(map(InHand._make, read(statement, values)))


@lru_cache(maxsize=256)
def _found(
    dialect: sa.Dialect,
    states: int,
    offices: int | None,
    models: int | None,
    ended: bool,
    overdue: bool,
) -> Written:
    """The clues asked for; built once for each form."""
    c = clue_states.c
    due = sa.case(
        (c.state.in_(_named(TO_ACCEPT)), c.accept_until),
        (c.state.in_(_named(TO_VERIFY)), c.verify_until),
    )
    columns = [c[name] for name in InHand._fields[:-1]]
    query = sa.select(*columns, due.label("due")).where(one_of(c.state, "state", states))
    if offices is not None:
        # Few clues are in hand and many wait: found by state, of few offices by those too.
        by_state = not ended and offices > OFFICES_APART
        own: Any = sa.func.coalesce(c.office_id, "", type_=c.office_id.type)
        query = query.where(one_of(own if by_state else c.office_id, "office", offices))
    if models is not None:
        query = query.where(one_of(c.supervision_model, "model", models))
    if overdue:
        query = query.where(due < sa.bindparam("overdue_at", type_=sa.DateTime))
    order = [c.since.desc(), c.clue_id] if ended else [due.is_(None), due, c.clue_id]
    start, limit = (sa.bindparam(name, type_=sa.Integer) for name in ("start", "limit"))
    return Written(query.order_by(*order).offset(start).limit(limit), dialect)


def _named(states: Collection[str]) -> list[sa.ColumnElement[str]]:
    """Told in the statement itself: none of them is anybody's."""
    return [sa.literal_column(f"'{state}'") for state in states]
