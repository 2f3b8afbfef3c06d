"""Clues beyond the queue: those that offices have in hand, those overdue, those that ended."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dispatch.life_cycle import OPEN, STATES, State
from dispatch.oversight import TO_ACCEPT, TO_VERIFY
from scoring.ledger import clue_states

IN_HAND: tuple[State, ...] = ("dispatched", "accepted", "verifying", "supplement")
ENDED: tuple[State, ...] = tuple(state for state in STATES if state not in OPEN)
NAMES = (
    "clue_id", "office_id", "supervision_model", "raised_at", "state", "since", "probability",
    "accept_until", "verify_until",
)  # fmt: skip


def read_in_hand(
    ledger: sa.Engine,
    offices: Collection[str] | None,
    states: Collection[str],
    models: Collection[str] | None,
    limit: int,
    start: int,
    overdue_at: datetime | None = None,
) -> list[dict[str, Any]]:
    """Clues of some offices (None: all) in some states, by deadline: `due`, the next one first.

    Ended ones come newest first. `models`: of these supervision models only. `overdue_at`: only
    those that missed their deadline then. `start`: after so many.
    """
    c = clue_states.c
    due = sa.case(
        (c.state.in_(TO_ACCEPT), c.accept_until), (c.state.in_(TO_VERIFY), c.verify_until)
    )
    query = sa.select(*(c[name] for name in NAMES), due.label("due")).where(
        c.state.in_(sorted(states))
    )
    ended = not set(states) & set(OPEN)
    if offices is not None:
        # Few clues are in hand and many wait: found by state, whatever the office.
        own = c.office_id if ended else sa.func.coalesce(c.office_id, "")
        query = query.where(own.in_(sorted(offices)))
    if models is not None:
        query = query.where(c.supervision_model.in_(sorted(models)))
    if overdue_at is not None:
        query = query.where(due < overdue_at)
    order = [c.since.desc(), c.clue_id] if ended else [due.is_(None), due, c.clue_id]
    with ledger.connect() as connection:
        found = connection.execute(query.order_by(*order).offset(start).limit(limit)).mappings()
        return [dict(row) for row in found]
