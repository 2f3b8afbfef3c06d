"""GET /v1/clues/{id}/history: every change a clue saw, and every score it stood with."""

from __future__ import annotations

from collections.abc import Mapping
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
        course = course_of(connection, who, row)
        return {**course, **_beside(connection, who, clue_id)}


def course_of(connection: sa.Connection, who: Principal, row: Mapping[str, Any]) -> dict[str, Any]:
    """Where a clue stands, what `who` may do next, how it came there, and its parts or what it is
    a part of, those of the reader's offices alone (P-10); `row` is that of clue_states."""
    clue_id, whole = row["clue_id"], row["split_from"]
    events = [
        {name: _plain(value) for name, value in event.items() if name not in HIDDEN}
        for event in events_of(connection, clue_id)
    ]
    parts: list[str] = []
    for event in events:
        if "parts" in event["facts"]:
            parts = _others(connection, who, clue_states.c.split_from == clue_id)
            event["facts"] = {**event["facts"], "parts": ", ".join(parts)}
    wholes = _others(connection, who, clue_states.c.clue_id == whole) if whole else []
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
        "events": events,
        "parts": parts,
        "split_from": wholes[0] if wholes else None,
    }


def _beside(connection: sa.Connection, who: Principal, clue_id: str) -> dict[str, Any]:
    """Clues of the reader's offices that joined this one, and the scores it stood with, the newest
    first."""
    # No number of the ledger's: it would tell how much others had scored meanwhile (P-10).
    names = ("moment", "scorer", "probability", "margin", "given_at")
    scores = (
        sa.select(*(scores_given.c[name] for name in names))
        .where(scores_given.c.clue_id == clue_id, scores_given.c.purpose == "work")
        .order_by(scores_given.c.score_id.desc())
        .limit(SCORES_TOLD)
    )
    rows = [dict(row) for row in connection.execute(scores).mappings()]
    return {
        "joined_by": _others(connection, who, clue_states.c.merged_into == clue_id),
        "scores": [{name: _plain(value) for name, value in row.items()} for row in rows],
    }


def _others(connection: sa.Connection, who: Principal, linked: sa.ColumnElement[bool]) -> list[str]:
    found = sa.select(clue_states.c.clue_id, clue_states.c.office_id).where(linked)
    rows = connection.execute(found.order_by(clue_states.c.clue_id)).all()
    return [other for other, office in rows if who.sees(office)]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
