"""Oversight over HTTP: what is overdue, who looks on, supervision begun and ended."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, Field

from base.errors import NotFound
from dispatch.oversight import (
    end_supervision_in,
    escalate_in,
    overdue,
    supervise_in,
    watched,
)
from serving.messages import STRICT, Text, parse_message
from serving.once_only import Work
from serving.orders import Reason, quoting_nothing, require_own
from serving.principal import Principal
from serving.queue import visible_clue, visible_offices
from serving.service import Service


class EscalationRequest(BaseModel):
    """`POST /v1/escalations`: of clues of this office and those below it."""

    model_config = STRICT

    office: Text


class SupervisionRequest(BaseModel):
    """`POST /v1/clues/{id}/supervision`: `office_id` begins, or ends, to look on. A reason is
    wanted to begin."""

    model_config = STRICT

    office_id: Text
    step: Literal["begin", "end"] = "begin"
    reason: Reason = ""


class WatchMessage(BaseModel):
    """An office that looks on. `about`: the deadline that was missed (`reason`: which one), or when
    the supervision began."""

    clue_id: str
    kind: Literal["supervised", "escalated"]
    office_id: str
    since: str
    about: str
    reason: str
    state: Annotated[str, Field(description="Where the clue stands.")]
    handled_by: str | None


def overdue_told(service: Service, who: Principal, office: str | None, limit: int) -> list[Any]:
    """Clues past their deadline, the latest first."""
    seen = visible_offices(service, who, office)
    found = overdue(service.ledger, seen, service.clock.now(), limit)
    return [each.as_json() for each in found]


def watches_told(
    service: Service, who: Principal, office: str | None, limit: int
) -> list[dict[str, Any]]:
    """Who looks on at clues that stand at these offices: an office above may, and is named."""
    seen = visible_offices(service, who, office)
    rows = watched(service.ledger, None, seen, limit)
    return [{name: row[name] for name in WatchMessage.model_fields} for row in rows]


def prepare_escalation(service: Service, who: Principal, body: bytes) -> Work:
    """Bringing overdue clues before the offices above."""
    asked = parse_message(EscalationRequest, body)
    only = visible_offices(service, who, asked.office)

    def work(connection: sa.Connection) -> dict[str, Any]:
        now = service.clock.now()
        told = escalate_in(connection, service.offices, only, now, by=who.key_id)
        return {"escalated": told}

    return work


def prepare_supervision(service: Service, who: Principal, clue_id: str, body: bytes) -> Work:
    """Beginning, or ending, to supervise how a clue is handled."""
    asked = parse_message(SupervisionRequest, body)
    require_own(service, who, asked.office_id)
    if visible_clue(service, who, clue_id) is None:
        raise NotFound(wanted="an open clue of your offices", got="none", cure="check its id")

    def work(connection: sa.Connection) -> dict[str, Any]:
        now = service.clock.now()
        if asked.step == "end":
            ended = end_supervision_in(
                connection, clue_id, office_id=asked.office_id, now=now, by=who.key_id
            )
            return {"clue_id": clue_id, "office_id": asked.office_id, "ended": ended}
        kept = supervise_in(
            connection,
            service.offices,
            clue_id,
            office_id=asked.office_id,
            by=who.key_id,
            role=who.role,
            own=who.offices,
            now=now,
            reason=asked.reason,
        )
        return {name: kept[name] for name in ("clue_id", "office_id", "kind", "since", "reason")}

    return quoting_nothing(work)
