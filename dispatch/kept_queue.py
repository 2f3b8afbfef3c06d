"""The ranking kept: what offices' queues look like this week, in tables that pages are read from.

Ranking a million clues takes a while; reading fifty of them must not. So the ranking is kept,
office by office, and made again only for the offices where something changed. Every change that
matters appends to the audit chain in its own transaction, one after the other: the number of the
chain's last row tells whether anything changed at all, and its rows tell where.

    freshen -> which offices are stale (audit rows since the mark, a new week, ends known elsewhere)
            -> office_week of each that the caller sees -> its rows replaced, in one transaction
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa

from dispatch.standing import chunks, insert_new
from dispatch.week import NOBODYS, OfficeWeek, Ways, office_week, week_of
from scoring.ledger import (
    clue_states,
    queue_mark,
    queue_offices,
    queue_places,
    scores_given,
    writing,
)
from scoring.ledger.reading import Read, Written, one_of, reading
from scoring.ledger.tables import audit, audit_head

ROWS_AT_ONCE = 2_000
MARK = 1
# Beyond so many changes it is cheaper to look at every office again.
CHANGES_AT_MOST = 5_000
STALE = sa.select(queue_offices.c.office_id).where(queue_offices.c.stale.is_(True))
# What is told of one clue, and what is told of none.
OF_A_CLUE, OF_NO_CLUE = (
    ("transition", "outcomes"),
    ("registered", "promotion", "key", "read", "watch", "account", "exchange"),
)


@dataclass(frozen=True)
class Ends:
    """Clues whose end is known from elsewhere than the ledger, and the version they are of."""

    clue_ids: frozenset[str] = frozenset()
    version: str = ""


def freshen(
    ledger: sa.Engine,
    ways: Ways,
    offices: Collection[str] | None,
    now: datetime,
    ends: Ends = Ends(),
) -> int:
    """Make the kept ranking of some offices (None: all) true as of `now`; returns how many were
    made again."""
    with reading(ledger) as read:
        kept = read_kept(read, ledger.dialect, offices)
    if kept.true_at(now, ends):
        return 0
    if kept.mark != kept.marked_at(now, ends):
        _mark_stale(ledger, week_of(now), ends)
    with ledger.connect() as connection:
        stale = _stale(connection)
    again = [name for name in stale if offices is None or name in offices]
    for office_id in again:
        _make_again(ledger, ways, office_id, now, ends.clue_ids)
    return len(again)


@dataclass(frozen=True)
class Kept:
    """What is kept of some offices: `head`, the number of the audit chain's last row; `mark`, the
    row, the week and the ends that it was last looked over at; how many of the offices are `stale`;
    how many clues wait there, and how many of them within capacity."""

    head: int
    mark: tuple[Any, Any, Any]
    stale: int
    total: int
    within: int

    def marked_at(self, now: datetime, ends: Ends) -> tuple[int, str, str]:
        """The mark of a ranking in which nothing more is to be looked over."""
        return self.head, week_of(now), ends.version

    def true_at(self, now: datetime, ends: Ends) -> bool:
        """Whether what is kept is the ranking as of `now`."""
        return not self.stale and self.mark == self.marked_at(now, ends)


def read_kept(read: Read, dialect: sa.Dialect, offices: Collection[str] | None) -> Kept:
    """What is kept of some offices (None: all)."""
    values = {} if offices is None else {"offices": offices}
    head, *mark, stale, total, within = read(_kept(dialect, offices is None), values)[0]
    return Kept(head, tuple(mark), int(stale), int(total), int(within))


@lru_cache(maxsize=8)
def _kept(dialect: sa.Dialect, of_all: bool) -> Written:
    """Asked for every page: built once."""
    none: sa.ColumnElement[int] = sa.literal_column("0", sa.Integer)
    own = sa.select(
        sa.func.coalesce(sa.func.sum(sa.case((queue_offices.c.stale, 1), else_=0)), none),
        sa.func.coalesce(sa.func.sum(queue_offices.c.total), none),
        sa.func.coalesce(sa.func.sum(queue_offices.c.within), none),
    )
    if not of_all:
        own = own.where(one_of(dialect, queue_offices.c.office_id, "offices"))
    mark = queue_mark.c
    counted = own.subquery("counted")
    joined = audit_head.outerjoin(queue_mark, mark.mark_id == MARK).join(counted, sa.true())
    query = sa.select(audit_head.c.seq, mark.seq, mark.week, mark.ends, *counted.c)
    return Written(query.select_from(joined), dialect)


def _mark_stale(ledger: sa.Engine, week: str, ends: Ends) -> None:
    """Name the offices whose queue is no longer what is kept, and move the mark on."""
    with writing(ledger) as connection:
        head = int(connection.execute(sa.select(audit_head.c.seq)).scalar_one())
        mark = connection.execute(sa.select(queue_mark)).mappings().first()
        values = {"seq": head, "week": week, "ends": ends.version}
        if mark is None or mark["week"] != week or head - mark["seq"] > CHANGES_AT_MOST:
            changed = None
        else:
            changed = _changed_offices(connection, mark["seq"], head)
            if changed is not None and mark["ends"] != ends.version:
                changed |= _places_of(connection, ends.clue_ids)
        if mark is None:
            kept = {"mark_id": MARK, **values}
            connection.execute(insert_new(connection, queue_mark), [kept])
        else:
            connection.execute(sa.update(queue_mark).values(values))
        _set_stale(connection, changed)


def _changed_offices(connection: sa.Connection, since: int, head: int) -> set[str] | None:
    """Offices of the clues that audit rows tell of; None: it cannot be told, look at all."""
    query = sa.select(audit.c.kind, audit.c.about, audit.c.body).where(
        audit.c.seq > since, audit.c.seq <= head
    )
    clues, batches, told = set[str](), set[str](), set[str]()
    for kind, about, body in connection.execute(query):
        said = orjson.loads(body)
        if kind == "scores":
            batches.add(str(said["batch"]))
        elif kind in OF_A_CLUE and about:
            clues.add(about)
            told.add(str(said.get("office_id") or NOBODYS))
        elif kind not in OF_NO_CLUE:
            return None
    return told | _offices_of(connection, clues) | _offices_of_batches(connection, batches)


def _offices_of(connection: sa.Connection, clues: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for chunk in chunks(clues):
        query = sa.select(clue_states.c.office_id).where(clue_states.c.clue_id.in_(chunk))
        found |= {name or NOBODYS for (name,) in connection.execute(query.distinct())}
    return found


def _offices_of_batches(connection: sa.Connection, batches: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for chunk in chunks(batches):
        query = (
            sa.select(clue_states.c.office_id)
            .join(scores_given, scores_given.c.clue_id == clue_states.c.clue_id)
            .where(scores_given.c.batch.in_(chunk), scores_given.c.purpose == "work")
        )
        found |= {name or NOBODYS for (name,) in connection.execute(query.distinct())}
    return found


def _set_stale(connection: sa.Connection, offices: set[str] | None) -> None:
    """These offices, or all that any clue names."""
    if offices is None:
        connection.execute(sa.update(queue_offices).values(stale=True))
        named = connection.execute(sa.select(clue_states.c.office_id).distinct())
        offices = {name or NOBODYS for (name,) in named}
    else:
        for chunk in chunks(sorted(offices)):
            connection.execute(
                sa.update(queue_offices)
                .where(queue_offices.c.office_id.in_(chunk))
                .values(stale=True)
            )
    new = [
        {"office_id": name, "week": "", "stale": True, "total": 0, "within": 0, "seed": ""}
        for name in sorted(offices)
    ]
    if new:
        connection.execute(insert_new(connection, queue_offices), new)


def _places_of(connection: sa.Connection, clue_ids: Iterable[str]) -> set[str]:
    """Offices that still keep a place for any of these clues."""
    found: set[str] = set()
    for chunk in chunks(clue_ids):
        query = sa.select(queue_places.c.office_id).where(queue_places.c.clue_id.in_(chunk))
        found |= {name for (name,) in connection.execute(query.distinct())}
    return found


def _stale(connection: sa.Connection) -> list[str]:
    return sorted(name for (name,) in connection.execute(STALE))


def _make_again(
    ledger: sa.Engine, ways: Ways, office_id: str, now: datetime, gone: Collection[str]
) -> None:
    """One office's rows, replaced. Whoever waited for the same finds it done."""
    with writing(ledger) as connection:
        stale = sa.select(queue_offices.c.stale).where(queue_offices.c.office_id == office_id)
        if not connection.execute(stale.with_for_update()).scalar_one():
            return
        week = office_week(connection, ways, office_id, now, gone)
        connection.execute(sa.delete(queue_places).where(queue_places.c.office_id == office_id))
        rows = list(_rows(week))
        # A clue that came from another office leaves the place that was kept for it there.
        for chunk in chunks([row["clue_id"] for row in rows]):
            connection.execute(sa.delete(queue_places).where(queue_places.c.clue_id.in_(chunk)))
        for at in range(0, len(rows), ROWS_AT_ONCE):
            connection.execute(sa.insert(queue_places), rows[at : at + ROWS_AT_ONCE])
        connection.execute(
            sa.update(queue_offices)
            .where(queue_offices.c.office_id == office_id)
            .values(
                week=week.week,
                stale=False,
                total=len(rows),
                within=sum(not row["below"] for row in rows),
                seed=week.seed,
            )
        )


def _rows(week: OfficeWeek) -> Iterable[dict[str, Any]]:
    for each in week.ranked:
        row = week.rows[each.clue_id]
        yield {
            "clue_id": each.clue_id,
            "office_id": week.office_id,
            "below": 0 if each.within_capacity else 1,
            "minus_value": -(each.margin + each.urgency),
            "rank": each.rank,
            "margin": each.margin,
            "urgency": each.urgency,
            "probability": row["probability"],
            "exploration": each.exploration,
            "floor": each.floor,
            "drawing_probability": each.drawing_probability,
            "supervision_model": row["supervision_model"],
            "raised_at": row["raised_at"],
            "score_id": row["score_id"],
        }
