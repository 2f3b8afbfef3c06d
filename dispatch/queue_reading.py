"""Reading a page of the kept ranking: a few index seeks, whatever the number of clues.

A page begins after a key (within or below, value, clue), not after a place: clues may leave between
two pages, also the one that the page before ended with.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from base.errors import Refused
from scoring.ledger import clue_states, queue_offices, queue_places, scores_given

# Up to so many offices each is looked up in its own index; beyond, one index over all is faster.
OFFICES_APART = 40
KEY = ("below", "minus_value", "clue_id")
ORDERED = [queue_places.c[name] for name in KEY]
Rows = list[dict[str, Any]]
# What is told of each row beside its place: the scorer of the score that the clue waits with, or
# where the clue stands now.
Beside = Literal["scorer", "state"]
COUNTS = sa.select(
    sa.func.coalesce(sa.func.sum(queue_offices.c.total), 0),
    sa.func.coalesce(sa.func.sum(queue_offices.c.within), 0),
)
COUNTS_OF = COUNTS.where(queue_offices.c.office_id.in_(sa.bindparam("offices", expanding=True)))


@dataclass(frozen=True)
class QueuePage:
    """`rows` of the kept ranking, the cursor after them (None: no more), how many clues wait in all
    and how many are within capacity."""

    rows: Rows
    next_cursor: str | None
    total: int
    within: int


def read_page(
    ledger: sa.Engine,
    offices: Collection[str] | None,
    limit: int,
    cursor: str | None,
    models: Collection[str] | None = None,
    beside: Beside = "scorer",
) -> QueuePage:
    """A page of the queues of some offices (None: all), best first, those within capacity before
    the others. `models`: rows of these supervision models only; what is counted stays the whole.
    Raises Refused for a cursor that is none."""
    after = None if cursor is None else read_cursor(cursor)
    query, values = _asked(offices, limit + 1, after, models, beside)
    with ledger.connect() as connection:
        found = connection.execute(query, values)
        names = list(found.keys())
        rows = [dict(zip(names, row, strict=True)) for row in found]
        total, within = _counts(connection, offices)
    more, rows = len(rows) > limit, rows[:limit]
    return QueuePage(rows, _cursor(rows[-1]) if more else None, total, within)


def _asked(
    offices: Collection[str] | None,
    count: int,
    after: list[Any] | None,
    models: Collection[str] | None,
    beside: Beside,
) -> tuple[Any, dict[str, Any]]:
    """The query of the next `count` rows, and its values."""
    values: dict[str, Any] = {"count": count}
    apart = 0
    if offices is not None:
        names = sorted(offices)
        if len(names) > OFFICES_APART:
            apart, values["offices"] = -1, names
        else:
            apart = len(names)
            values |= {f"office_{at}": name for at, name in enumerate(names)}
            if not names:
                return sa.select(queue_places).where(sa.false()), {}
    if after is not None:
        values |= {f"after_{name}": value for name, value in zip(KEY, after, strict=True)}
    if models is not None:
        values["models"] = sorted(models)
    return _page(apart, after is not None, models is not None, beside), values


@lru_cache(maxsize=256)
def _page(apart: int, goes_on: bool, of_models: bool, beside: Beside) -> Any:
    """The next rows with what is told beside them; built once for each form."""
    page = _places(apart, goes_on, of_models).subquery("page")
    if beside == "scorer":
        told: Any = scores_given.c.scorer
        joined = page.outerjoin(scores_given, scores_given.c.score_id == page.c.score_id)
    else:
        told = sa.func.coalesce(clue_states.c.state, "scored").label("state")
        joined = page.outerjoin(clue_states, clue_states.c.clue_id == page.c.clue_id)
    columns = [column for column in page.c if column.name != "score_id"]
    order = [page.c[name] for name in KEY]
    return sa.select(*columns, told).select_from(joined).order_by(*order)


def _places(apart: int, goes_on: bool, of_models: bool) -> sa.Select[Any]:
    """The next rows of the kept ranking. `apart`: of how many offices, each looked up in its own
    index and merged; 0: of all; -1: of many, by one index over all."""
    count = sa.bindparam("count", type_=sa.Integer)
    plain = sa.select(queue_places)
    if of_models:
        models: sa.BindParameter[Any] = sa.bindparam("models", expanding=True)
        plain = plain.where(queue_places.c.supervision_model.in_(models))
    if goes_on:
        after = [sa.bindparam(f"after_{each.name}", type_=each.type) for each in ORDERED]
        plain = plain.where(sa.tuple_(*ORDERED) > sa.tuple_(*after))
    plain = plain.order_by(*ORDERED).limit(count)
    own = queue_places.c.office_id
    if apart == 0:
        return plain
    if apart == -1:
        return plain.where(own.in_(sa.bindparam("offices", expanding=True)))
    each_own = [plain.where(own == sa.bindparam(f"office_{at}")) for at in range(apart)]
    if apart == 1:
        return each_own[0]
    # An ORDER BY within a UNION must stand in a subquery on SQLite.
    merged = sa.union_all(*(sa.select(each.subquery()) for each in each_own)).subquery()
    return sa.select(merged).order_by(*(merged.c[name] for name in KEY)).limit(count)


def _counts(connection: sa.Connection, offices: Collection[str] | None) -> tuple[int, int]:
    if offices is None:
        total, within = connection.execute(COUNTS).one()
    else:
        total, within = connection.execute(COUNTS_OF, {"offices": sorted(offices)}).one()
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
