"""Orders: a clue given to an office to verify, with its deadlines and how it was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from base.errors import Conflict
from base.moment import Clock
from dispatch.deadlines import accept_until, verify_until
from dispatch.ranking import Ranked
from scoring.ledger import orders


def give_orders(
    ledger: sa.Engine, chosen: Sequence[Ranked], *, by: str, clock: Clock
) -> list[dict[str, Any]]:
    """Order the chosen clues in one transaction. Raises Conflict if one was ordered before."""
    now = clock.now()
    rows = [
        {
            "clue_id": each.clue_id,
            "office_id": each.office_id,
            "ordered_at": now,
            "ordered_by": by,
            "accept_until": accept_until(now),
            "verify_until": verify_until(now),
            "exploration": each.exploration,
            "drawing_probability": each.drawing_probability,
        }
        for each in chosen
    ]
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


def ordered_clues(ledger: sa.Engine) -> dict[str, dict[str, Any]]:
    """clue_id -> its order."""
    with ledger.connect() as connection:
        found = connection.execute(sa.select(orders)).mappings()
        return {row["clue_id"]: dict(row) for row in found}
