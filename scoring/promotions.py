"""Proposals to change the champion, in the ledger: one person proposes, another approves.

The command line asks for both names at once (training/promote.py); over HTTP they come one after
the other, and what was proposed waits here. At most one proposal of a scorer is open.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from base.errors import Conflict, NotAllowed
from scoring.ledger import metadata, writing
from scoring.ledger.chain import Entry, append

Change = Literal["promoted", "rolled_back"]
promotions = sa.Table(
    "promotions",
    metadata,
    sa.Column("promotion_id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("scorer", sa.String(64), nullable=False, index=True),
    # The scorer while the proposal is open, else NULL: so there is one open at most.
    sa.Column("open_for", sa.String(64), unique=True),
    # promoted, or rolled_back: the champion before put in use again.
    sa.Column("change", sa.String(16), nullable=False, server_default="promoted"),
    # The champion it was weighed beside.
    sa.Column("champion", sa.String(64)),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("proposed_by", sa.String(200), nullable=False),
    sa.Column("proposed_at", sa.DateTime, nullable=False),
    sa.Column("why", sa.Text),
    sa.Column("failed", sa.JSON, nullable=False),
    sa.Column("decided_by", sa.String(200)),
    sa.Column("decided_at", sa.DateTime),
)


def propose(
    ledger: sa.Engine,
    scorer: str,
    *,
    champion: str | None,
    by: str,
    key_id: str,
    why: str | None,
    failed: list[str],
    at: datetime,
    change: Change = "promoted",
) -> dict[str, Any]:
    """Open a proposal, or tell the one the same person opened. Raises Conflict for another's."""
    row = {
        "scorer": scorer,
        "open_for": scorer,
        "change": change,
        "champion": champion,
        "state": "open",
        "proposed_by": by,
        "proposed_at": at,
        "why": why,
        "failed": failed,
    }
    try:
        with writing(ledger) as connection:
            connection.execute(sa.insert(promotions), row)
            append(connection, [_entry(scorer, "open", champion, key_id, at)])
    except IntegrityError:
        there = open_proposal(ledger, scorer)
        if (there["proposed_by"], there["change"]) == (by, change):
            return there
        raise Conflict(
            wanted="a scorer that nobody has proposed yet",
            got="one that waits for approval",
            cure='approve it: {"step": "approve"}',
        ) from None
    return open_proposal(ledger, scorer)


def decide(
    ledger: sa.Engine,
    scorer: str,
    state: str,
    *,
    by: str,
    key_id: str,
    at: datetime,
    apply: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Close the open proposal as `state`, once, and `apply` it before it counts as closed.

    Of several who decide at once one wins; the others get Conflict. Where `apply` raises, the
    proposal stays open.
    """
    proposal = open_proposal(ledger, scorer)
    change = (
        sa.update(promotions)
        .where(promotions.c.promotion_id == proposal["promotion_id"])
        .where(promotions.c.state == "open")
        .values(state=state, open_for=None, decided_by=by, decided_at=at)
    )
    with writing(ledger) as connection:
        if connection.execute(change).rowcount != 1:
            raise _none_open()
        append(connection, [_entry(scorer, state, proposal["champion"], key_id, at)])
        apply(proposal)
    return proposals_of(ledger, scorer)[0]


def require_another(proposal: dict[str, Any], person: str) -> None:
    """Raises NotAllowed where the one who proposed would approve."""
    if proposal["proposed_by"].strip().casefold() == person.strip().casefold():
        raise NotAllowed(
            wanted="a second person's approval",
            got="the one who proposed",
            cure="let another data scientist approve",
        )


def open_proposal(ledger: sa.Engine, scorer: str) -> dict[str, Any]:
    """The proposal that waits. Raises Conflict where none does."""
    found = [each for each in proposals_of(ledger, scorer) if each["state"] == "open"]
    if not found:
        raise _none_open()
    return found[0]


def open_proposals(ledger: sa.Engine) -> list[dict[str, Any]]:
    """Every proposal that waits, the oldest first."""
    query = sa.select(promotions).where(promotions.c.open_for.is_not(None))
    with ledger.connect() as connection:
        found = connection.execute(query.order_by(promotions.c.promotion_id)).mappings()
        return [dict(row) for row in found]


def proposals_of(ledger: sa.Engine, scorer: str) -> list[dict[str, Any]]:
    """Every proposal of a scorer, the newest first."""
    query = (
        sa.select(promotions)
        .where(promotions.c.scorer == scorer)
        .order_by(promotions.c.promotion_id.desc())
    )
    with ledger.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def _entry(scorer: str, state: str, champion: str | None, key_id: str, at: datetime) -> Entry:
    """Ids only: the names of persons stand in the proposal, which can be taken away."""
    return Entry("promotion", key_id, scorer, {"state": state, "champion": champion}, at)


def _none_open() -> Conflict:
    return Conflict(
        wanted="a proposal that waits", got="none", cure='propose it first: {"step": "propose"}'
    )
