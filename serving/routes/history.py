"""GET /v1/clues/{id}/history: every change a clue saw, and every score it stood with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request

from base.errors import NotFound
from dispatch.life_cycle import next_states
from dispatch.standing import history, state_of
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
    stands = state_of(service.ledger, clue_id)
    if not who.sees(stands["office_id"]):
        raise NotFound(wanted="a clue of your offices", got="none", cure="check the clue's id")
    beside = _beside(service, who, clue_id, stands)
    events = [
        {name: _plain(value) for name, value in event.items() if name not in HIDDEN}
        for event in history(service.ledger, clue_id)
    ]
    for event in events:
        if "parts" in event["facts"]:
            event["facts"] = {**event["facts"], "parts": ", ".join(beside["parts"])}
    return {
        **told(stands),
        "next": [
            {
                "to": move.to,
                "needs_reason": move.reason,
                "facts": move.facts,
                "required": sorted(move.needs or {}),
            }
            for move in next_states(stands["state"], who.role)
        ],
        "events": events,
        **beside,
    }


def _beside(
    service: Service, who: Principal, clue_id: str, stands: Mapping[str, Any]
) -> dict[str, Any]:
    """Clues that joined this one, are parts of it or what it was split from, those of the reader's
    offices alone (P-10); and the scores it stood with, the newest first."""
    # No number of the ledger's: it would tell how much others had scored meanwhile (P-10).
    names = ("moment", "scorer", "probability", "margin", "given_at")
    scores = (
        sa.select(*(scores_given.c[name] for name in names))
        .where(scores_given.c.clue_id == clue_id, scores_given.c.purpose == "work")
        .order_by(scores_given.c.score_id.desc())
        .limit(SCORES_TOLD)
    )
    with service.ledger.connect() as connection:
        rows = [dict(row) for row in connection.execute(scores).mappings()]
        joined = _others(connection, who, clue_states.c.merged_into == clue_id)
        parts = _others(connection, who, clue_states.c.split_from == clue_id)
        whole = _others(connection, who, clue_states.c.clue_id == stands["split_from"])
    return {
        "joined_by": joined,
        "parts": parts,
        "split_from": whole[0] if whole else None,
        "scores": [{name: _plain(value) for name, value in row.items()} for row in rows],
    }


def _others(connection: sa.Connection, who: Principal, linked: sa.ColumnElement[bool]) -> list[str]:
    found = sa.select(clue_states.c.clue_id, clue_states.c.office_id).where(linked)
    rows = connection.execute(found.order_by(clue_states.c.clue_id)).all()
    return [other for other, office in rows if who.sees(office)]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
