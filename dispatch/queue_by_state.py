"""Open clues in one state: those that wait, as they are ranked, and those that offices have in
hand, by deadline."""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any

import orjson
import sqlalchemy as sa

from base.errors import Refused
from dispatch.in_hand import IN_HAND
from dispatch.oversight import TO_ACCEPT, TO_VERIFY
from dispatch.queue_reading import KEY, ORDERED, read_cursor
from dispatch.week import WAITING
from scoring.ledger import clue_states, queue_places, scores_given

STATES = (*WAITING, *IN_HAND)
FURTHEST = 10**9
Rows = list[dict[str, Any]]


def read_by_state(
    ledger: sa.Engine,
    offices: Collection[str] | None,
    state: str,
    limit: int,
    cursor: str | None,
    models: Collection[str] | None,
) -> tuple[Rows, str | None]:
    """A page of the open clues of some offices (None: all) in `state` (one of STATES), and the
    cursor after it. The kept ranking must be fresh. A clue in hand has no place any more: its
    `rank`, `urgency` and `drawing_probability` are None. Raises Refused for a cursor that is none.
    """
    key = None if cursor is None else read_cursor(cursor)
    waits = state in WAITING
    query = _waiting(key) if waits else _in_hand()
    query = query.where(clue_states.c.state == state).limit(limit + 1)
    of = queue_places.c if waits else clue_states.c
    if offices is not None:
        query = query.where(of.office_id.in_(sorted(offices)))
    if models is not None:
        query = query.where(of.supervision_model.in_(sorted(models)))
    start = 0 if waits or key is None else _start(key)
    with ledger.connect() as connection:
        rows = [dict(row) for row in connection.execute(query.offset(start)).mappings()]
    if len(rows) <= limit:
        return rows, None
    after = [rows[limit - 1][name] for name in KEY] if waits else [0, start + limit, ""]
    return rows[:limit], base64.urlsafe_b64encode(orjson.dumps(after)).decode()


def _waiting(key: list[Any] | None) -> sa.Select[Any]:
    columns = [column for column in queue_places.c if column.name != "score_id"]
    joined = queue_places.join(clue_states, clue_states.c.clue_id == queue_places.c.clue_id)
    joined = joined.outerjoin(scores_given, scores_given.c.score_id == queue_places.c.score_id)
    no_due = sa.literal(None, sa.DateTime).label("due")
    query = sa.select(*columns, clue_states.c.state, no_due, scores_given.c.scorer)
    query = query.select_from(joined).order_by(*ORDERED)
    if key is None:
        return query
    types = (column.type for column in ORDERED)
    after = [sa.literal(value, kind) for value, kind in zip(key, types, strict=True)]
    return query.where(sa.tuple_(*ORDERED) > sa.tuple_(*after))


def _in_hand() -> sa.Select[Any]:
    c = clue_states.c
    due = sa.case(
        (c.state.in_(TO_ACCEPT), c.accept_until), (c.state.in_(TO_VERIFY), c.verify_until)
    ).label("due")
    none = (sa.literal(None, sa.Integer).label(name) for name in ("rank", "urgency"))
    drawn = sa.literal(None, sa.Float).label("drawing_probability")
    marks = (sa.false().label(name) for name in ("exploration", "floor"))
    place = (sa.literal(1).label("below"), sa.literal(0.0).label("minus_value"))
    own = (c.clue_id, c.office_id, c.supervision_model, c.raised_at, c.margin, c.probability)
    joined = clue_states.outerjoin(scores_given, scores_given.c.score_id == c.score_id)
    told = sa.select(*own, *none, drawn, *marks, *place, c.state, due, scores_given.c.scorer)
    return told.select_from(joined).order_by(due.is_(None), due, c.clue_id)


def _start(key: list[Any]) -> int:
    """After how many clues in hand a page begins."""
    if not 0 <= key[1] <= FURTHEST:
        raise Refused(
            wanted="a cursor of an earlier page",
            got="another",
            cure="start again without a cursor",
            where="cursor",
        )
    return int(key[1])
