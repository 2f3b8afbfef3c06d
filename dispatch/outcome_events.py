"""Outcomes as events of clues: the same words that the records say, in the same order (P-4).

The records are read back rather than the file, so that a crash between the two leaves nothing out
and what comes twice is one event. Words stand in the order of (reported, decided, rank of the
status): the order in which the record set itself lets one replace the other, so that where a clue
stands and what its label says are never two things. The newest word moves the clue; one that comes
late is kept in its history and moves nothing.

A person's ending is such a word too. It is admitted as a record like any other (`admit_endings`),
so that it teaches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from clues.register import read_clues
from dispatch.life_cycle import OPEN, WORDS
from dispatch.standing import chunks, event_row, register, standing
from governance import tables
from governance.corrections import version_order
from governance.engine import file_list
from governance.home import Home
from scoring.ledger.chain import Entry, append
from scoring.ledger.events import digest_of_event, digest_of_events
from scoring.ledger.tables import clue_events, clue_states

RECORD_SET = "outcomes"


@dataclass
class _Changes:
    events: list[dict[str, Any]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)
    # Persons' endings that the records have now: event_id -> digest of the record.
    admitted: list[dict[str, Any]] = field(default_factory=list)


def settle(
    connection: sa.Connection, home: Home, clue_ids: Collection[str], *, at: datetime, by: str
) -> int:
    """Bring events and states of these clues to what the records say; returns new events.

    In the caller's transaction (one of `scoring.ledger.writing`).
    """
    words, new = _words(home, clue_ids), 0
    digests: list[str] = []
    for chunk in chunks(sorted(words)):
        rows = standing(connection, chunk, lock=True)
        unknown = [each for each in chunk if each not in rows]
        if unknown:
            register(connection, read_clues(home, unknown), at=at, by=by)
            rows = standing(connection, chunk, lock=True)
        changes = _changes(rows, _events(connection, chunk), words, at, by)
        _write(connection, changes)
        new += len(changes.events)
        digests += [digest_of_event(event) for event in changes.events]
    if digests:
        digest = digest_of_events(digests)
        about = next(iter(words)) if len(words) == 1 else ""
        append(connection, [Entry("outcomes", by, about, {"events": new, "digest": digest}, at)])
    return new


def settle_all(connection: sa.Connection, home: Home, *, at: datetime, by: str) -> int:
    """The same for every clue, where records came before the ledger knew of events."""
    known = sa.select(clue_events.c.event_id).where(clue_events.c.record.is_not(None)).limit(1)
    if connection.execute(known).first() is not None:
        return 0
    files = tables.files(home.table(RECORD_SET))
    if not files:
        return 0
    query = f"SELECT DISTINCT clue_id FROM {file_list(files)}"
    with duckdb.connect() as engine:
        ids = [clue_id for (clue_id,) in engine.execute(query).fetchall()]
    return settle(connection, home, ids, at=at, by=by)


def _words(home: Home, clue_ids: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """clue -> its records, the last word last: status, decided, reported, digest."""
    files = tables.files(home.table(RECORD_SET))
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if not files or not clue_ids:
        return found
    order = version_order(home.jurisdiction.contract(RECORD_SET))
    with duckdb.connect() as connection:
        connection.register("asked", pa.table({"clue_id": sorted(clue_ids)}))
        rows = connection.sql(
            "SELECT clue_id, status, happened_at, known_at, lower(hex(row_digest)) AS row_digest"
            f" FROM {file_list(files)} SEMI JOIN asked USING (clue_id) ORDER BY clue_id, {order}"
        ).to_arrow_table()
    for row in rows.to_pylist():
        found[row["clue_id"]].append(row)
    return found


def _events(connection: sa.Connection, clue_ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    query = sa.select(clue_events).where(
        clue_events.c.clue_id.in_(clue_ids), clue_events.c.to_state.in_(WORDS)
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(query.order_by(clue_events.c.event_id)).mappings():
        found[row["clue_id"]].append(dict(row))
    return found


def _changes(
    rows: dict[str, dict[str, Any]],
    events: dict[str, list[dict[str, Any]]],
    words: dict[str, list[dict[str, Any]]],
    at: datetime,
    by: str,
) -> _Changes:
    changes = _Changes()
    for clue_id, row in rows.items():
        known = {event["record"] for event in events[clue_id]}
        fresh = [word for word in words[clue_id] if word["row_digest"] not in known]
        waiting = [event for event in events[clue_id] if event["to_admit"]]
        fresh = _without_own(fresh, waiting, changes)
        if fresh:
            newest = words[clue_id][-1]
            later = any(_said(event) > _told(newest) for event in waiting)
            _add(changes, row, fresh, newest in fresh and not later, at, by)
    return changes


def _without_own(
    fresh: list[dict[str, Any]], waiting: list[dict[str, Any]], changes: _Changes
) -> list[dict[str, Any]]:
    """Records that a person's own ending became are no second word."""
    left = []
    for word in fresh:
        own = next((event for event in waiting if _became(event, word)), None)
        if own is None:
            left.append(word)
        else:
            waiting.remove(own)
            own["record"] = word["row_digest"]
            changes.admitted.append({"event": own["event_id"], "digest": word["row_digest"]})
    return left


def _became(event: dict[str, Any], word: dict[str, Any]) -> bool:
    """The same status, decided at the same second, or on the day that the record tells."""
    told, decided = word["happened_at"], event["decided_at"].replace(microsecond=0)
    same_day = told == decided.replace(hour=0, minute=0, second=0)
    return word["status"] == event["to_state"] and (told == decided or same_day)


def _add(
    changes: _Changes,
    row: dict[str, Any],
    fresh: list[dict[str, Any]],
    moves: bool,
    at: datetime,
    by: str,
) -> None:
    """`fresh` in their order; the clue moves by the last of them, or by none."""
    newest = fresh[-1]
    for word in fresh:
        event = event_row(
            row,
            word["status"],
            at=at,
            by=by,
            role="case_system",
            decided_at=word["happened_at"],
            reported_at=word["known_at"],
            source="outcome",
            record=word["row_digest"],
        )
        if word is not newest or not moves:
            event |= {"version": None, "from_state": None}
        changes.events.append(event)
    if moves:
        changes.states.append(
            {
                "clue": row["clue_id"],
                "state": newest["status"],
                "open": newest["status"] in OPEN,
                "version": row["version"] + 1,
                "since": newest["known_at"],
            }
        )


def _told(word: dict[str, Any]) -> tuple[datetime, datetime]:
    return word["known_at"], word["happened_at"]


def _said(event: dict[str, Any]) -> tuple[datetime, datetime]:
    return event["reported_at"], event["decided_at"]


def _write(connection: sa.Connection, changes: _Changes) -> None:
    if changes.events:
        connection.execute(sa.insert(clue_events), changes.events)
    if changes.states:
        names = ("state", "open", "version", "since")
        connection.execute(
            sa.update(clue_states)
            .where(clue_states.c.clue_id == sa.bindparam("clue"))
            .values({name: sa.bindparam(name) for name in names}),
            changes.states,
        )
    if changes.admitted:
        connection.execute(
            sa.update(clue_events)
            .where(clue_events.c.event_id == sa.bindparam("event"))
            .values(record=sa.bindparam("digest"), to_admit=False),
            changes.admitted,
        )


def waiting_endings(connection: sa.Connection, limit: int = 1_000) -> list[dict[str, Any]]:
    """Persons' endings that are still to be admitted as records, the oldest first."""
    query = sa.select(clue_events).where(clue_events.c.to_admit.is_(True))
    found = connection.execute(query.order_by(clue_events.c.event_id).limit(limit)).mappings()
    return [dict(row) for row in found]


def give_up(connection: sa.Connection, event_ids: Iterable[int]) -> None:
    """Endings whose contract knows no such status: told in the quarantine, not tried again."""
    for chunk in chunks(event_ids):
        connection.execute(
            sa.update(clue_events).where(clue_events.c.event_id.in_(chunk)).values(to_admit=False)
        )
