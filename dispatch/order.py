"""Orders: a clue given to an office to verify, with its deadlines and how it was chosen.

An order is kept with the clue's move to `dispatched`, in one transaction. A clue has one order, its
first: that is what the chance it was drawn with belongs to. One that was returned and is dispatched
again keeps it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from base.errors import Conflict
from base.moment import Clock
from dispatch.life_cycle import Deadlines
from dispatch.ranking import Ranked
from dispatch.standing import insert_new
from dispatch.transition import move_in
from scoring.ledger import orders

DISPATCHER = "dispatcher"


def order_row(each: Ranked, deadlines: Deadlines, *, by: str, at: datetime) -> dict[str, Any]:
    """The row of `orders` for a ranked clue."""
    return {
        "clue_id": each.clue_id,
        "office_id": each.office_id,
        "ordered_at": at,
        "ordered_by": by,
        **deadlines.of(at),
        "exploration": each.exploration,
        "drawing_probability": each.drawing_probability,
        "seed": each.seed,
        "floor": each.floor,
    }


def give_orders(
    ledger: sa.Engine, chosen: Sequence[Ranked], *, by: str, clock: Clock
) -> list[dict[str, Any]]:
    """Order clues that do not stand in the ledger's life cycle, in one transaction.

    For those that do, `dispatch_in` moves them too. Raises Conflict if one was ordered before.
    """
    now = clock.now()
    rows = [order_row(each, Deadlines(), by=by, at=now) for each in chosen]
    if rows:
        try:
            with ledger.begin() as connection:
                connection.execute(sa.insert(orders), rows)
        except sa.exc.IntegrityError:
            raise Conflict(
                wanted="clues that no office has been ordered to verify",
                got="at least one that has an order",
                cure="look at the queue again; nothing was ordered",
            ) from None
    return rows


def dispatch_in(
    connection: sa.Connection,
    each: Ranked,
    standing: Mapping[str, Any],
    *,
    by: str,
    offices: Collection[str] | None,
    at: datetime,
    deadlines: Deadlines,
) -> dict[str, Any]:
    """Triage and dispatch one clue to the office of its place, and keep its order, in the caller's
    transaction. `standing`: the clue's row as the caller saw it.

    Raises Conflict where the clue moved since, NotFound where it is not of `offices`.
    """
    expects, to = standing["version"], each.office_id
    if standing["state"] != "triaged":
        expects = move_in(
            connection,
            each.clue_id,
            "triaged",
            by=by,
            role=DISPATCHER,
            offices=offices,
            expects=expects,
            at=at,
        )["version"]
    moved = move_in(
        connection,
        each.clue_id,
        "dispatched",
        by=by,
        role=DISPATCHER,
        offices=offices,
        expects=expects,
        at=at,
        facts={"office_id": to} if to and to != standing["office_id"] else {},
        deadlines=deadlines,
    )
    row = order_row(each, deadlines, by=by, at=at)
    connection.execute(insert_new(connection, orders), [row])
    return moved


def ordered_clues(ledger: sa.Engine) -> dict[str, dict[str, Any]]:
    """clue_id -> its order."""
    with ledger.connect() as connection:
        found = connection.execute(sa.select(orders)).mappings()
        return {row["clue_id"]: dict(row) for row in found}
