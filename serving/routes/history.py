"""GET /v1/clues/{id}/history: every change a clue saw, and every score it stood with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request

from base.errors import NotFound
from dispatch.life_cycle import next_states
from dispatch.standing import events_of, stands
from dispatch.transition import told
from scoring.ledger.tables import clue_states, scores_given
from serving.access import principal_of, service_of
from serving.principal import Principal
from serving.service import Service

router = APIRouter()
HIDDEN = ("event_id", "clue_id", "record", "to_admit")
SCORES_TOLD = 100


@router.get("/v1/clues/{clue_id}/history")
def get_history(request: Request, clue_id: str) -> dict[str, Any]:
    """Where the clue stands, how it came there, what may be done next, and its scores for work."""
    return history_of(service_of(request), principal_of(request), clue_id)


def history_of(service: Service, who: Principal, clue_id: str) -> dict[str, Any]:
    """The same for a page. Raises NotFound for a clue of another office as for none (P-10)."""
    with service.ledger.connect() as connection:
        row = stands(connection, clue_id)
        if row is None or not who.sees(row["office_id"]):
            raise NotFound(wanted="a clue of your offices", got="none", cure="check the clue's id")
        events = events_of(connection, clue_id)
        return {**course_of(who, row, events), **_beside(connection, who, clue_id)}


def course_of(
    who: Principal, row: Mapping[str, Any], events: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """Where a clue stands, what `who` may do next, and how it came there; `row` is that of
    clue_states."""
    return {
        **told(row),
        "next": [
            {
                "to": move.to,
                "needs_reason": move.reason,
                "facts": move.facts,
                "required": sorted(move.needs or {}),
            }
            for move in next_states(row["state"], who.role)
        ],
        "events": [
            {name: _plain(value) for name, value in event.items() if name not in HIDDEN}
            for event in events
        ],
    }


def _beside(connection: sa.Connection, who: Principal, clue_id: str) -> dict[str, Any]:
    """Clues that joined this one, and the scores it stood with, the newest first."""
    # No number of the ledger's: it would tell how much others had scored meanwhile (P-10).
    names = ("moment", "scorer", "probability", "margin", "given_at")
    scores = (
        sa.select(*(scores_given.c[name] for name in names))
        .where(scores_given.c.clue_id == clue_id, scores_given.c.purpose == "work")
        .order_by(scores_given.c.score_id.desc())
        .limit(SCORES_TOLD)
    )
    joined = sa.select(clue_states.c.clue_id, clue_states.c.office_id).where(
        clue_states.c.merged_into == clue_id
    )
    rows = [dict(row) for row in connection.execute(scores).mappings()]
    others = connection.execute(joined.order_by(clue_states.c.clue_id)).all()
    return {
        "joined_by": [other for other, office in others if who.sees(office)],
        "scores": [{name: _plain(value) for name, value in row.items()} for row in rows],
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
