"""Clues beyond the queue: those that offices have in hand, those overdue, those that ended."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from dispatch.life_cycle import OPEN, STATES, State
from dispatch.oversight import TO_ACCEPT, TO_VERIFY
from dispatch.queue_reading import OFFICES_APART
from scoring.ledger import clue_states
from scoring.ledger.reading import Written, one_of, reading

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
    few = offices is not None and len(offices) <= OFFICES_APART
    statement = _found(
        ledger.dialect,
        tuple(states),
        None if offices is None else few,
        models is not None,
        overdue_at is not None,
    )
    given = {"offices": offices, "models": models, "overdue_at": overdue_at}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    values |= {"limit": limit, "start": start}
    with reading(ledger) as read:
        return list(map(InHand._make, read(statement, values)))


@lru_cache(maxsize=256)
def _found(
    dialect: sa.Dialect, states: tuple[str, ...], few: bool | None, of_models: bool, overdue: bool
) -> Written:
    """The clues asked for; built once for each form. `few`: whether the offices are; None: all."""
    c, ended = clue_states.c, not set(states) & set(OPEN)
    due = sa.case(
        (c.state.in_(_named(TO_ACCEPT)), c.accept_until),
        (c.state.in_(_named(TO_VERIFY)), c.verify_until),
    )
    columns = [c[name] for name in InHand._fields[:-1]]
    query = sa.select(*columns, due.label("due")).where(c.state.in_(_named(states)))
    if few is not None:
        # Few clues are in hand and many wait: found by state, of few offices by those too.
        own = c.office_id if ended or few else sa.func.coalesce(c.office_id, "")
        query = query.where(one_of(dialect, own, "offices"))
    if of_models:
        query = query.where(one_of(dialect, c.supervision_model, "models"))
    if overdue:
        query = query.where(due < sa.bindparam("overdue_at", type_=sa.DateTime))
    order = [c.since.desc(), c.clue_id] if ended else [due.is_(None), due, c.clue_id]
    start, limit = (sa.bindparam(name, type_=sa.Integer) for name in ("start", "limit"))
    return Written(query.order_by(*order).offset(start).limit(limit), dialect)


def _named(states: Collection[str]) -> list[sa.ColumnElement[str]]:
    """Told in the statement itself: none of them is anybody's."""
    return [sa.literal_column(f"'{state}'") for state in states]
