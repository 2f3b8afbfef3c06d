"""Where clues stand: how a clue comes to stand there, its state now and every change it saw."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from base.errors import NotFound
from scoring.ledger.chain import Entry, append, canonical
from scoring.ledger.opening import writing
from scoring.ledger.scores import GivenScore, keep_scores
from scoring.ledger.tables import clue_events, clue_states

IDS_AT_ONCE = 500
PLATFORM = "platform"
# Asked for every page: built once.
ONE = sa.select(clue_states).where(clue_states.c.clue_id == sa.bindparam("clue"))
EVENTS = (
    sa.select(clue_events)
    .where(clue_events.c.clue_id == sa.bindparam("clue"))
    .order_by(clue_events.c.event_id)
)


def register(
    connection: sa.Connection, clues: pa.Table, *, at: datetime, by: str = PLATFORM
) -> int:
    """Let clues stand as raised; those that stand already are left. Returns how many are new.

    `clues`: clue_id, office_id, supervision_model, raised_at. In the caller's transaction (one of
    `scoring.ledger.writing`).
    """
    rows = clues.select(["clue_id", "office_id", "supervision_model", "raised_at"]).to_pylist()
    new = 0
    for chunk in chunks(rows):
        known = set(standing(connection, [row["clue_id"] for row in chunk]))
        fresh = [row for row in chunk if row["clue_id"] not in known]
        new += len(fresh)
        if fresh:
            connection.execute(
                insert_new(connection, clue_states),
                [
                    {**row, "state": "raised", "open": True, "version": 0, "since": at}
                    for row in fresh
                ],
            )
    if new:
        digest = hashlib.sha256(canonical(sorted(clues["clue_id"].to_pylist()))).hexdigest()
        body = {"clues": clues.num_rows, "new": new, "digest": digest}
        about = clues["clue_id"][0].as_py() if clues.num_rows == 1 else ""
        append(connection, [Entry("registered", by, about, body, at)])
    return new


def mark_scored(connection: sa.Connection, clue_ids: Iterable[str], *, at: datetime) -> int:
    """Clues that were raised stand as scored; returns how many. What moved on stays where it is."""
    moved = 0
    for chunk in chunks(clue_ids):
        raised = [
            row
            for row in standing(connection, chunk, lock=True).values()
            if row["state"] == "raised"
        ]
        if not raised:
            continue
        events = [
            event_row(row, "scored", at=at, decided_at=row["raised_at"], by=PLATFORM, role=PLATFORM)
            for row in raised
        ]
        connection.execute(sa.insert(clue_events), events)
        connection.execute(
            sa.update(clue_states)
            .where(clue_states.c.clue_id.in_([row["clue_id"] for row in raised]))
            .where(clue_states.c.state == "raised")
            .values(state="scored", version=clue_states.c.version + 1, since=at)
        )
        moved += len(raised)
    return moved


def keep_scored(
    ledger: sa.Engine, clues: pa.Table, given: Iterable[GivenScore], *, at: datetime, by: str
) -> int:
    """Keep scores for work in one transaction: clues new to the ledger stand from now on."""
    with writing(ledger) as connection:
        register(connection, clues, at=at, by=by)
        kept = keep_scores(connection, given, by=by)
        mark_scored(connection, clues["clue_id"].to_pylist(), at=at)
    return kept


def event_row(
    row: Mapping[str, Any],
    to: str,
    *,
    at: datetime,
    by: str,
    role: str,
    decided_at: datetime | None = None,
    reported_at: datetime | None = None,
    reason: str = "",
    facts: Mapping[str, Any] | None = None,
    **others: Any,
) -> dict[str, Any]:
    """The event that brings the clue of `row` (of clue_states) to `to`, as its next version."""
    decided = decided_at or at
    return {
        "clue_id": row["clue_id"],
        "version": row["version"] + 1,
        "source": "platform" if role == PLATFORM else "person",
        "from_state": row["state"],
        "to_state": to,
        "decided_at": decided,
        "reported_at": reported_at or decided,
        "kept_at": at,
        "by": by,
        "role": role,
        "office_id": row["office_id"],
        "reason": reason,
        "facts": dict(facts or {}),
        "record": None,
        "to_admit": False,
        **others,
    }


def standing(
    connection: sa.Connection, clue_ids: Sequence[str], *, lock: bool = False
) -> dict[str, dict[str, Any]]:
    """clue_id -> its row of clue_states, of those that stand; `lock` holds them (PostgreSQL)."""
    query = sa.select(clue_states).where(clue_states.c.clue_id.in_(list(clue_ids)))
    query = query.order_by(clue_states.c.clue_id)
    if lock:
        query = query.with_for_update()
    found = connection.execute(query).mappings()
    return {row["clue_id"]: dict(row) for row in found}


def stands(connection: sa.Connection, clue_id: str) -> dict[str, Any] | None:
    """The clue's row of clue_states; None where the ledger has none."""
    row = connection.execute(ONE, {"clue": clue_id}).first()
    return None if row is None else row._asdict()


def state_of(ledger: sa.Engine, clue_id: str) -> dict[str, Any]:
    """The same. Raises NotFound."""
    with ledger.connect() as connection:
        found = stands(connection, clue_id)
    if found is None:
        raise NotFound(wanted="a clue of your offices", got="none", cure="check the clue's id")
    return found


def open_rows(
    connection: sa.Connection, offices: Collection[str] | None, *columns: sa.Column[Any]
) -> Iterator[dict[str, Any]]:
    """Open clues of some offices (None: all), highest margin first: one indexed query."""
    query = sa.select(*(columns or clue_states.c)).where(clue_states.c.open.is_(True))
    if offices is not None:
        query = query.where(clue_states.c.office_id.in_(sorted(offices)))
    for row in connection.execute(query.order_by(clue_states.c.margin.desc())).mappings():
        yield dict(row)


def history(ledger: sa.Engine, clue_id: str) -> list[dict[str, Any]]:
    """Every event of a clue in the order the ledger kept them."""
    with ledger.connect() as connection:
        return events_of(connection, clue_id)


def events_of(connection: sa.Connection, clue_id: str) -> list[dict[str, Any]]:
    """The same."""
    return [row._asdict() for row in connection.execute(EVENTS, {"clue": clue_id})]


def chunks(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists of at most IDS_AT_ONCE, so that no statement has too many values."""
    each = iter(values)
    while chunk := list(islice(each, IDS_AT_ONCE)):
        yield chunk


def insert_new(connection: sa.Connection, table: sa.Table) -> sa.Insert:
    """An INSERT that leaves rows whose key is there already."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()
