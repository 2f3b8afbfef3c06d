"""Moving a clue: looked at, checked against the life cycle, changed and told in one transaction.

Of many who try at once on one clue, one wins; the others are told where it stands now (P-3).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from base.errors import Conflict, NotAllowed, NotFound, Refused, nearest
from base.moment import Clock
from dispatch.exchange import outbox
from dispatch.life_cycle import (
    OPEN,
    STATES,
    TRANSITIONS,
    WORDS,
    Deadlines,
    Transition,
    check_facts,
)
from dispatch.standing import event_row, standing
from scoring.idempotency import Asked, once
from scoring.ledger.chain import Entry, append
from scoring.ledger.events import digest_of_event
from scoring.ledger.opening import writing
from scoring.ledger.tables import clue_events, clue_states

Also = Callable[[sa.Connection, Mapping[str, Any]], None]


def move(
    ledger: sa.Engine,
    clue_id: str,
    to: str,
    *,
    by: str,
    role: str,
    offices: Collection[str] | None,
    expects: str | int | None,
    clock: Clock,
    reason: str = "",
    facts: Mapping[str, Any] | None = None,
    deadlines: Deadlines | None = None,
    idempotency_key: str | None = None,
    also: Also | None = None,
) -> dict[str, Any]:
    """Move a clue to the state `to`; returns where it stands then.

    `expects`: the state (a name) or version (a number) that the caller looked at; None: whatever
    it is. `offices`: those the caller covers (None: all); a clue of another one is not found.
    `also` writes more in the same transaction, such as an order. With `idempotency_key` the same
    call again by the same caller changes nothing and returns the same.

    Raises Conflict (values `state`, `version`: where the clue stands) if it moved on or cannot go
    there from where it is, NotAllowed for a role that may not make this move, Refused for a
    missing reason or fact, NotFound.
    """

    def work(connection: sa.Connection) -> dict[str, Any]:
        return move_in(
            connection,
            clue_id,
            to,
            by=by,
            role=role,
            offices=offices,
            expects=expects,
            at=clock.now(),
            reason=reason,
            facts=facts,
            deadlines=deadlines,
            also=also,
        )

    if idempotency_key is None:
        with writing(ledger) as connection:
            return work(connection)
    request = [clue_id, to, expects, reason, dict(facts or {})]
    return once(ledger, Asked.of(by, idempotency_key, request), clock, work).body


def move_in(
    connection: sa.Connection,
    clue_id: str,
    to: str,
    *,
    by: str,
    role: str,
    offices: Collection[str] | None,
    expects: str | int | None,
    at: datetime,
    reason: str = "",
    facts: Mapping[str, Any] | None = None,
    deadlines: Deadlines | None = None,
    also: Also | None = None,
) -> dict[str, Any]:
    """The same in the caller's transaction (one of `scoring.ledger.writing`)."""
    given = dict(facts or {})
    row = looked_at(connection, clue_id, to, given, offices)
    transition = _allowed(row, to, role, expects)
    kept = check_facts(transition, reason, given, raised_at=row["raised_at"], at=at)
    event = event_row(row, to, at=at, by=by, role=role, reason=reason.strip(), facts=kept)
    event["to_admit"] = to in WORDS
    changed = {**row, **_standing_after(row, to, at, kept, deadlines or Deadlines())}
    _keep(connection, row, changed, event)
    if also is not None:
        also(connection, changed)
    _tell(connection, event)
    outbox.post(connection, [outbox.moved(event, changed)])
    return told(changed)


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Where a clue stands, in plain values."""
    names = ("since", "dispatched_at", "accept_until", "verify_until")
    times = {name: row[name].isoformat() if row[name] else None for name in names}
    plain = ("clue_id", "state", "version", "open", "office_id", "merged_into", "split_from")
    return {**{name: row[name] for name in plain}, **times}


def looked_at(
    connection: sa.Connection,
    clue_id: str,
    to: str,
    facts: Mapping[str, Any],
    offices: Collection[str] | None,
) -> dict[str, Any]:
    """The clue's row, held; with the clue it is to join, if any, always in one order.

    Raises NotFound for a clue of another office as for none (P-10), Refused.
    """
    if to not in STATES:
        states = f"a state: one of {', '.join(STATES)}"
        raise Refused(wanted=states, got="another word", cure=nearest(to, STATES), where="to")
    joined = facts.get("into") if to == "merged" else None
    wanted = [clue_id, joined] if isinstance(joined, str) else [clue_id]
    rows = standing(connection, wanted, lock=True)
    seen = {
        each: row for each, row in rows.items() if offices is None or row["office_id"] in offices
    }
    if clue_id not in seen:
        raise NotFound(wanted="a clue of your offices", got="none", cure="check the clue's id")
    if isinstance(joined, str):
        other = seen.get(joined)
        if other is None or joined == clue_id or other["state"] not in OPEN:
            raise Refused(
                wanted="another open clue of your offices to join",
                got="none, or one that is closed",
                cure="check into",
                where="into",
            )
    office = facts.get("office_id")
    if office is not None and offices is not None and office not in offices:
        raise Refused(
            wanted="an office of yours",
            got="another",
            cure="leave office_id out",
            where="office_id",
        )
    return seen[clue_id]


def _allowed(row: Mapping[str, Any], to: str, role: str, expects: str | int | None) -> Transition:
    now = {"state": row["state"], "version": row["version"]}
    looked = row["version"] if isinstance(expects, int) else row["state"]
    if expects is not None and expects != looked:
        raise Conflict(
            wanted="a clue that stands where you saw it",
            got=f"one that is {row['state']}, version {row['version']}",
            cure="look at it again",
            **now,
        )
    transition = TRANSITIONS.get((row["state"], to))  # type: ignore[arg-type]
    if transition is None:
        ways = sorted(target for source, target in TRANSITIONS if source == row["state"])
        raise Conflict(
            wanted=f"a move that a clue can make when it is {row['state']}",
            got=to,
            cure=f"it can become {', '.join(ways)}" if ways else "nothing: it has ended",
            **now,
        )
    if role not in transition.roles:
        raise NotAllowed(
            wanted=f"the role {' or '.join(sorted(transition.roles))}",
            got=role,
            cure="ask somebody with that role",
        )
    return transition


def _standing_after(
    row: Mapping[str, Any], to: str, at: datetime, facts: Mapping[str, Any], deadlines: Deadlines
) -> dict[str, Any]:
    """What changes in a clue's row. Deadlines count from the last dispatch."""
    changed: dict[str, Any] = {
        "state": to,
        "open": to in OPEN,
        "version": row["version"] + 1,
        "since": at,
    }
    if to == "dispatched":
        changed |= {"dispatched_at": at, **deadlines.of(at)}
        changed["office_id"] = facts.get("office_id", row["office_id"])
    elif to in ("returned", "triaged"):
        changed |= dict.fromkeys(("dispatched_at", "accept_until", "verify_until"))
    if to == "merged":
        changed["merged_into"] = facts["into"]
    elif row["state"] == "merged":
        changed["merged_into"] = None
    return changed


def _keep(
    connection: sa.Connection,
    row: Mapping[str, Any],
    changed: Mapping[str, Any],
    event: Mapping[str, Any],
) -> None:
    """The row is changed only if nobody changed it since: on every database, one winner."""
    values = {name: changed[name] for name in changed if changed[name] != row[name]}
    won = connection.execute(
        sa.update(clue_states)
        .where(clue_states.c.clue_id == row["clue_id"], clue_states.c.version == row["version"])
        .values(values)
    ).rowcount
    if won != 1:
        raise Conflict(
            wanted="a clue that stands where you saw it",
            got="one that moved meanwhile",
            cure="look at it again",
        )
    connection.execute(sa.insert(clue_events), [dict(event)])


def _tell(connection: sa.Connection, event: Mapping[str, Any]) -> None:
    names = ("from_state", "to_state", "version", "role", "office_id")
    body = {name: event[name] for name in names} | {"event": digest_of_event(event)}
    append(
        connection,
        [Entry("transition", event["by"], event["clue_id"], body, event["kept_at"])],
    )
