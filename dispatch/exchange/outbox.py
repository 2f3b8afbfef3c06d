"""The outbox: what other systems are to be told, written in the transaction of what it tells.

    a move, a watch -> post (same transaction) -> delivery.py -> the other system

A message is there if and only if what it tells was kept. Each destination has rows of its own, in
the order in which things happened to a clue. Rows hold ids, states and times; no reason, no name.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from base.errors import NotFound
from base.moment import Clock
from scoring.ledger import exchange_destinations, outbox, writing
from scoring.ledger.chain import Entry, append

WAITING, DELIVERED, DEAD, SKIPPED = "waiting", "delivered", "dead", "skipped"
# What holds back later messages about the same clue.
UNSETTLED = (WAITING, DEAD)
ALL = "all"
# Of what is told, the wall times.
TIMES = ("since", "dispatched_at", "accept_until", "verify_until", "about")


@dataclass(frozen=True)
class Message:
    """Something that happened to a clue; `data` holds plain values."""

    kind: str
    clue_id: str
    at: datetime
    data: Mapping[str, Any]


def post(connection: sa.Connection, messages: Sequence[Message]) -> int:
    """Queue messages for every destination that wants their kind, in the caller's transaction."""
    wanted = subscribed(connection)
    rows = [
        _row(message, name)
        for message in messages
        for name, kinds in wanted.items()
        if message.kind in kinds
    ]
    if rows:
        connection.execute(sa.insert(outbox), rows)
    return len(rows)


def post_to(connection: sa.Connection, destination: str, messages: Iterable[Message]) -> int:
    """Queue messages for one destination, whatever kinds it wants."""
    rows = [_row(message, destination) for message in messages]
    if rows:
        connection.execute(sa.insert(outbox), rows)
    return len(rows)


def _row(message: Message, destination: str) -> dict[str, Any]:
    return {
        "message_id": uuid.uuid4().hex,
        "destination": destination,
        "clue_id": message.clue_id,
        "kind": message.kind,
        "data": dict(message.data),
        "made_at": message.at,
        "state": WAITING,
        "attempts": 0,
        "next_at": message.at,
        "said": "",
    }


def moved(event: Mapping[str, Any], row: Mapping[str, Any]) -> Message:
    """A clue's move, by its event and the row of clue_states that it left."""
    return Message(f"clue.{event['to_state']}", event["clue_id"], event["kept_at"], told_state(row))


def told_state(row: Mapping[str, Any]) -> dict[str, Any]:
    """Where a clue stands, as other systems are told; `row`: of clue_states."""
    plain = ("state", "version", "office_id", "supervision_model", "merged_into", "split_from")
    moments = {name: row[name].isoformat() if row[name] else None for name in TIMES if name in row}
    return {**{name: row[name] for name in plain}, **moments}


def subscribed(connection: sa.Connection) -> dict[str, frozenset[str]]:
    """Destination -> the kinds of messages it wants, of those in force."""
    query = sa.select(exchange_destinations).where(exchange_destinations.c.ended_at.is_(None))
    return {row["name"]: frozenset(row["kinds"]) for row in connection.execute(query).mappings()}


def subscribe(ledger: sa.Engine, wanted: Mapping[str, Sequence[str]], clock: Clock) -> None:
    """Let these destinations be told from now on, and no others. Nothing of before is sent."""
    d = exchange_destinations
    with writing(ledger) as connection:
        found = connection.execute(sa.select(d.c.name, d.c.ended_at)).all()
        known = {row.name: row.ended_at for row in found}
        for name, kinds in wanted.items():
            values: dict[str, Any] = {"kinds": sorted(kinds), "ended_at": None}
            if name not in known:
                connection.execute(sa.insert(d).values(name=name, since=clock.now(), **values))
            else:
                if known[name] is not None:
                    values["since"] = clock.now()
                connection.execute(sa.update(d).where(d.c.name == name).values(values))
        connection.execute(
            sa.update(d)
            .where(d.c.name.not_in(sorted(wanted)), d.c.ended_at.is_(None))
            .values(ended_at=clock.now())
        )


def due(
    connection: sa.Connection, destination: str, now: datetime, limit: int
) -> list[dict[str, Any]]:
    """Messages to be sent now, the oldest first: of each clue the first that is not settled."""
    earlier = outbox.alias("earlier")
    held = sa.exists().where(
        earlier.c.destination == outbox.c.destination,
        earlier.c.clue_id == outbox.c.clue_id,
        earlier.c.message_no < outbox.c.message_no,
        earlier.c.state.in_(UNSETTLED),
    )
    query = sa.select(outbox).where(
        outbox.c.destination == destination,
        outbox.c.state == WAITING,
        outbox.c.next_at <= now,
        ~held,
    )
    found = connection.execute(query.order_by(outbox.c.message_no).limit(limit)).mappings()
    return [dict(row) for row in found]


def settle(ledger: sa.Engine, message_no: int, **values: Any) -> None:
    """Note how an attempt ended; a message that was settled meanwhile stays as it is."""
    with writing(ledger) as connection:
        connection.execute(
            sa.update(outbox)
            .where(outbox.c.message_no == message_no, outbox.c.state == WAITING)
            .values(**values)
        )


def send_again(ledger: sa.Engine, message_id: str, clock: Clock) -> int:
    """Dead messages wait again, at once: one by its id, or `all`; returns how many.

    Raises NotFound where no message of that id is dead.
    """
    with writing(ledger) as connection:
        changed = connection.execute(
            sa.update(outbox)
            .where(*_dead(message_id))
            .values(state=WAITING, next_at=clock.now(), first_tried_at=None, settled_at=None)
        ).rowcount
    if not changed and message_id != ALL:
        raise _no_such()
    return changed


def skip(ledger: sa.Engine, message_id: str, *, by: str, clock: Clock) -> int:
    """Never send a dead message: those behind it go on. Told in the audit. Raises NotFound."""
    now = clock.now()
    with writing(ledger) as connection:
        query = sa.select(outbox.c.message_no, outbox.c.message_id, outbox.c.clue_id)
        rows = connection.execute(query.where(*_dead(message_id))).all()
        if not rows:
            raise _no_such()
        connection.execute(
            sa.update(outbox)
            .where(outbox.c.message_no.in_([row.message_no for row in rows]))
            .values(state=SKIPPED, settled_at=now)
        )
        append(
            connection,
            [Entry("exchange", by, row.clue_id, {"skipped": row.message_id}, now) for row in rows],
        )
    return len(rows)


def _dead(message_id: str) -> list[sa.ColumnElement[bool]]:
    named = [] if message_id == ALL else [outbox.c.message_id == message_id]
    return [outbox.c.state == DEAD, *named]


def _no_such() -> NotFound:
    return NotFound(
        wanted="the id of a dead message", got="another", cure="look at: clues outbox --dead"
    )


def counts(ledger: sa.Engine, now: datetime) -> dict[str, Any]:
    """Per destination: how many of each state, and how long the oldest that waits has waited."""
    grouped = sa.select(
        outbox.c.destination, outbox.c.state, sa.func.count(), sa.func.min(outbox.c.made_at)
    ).group_by(outbox.c.destination, outbox.c.state)
    told: dict[str, Any] = {}
    with ledger.connect() as connection:
        names = list(subscribed(connection))
        rows = connection.execute(grouped).all()
    for name in sorted({*names, *(row[0] for row in rows)}):
        own = {state: count for destination, state, count, _ in rows if destination == name}
        oldest = [made for destination, state, _, made in rows
                  if destination == name and state == WAITING]  # fmt: skip
        told[name] = {
            **{state: own.get(state, 0) for state in (WAITING, DELIVERED, DEAD, SKIPPED)},
            "oldest_waits_seconds": round((now - oldest[0]).total_seconds()) if oldest else None,
        }
    return told


def listed(ledger: sa.Engine, states: Sequence[str], limit: int = 1_000) -> list[dict[str, Any]]:
    """Messages in some states, the oldest first, without what they say."""
    names = ("message_id", "destination", "clue_id", "kind", "state", "attempts", "said")
    times = ("made_at", "first_tried_at", "next_at")
    query = sa.select(*(outbox.c[name] for name in (*names, *times)))
    query = query.where(outbox.c.state.in_(states)).order_by(outbox.c.message_no).limit(limit)
    with ledger.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return [
        {**row, **{name: row[name].isoformat() if row[name] else None for name in times}}
        for row in rows
    ]


def forget_delivered(ledger: sa.Engine, before: datetime) -> int:
    """Remove messages that were delivered before a moment; returns how many."""
    with writing(ledger) as connection:
        return connection.execute(
            sa.delete(outbox).where(outbox.c.state == DELIVERED, outbox.c.settled_at < before)
        ).rowcount
