"""Oversight: what is overdue, who must look on, and handling supervised from above (督办).

An overdue clue comes to the office above; a week later, still overdue, to the one above that. Who
is told is kept once per missed deadline, however often the list is gone through.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from base.errors import Conflict, NotAllowed, NotFound, Refused
from base.moment import Clock
from dispatch.exchange.outbox import Message, post
from dispatch.offices import Offices
from dispatch.standing import insert_new, standing
from scoring.ledger import clue_states, watches, writing
from scoring.ledger.chain import Entry, append

Deadline = Literal["accept", "verify"]
EVERY_DAYS = 7
TO_ACCEPT, TO_VERIFY = ("dispatched",), ("accepted", "verifying", "supplement")
ESCALATED, SUPERVISED, ENDED = "escalated", "supervised", "supervision_ended"
PLATFORM = "platform"


@dataclass(frozen=True)
class Overdue:
    """A clue past a deadline; `days` late, in whole days."""

    clue_id: str
    office_id: str | None
    state: str
    deadline: Deadline
    until: datetime
    days: int

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "until": self.until.isoformat()}


def overdue(
    ledger: sa.Engine, offices: Collection[str] | None, now: datetime, limit: int = 1_000
) -> list[Overdue]:
    """Clues of some offices (None: all) that missed their deadline, the latest first."""
    with ledger.connect() as connection:
        return overdue_in(connection, offices, now, limit)


def overdue_in(
    connection: sa.Connection, offices: Collection[str] | None, now: datetime, limit: int
) -> list[Overdue]:
    """The same in the caller's transaction."""
    c = clue_states.c
    found: list[Overdue] = []
    kinds: list[tuple[Deadline, Any, tuple[str, ...]]] = [
        ("accept", c.accept_until, TO_ACCEPT),
        ("verify", c.verify_until, TO_VERIFY),
    ]
    for deadline, until, states in kinds:
        query = sa.select(c.clue_id, c.office_id, c.state, until.label("until")).where(
            c.state.in_(states), until < now
        )
        if offices is not None:
            # Few clues are in hand and many wait: found by state, whatever the office.
            own = sa.func.coalesce(c.office_id, "")
            query = query.where(own.in_(sorted(offices)))
        found += [
            Overdue(**row, deadline=deadline, days=(now - row["until"]).days)
            for row in connection.execute(query.order_by(until, c.clue_id).limit(limit)).mappings()
        ]
    return sorted(found, key=lambda each: (each.until, each.clue_id))[:limit]


def escalate(ledger: sa.Engine, offices: Offices, clock: Clock, limit: int = 10_000) -> int:
    """Bring every overdue clue before the offices above; returns how many were told anew."""
    with writing(ledger) as connection:
        return escalate_in(connection, offices, None, clock.now(), limit=limit)


def escalate_in(
    connection: sa.Connection,
    offices: Offices,
    only: Collection[str] | None,
    now: datetime,
    *,
    by: str = PLATFORM,
    limit: int = 10_000,
) -> int:
    """The same for clues of some offices (None: all), in the caller's transaction."""
    told = 0
    rows = [
        _watch(each.clue_id, ESCALATED, above, now, each.until, by, each.deadline)
        for each in overdue_in(connection, only, now, limit)
        for above in offices_above(offices, each.office_id, 1 + each.days // EVERY_DAYS)
    ]
    for row in rows:
        keep = insert_new(connection, watches).values(row).returning(watches.c.watch_id)
        if connection.execute(keep).first() is not None:
            told += 1
            append(connection, [_entry(row)])
            post(connection, [_message(row)])
    return told


def offices_above(offices: Offices, office_id: str | None, steps: int) -> list[str]:
    """The nearest `steps` offices above one, as far as the tree reaches."""
    found: list[str] = []
    at = offices.by_id.get(office_id or "")
    while at is not None and at.parent is not None and len(found) < steps:
        found.append(at.parent)
        at = offices.by_id.get(at.parent)
    return found


def supervise(
    ledger: sa.Engine,
    offices: Offices,
    clue_id: str,
    *,
    office_id: str,
    by: str,
    role: str,
    own: Collection[str] | None,
    clock: Clock,
    reason: str,
) -> dict[str, Any]:
    """Let an office above supervise the handling of a clue. `own`: the offices that the caller
    covers (None: all); nobody supervises in the name of another.

    Raises NotAllowed for anybody but a dispatcher, NotFound for a clue outside the office's subtree
    (or none), Refused without a reason, for an office that is not the caller's or the one that
    handles it, Conflict where the office supervises it already.
    """
    with writing(ledger) as connection:
        return supervise_in(
            connection,
            offices,
            clue_id,
            office_id=office_id,
            by=by,
            role=role,
            own=own,
            now=clock.now(),
            reason=reason,
        )


def supervise_in(
    connection: sa.Connection,
    offices: Offices,
    clue_id: str,
    *,
    office_id: str,
    by: str,
    role: str,
    own: Collection[str] | None,
    now: datetime,
    reason: str,
) -> dict[str, Any]:
    """The same in the caller's transaction."""
    _require_centre(offices, office_id, role, own)
    if not reason.strip():
        raise Refused(wanted="a reason", got="none", cure="say why", where="reason")
    row = standing(connection, [clue_id], lock=True).get(clue_id)
    below = offices.subtree(office_id)
    if row is None or not row["open"] or row["office_id"] not in below:
        raise _no_clue()
    if row["office_id"] == office_id:
        raise Refused(
            wanted="an office above the one that handles it",
            got="that office itself",
            cure="let the office above supervise",
            where="office_id",
        )
    if _watching(connection, clue_id, SUPERVISED, office_id):
        raise Conflict(
            wanted="a clue that the office does not supervise",
            got="one that it does",
            cure="nothing to do",
        )
    kept = _watch(clue_id, SUPERVISED, office_id, now, now, by, reason.strip())
    connection.execute(sa.insert(watches), [kept])
    append(connection, [_entry(kept)])
    post(connection, [_message(kept)])
    return _told(kept)


def end_supervision(
    ledger: sa.Engine, clue_id: str, *, office_id: str, clock: Clock, by: str
) -> int:
    """End what an office supervises of a clue; returns how many watches ended."""
    with writing(ledger) as connection:
        return end_supervision_in(connection, clue_id, office_id=office_id, now=clock.now(), by=by)


def end_supervision_in(
    connection: sa.Connection, clue_id: str, *, office_id: str, now: datetime, by: str
) -> int:
    """The same in the caller's transaction."""
    ended = connection.execute(
        sa.update(watches)
        .where(watches.c.clue_id == clue_id, watches.c.office_id == office_id)
        .where(watches.c.kind == SUPERVISED, watches.c.ended_at.is_(None))
        .values(ended_at=now)
    ).rowcount
    if ended:
        body = {"kind": ENDED, "office_id": office_id}
        append(connection, [Entry("watch", by, clue_id, body, now)])
        row = {"clue_id": clue_id, "kind": ENDED, "office_id": office_id}
        post(connection, [_message({**row, "since": now, "about": now})])
    return ended


def _require_centre(
    offices: Offices, office_id: str, role: str, own: Collection[str] | None
) -> None:
    """A dispatcher who covers the office; a declared one of somebody else is as unknown as none."""
    if role != "dispatcher":
        raise NotAllowed(wanted="the role dispatcher", got=role, cure="ask the command centre")
    if office_id not in offices.by_id or (own is not None and office_id not in own):
        raise Refused(
            wanted="an office of yours",
            got="another",
            cure="name one that you cover",
            where="office_id",
        )


def _no_clue() -> NotFound:
    return NotFound(wanted="an open clue of your offices", got="none", cure="check the clue's id")


def watched(
    ledger: sa.Engine,
    offices: Collection[str] | None,
    handled_by: Collection[str] | None = None,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """What offices (None: all) look on at: open watches of open clues, the oldest first.

    `handled_by`: only clues that stand at one of these offices now (None: wherever).
    """
    query = (
        sa.select(watches, clue_states.c.state, clue_states.c.office_id.label("handled_by"))
        .join(clue_states, clue_states.c.clue_id == watches.c.clue_id)
        # From the few watches to their clues: no index of open ones, of which there are many.
        .where(watches.c.ended_at.is_(None), sa.func.coalesce(clue_states.c.open, False).is_(True))
        .order_by(watches.c.since, watches.c.watch_id)
    )
    if offices is not None:
        query = query.where(watches.c.office_id.in_(sorted(offices)))
    if handled_by is not None:
        query = query.where(clue_states.c.office_id.in_(sorted(handled_by)))
    if limit is not None:
        query = query.limit(limit)
    with ledger.connect() as connection:
        return [_told(dict(row)) for row in connection.execute(query).mappings()]


def _watching(connection: sa.Connection, clue_id: str, kind: str, office_id: str) -> bool:
    query = sa.select(watches.c.watch_id).where(
        watches.c.clue_id == clue_id,
        watches.c.kind == kind,
        watches.c.office_id == office_id,
        watches.c.ended_at.is_(None),
    )
    return connection.execute(query).first() is not None


def _watch(
    clue_id: str, kind: str, office_id: str, now: datetime, about: datetime, by: str, reason: str
) -> dict[str, Any]:
    return {
        "clue_id": clue_id,
        "kind": kind,
        "office_id": office_id,
        "since": now,
        "about": about,
        "by": by,
        "reason": reason,
        "ended_at": None,
    }


def _entry(row: dict[str, Any]) -> Entry:
    body = {"kind": row["kind"], "office_id": row["office_id"], "about": row["about"].isoformat()}
    return Entry("watch", row["by"], row["clue_id"], body, row["since"])


def _message(row: dict[str, Any]) -> Message:
    """For other systems: who looks on, not why."""
    data = {"watched_by": row["office_id"], "about": row["about"].isoformat()}
    return Message(f"clue.{row['kind']}", row["clue_id"], row["since"], data)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    times = {
        name: row[name].isoformat() if row.get(name) else None
        for name in ("since", "about", "ended_at")
    }
    return {**row, **times}
