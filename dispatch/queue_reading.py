"""Reading a page of the kept ranking: a few index seeks, whatever the number of clues.

A page begins after a key (within or below, value, clue), not after a place: clues may leave between
two pages, also the one that the page before ended with.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import orjson
import sqlalchemy as sa

from base.errors import Refused
from dispatch.kept_queue import read_kept
from scoring.ledger import clue_states, queue_places, scores_given
from scoring.ledger.reading import Read, Written, one_of, reading

# Up to so many offices each is looked up in its own index; beyond, one index over all is faster.
OFFICES_APART, TOGETHER = 40, -1
KEY = ("below", "minus_value", "clue_id")
ORDERED = [queue_places.c[name] for name in KEY]
# What is told of each row beside its place: the scorer of the score that the clue waits with, or
# where the clue stands now.
Beside = Literal["scorer", "state"]
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True)
class QueuePage:
    """`rows` of the kept ranking, the cursor after them (None: no more), how many clues wait in all
    and how many are within capacity."""

    rows: list[dict[str, Any]]
    next_cursor: str | None
    total: int
    within: int


class Shown(NamedTuple):
    """A row of the kept ranking as a page shows it: in the order of the columns read."""

    clue_id: str
    below: int
    minus_value: float
    rank: int
    office_id: str
    supervision_model: str | None
    raised_at: datetime
    probability: float
    exploration: bool
    floor: bool
    state: str


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
    after, dialect = None if cursor is None else read_cursor(cursor), ledger.dialect
    with reading(ledger) as read:
        columns, rows = _read(read, dialect, offices, limit + 1, after, models, "scorer")
        kept = read_kept(read, dialect, offices)
    told = [dict(zip(columns, row, strict=True)) for row in rows[:limit]]
    more = _cursor([told[-1][name] for name in KEY]) if len(rows) > limit else None
    return QueuePage(told, more, kept.total, kept.within)


def read_shown(
    read: Read,
    dialect: sa.Dialect,
    offices: Collection[str] | None,
    limit: int,
    cursor: str | None,
    models: Collection[str] | None = None,
) -> tuple[list[Shown], str | None]:
    """The same rows as a page shows them, and the cursor after them. Raises Refused."""
    after = None if cursor is None else read_cursor(cursor)
    _, rows = _read(read, dialect, offices, limit + 1, after, models, "state")
    shown = list(map(Shown._make, rows[:limit]))
    last = shown[-1] if len(rows) > limit else None
    return shown, last and _cursor([last.below, last.minus_value, last.clue_id])


def _read(
    read: Read,
    dialect: sa.Dialect,
    offices: Collection[str] | None,
    count: int,
    after: list[Any] | None,
    models: Collection[str] | None,
    beside: Beside,
) -> tuple[Sequence[str], Rows]:
    """The names of the columns, and the next `count` rows."""
    values: dict[str, Any] = {"count": count}
    looked = 0
    if offices is not None:
        looked = _looked_up(dialect, len(offices))
        if looked == TOGETHER:
            values["offices"] = offices
        else:
            values |= {f"office_{at}": name for at, name in enumerate(offices)}
    if after is not None:
        values |= {f"after_{name}": value for name, value in zip(KEY, after, strict=True)}
    if models is not None:
        values["models"] = models
    page = _page(dialect, looked, after is not None, models is not None, beside)
    return page.columns, read(page, values)


def _looked_up(dialect: sa.Dialect, offices: int) -> int:
    """How many are each looked up in the index of offices, and merged. SQLite does so by itself:
    of an office it reads no further than the page could go."""
    by_itself = dialect.name == "sqlite" and offices > 1
    return TOGETHER if by_itself or not 0 < offices <= OFFICES_APART else offices


@lru_cache(maxsize=256)
def _page(
    dialect: sa.Dialect, looked: int, goes_on: bool, of_models: bool, beside: Beside
) -> Written:
    """The next rows with what is told beside them; built once for each form."""
    page = _places(dialect, looked, goes_on, of_models).subquery("page")
    if beside == "scorer":
        names = [column.name for column in page.c if column.name != "score_id"]
        told: Any = scores_given.c.scorer
        joined = page.outerjoin(scores_given, scores_given.c.score_id == page.c.score_id)
    else:
        names = list(Shown._fields[:-1])
        told = sa.func.coalesce(clue_states.c.state, sa.literal_column("'scored'")).label("state")
        joined = page.outerjoin(clue_states, clue_states.c.clue_id == page.c.clue_id)
    order = [page.c[name] for name in KEY]
    columns = [page.c[name] for name in names]
    return Written(sa.select(*columns, told).select_from(joined).order_by(*order), dialect)


def _places(dialect: sa.Dialect, looked: int, goes_on: bool, of_models: bool) -> sa.Select[Any]:
    """The next rows of the kept ranking. `looked`: of how many offices, each looked up in its own
    index and merged; 0: of all; TOGETHER: of those in a list."""
    count = sa.bindparam("count", type_=sa.Integer)
    plain = sa.select(queue_places)
    if of_models:
        plain = plain.where(one_of(dialect, queue_places.c.supervision_model, "models"))
    if goes_on:
        after = [sa.bindparam(f"after_{each.name}", type_=each.type) for each in ORDERED]
        plain = plain.where(sa.tuple_(*ORDERED) > sa.tuple_(*after))
    plain = plain.order_by(*ORDERED).limit(count)
    own = queue_places.c.office_id
    if looked == 0:
        return plain
    if looked == TOGETHER:
        return plain.where(one_of(dialect, own, "offices"))
    each_own = [plain.where(own == sa.bindparam(f"office_{at}")) for at in range(looked)]
    if looked == 1:
        return each_own[0]
    # An ORDER BY within a UNION must stand in a subquery on SQLite.
    merged = sa.union_all(*(sa.select(each.subquery()) for each in each_own)).subquery()
    return sa.select(merged).order_by(*(merged.c[name] for name in KEY)).limit(count)


def _cursor(key: Sequence[Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(key))).decode()


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
