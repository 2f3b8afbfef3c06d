"""Reading a page of the kept ranking: a few index seeks, whatever the number of clues.

A page begins after a key (within or below, value, clue), not after a place: clues may leave between
two pages, also the one that the page before ended with.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from base.errors import Refused
from scoring.ledger import queue_offices, queue_places, scores_given

# Up to so many offices each is looked up in its own index; beyond, one index over all is faster.
OFFICES_APART = 40
KEY = ("below", "minus_value", "clue_id")


@dataclass(frozen=True)
class QueuePage:
    """`rows` of the kept ranking (with `scorer`), the cursor after them (None: no more), how many
    clues wait in all and how many are within capacity."""

    rows: list[dict[str, Any]]
    next_cursor: str | None
    total: int
    within: int


def read_page(
    ledger: sa.Engine,
    offices: Collection[str] | None,
    limit: int,
    cursor: str | None,
    models: Collection[str] | None = None,
) -> QueuePage:
    """A page of the queues of some offices (None: all), best first, those within capacity before
    the others. `models`: rows of these supervision models only; what is counted stays the whole.
    Raises Refused for a cursor that is none."""
    after = None if cursor is None else read_cursor(cursor)
    with ledger.connect() as connection:
        query = _page(offices, limit + 1, after, models)
        rows = [dict(row) for row in connection.execute(query).mappings()]
        more, rows = len(rows) > limit, rows[:limit]
        scorers = _scorers(connection, [row["score_id"] for row in rows])
        total, within = _counts(connection, offices)
    for row in rows:
        row["scorer"] = scorers.get(row.pop("score_id"))
    return QueuePage(rows, _cursor(rows[-1]) if more else None, total, within)


def _page(
    offices: Collection[str] | None,
    count: int,
    after: list[Any] | None,
    models: Collection[str] | None,
) -> Any:
    """The next `count` rows. Few offices: the first of each, merged."""
    ordered = [queue_places.c[name] for name in KEY]
    plain = sa.select(queue_places)
    if models is not None:
        plain = plain.where(queue_places.c.supervision_model.in_(sorted(models)))
    if after is not None:
        plain = plain.where(sa.tuple_(*ordered) > sa.tuple_(*map(sa.literal, after)))
    if offices is None:
        return plain.order_by(*ordered).limit(count)
    own = queue_places.c.office_id
    if len(offices) > OFFICES_APART:
        return plain.where(own.in_(sorted(offices))).order_by(*ordered).limit(count)
    # An ORDER BY within a UNION must stand in a subquery on SQLite.
    parts = [
        sa.select(plain.where(own == name).order_by(*ordered).limit(count).subquery())
        for name in sorted(offices)
    ]
    if not parts:
        return plain.where(sa.false())
    merged = sa.union_all(*parts).subquery()
    return sa.select(merged).order_by(*(merged.c[name] for name in KEY)).limit(count)


def _scorers(connection: sa.Connection, score_ids: list[int | None]) -> dict[int | None, str]:
    known = [each for each in score_ids if each is not None]
    query = sa.select(scores_given.c.score_id, scores_given.c.scorer).where(
        scores_given.c.score_id.in_(known)
    )
    return {row.score_id: row.scorer for row in connection.execute(query)}


def _counts(connection: sa.Connection, offices: Collection[str] | None) -> tuple[int, int]:
    query = sa.select(
        sa.func.coalesce(sa.func.sum(queue_offices.c.total), 0),
        sa.func.coalesce(sa.func.sum(queue_offices.c.within), 0),
    )
    if offices is not None:
        query = query.where(queue_offices.c.office_id.in_(sorted(offices)))
    total, within = connection.execute(query).one()
    return int(total), int(within)


def _cursor(row: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([row[name] for name in KEY])).decode()


def read_cursor(cursor: str) -> list[Any]:
    """The key that a cursor stands for. Raises Refused."""
    try:
        below, minus_value, clue_id = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        return [int(below), float(minus_value), str(clue_id)]
    except (ValueError, TypeError, binascii.Error):
        raise Refused(
            wanted="a cursor of an earlier page",
            got="another",
            cure="start again without a cursor",
            where="cursor",
        ) from None
