"""Oversight: GET /v1/overdue, POST /v1/escalations, GET /v1/watches, and
POST /v1/clues/{id}/supervision."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from serving.access import principal_of, service_of
from serving.once_only import answer_once, body_of
from serving.oversight import (
    EscalationRequest,
    SupervisionRequest,
    WatchMessage,
    overdue_told,
    prepare_escalation,
    prepare_supervision,
    watches_told,
)

router = APIRouter()
OfficeQuery = Annotated[str | None, Query(max_length=64)]
LimitQuery = Annotated[int, Query(ge=1, le=1000)]


class WatchesReply(BaseModel):
    """The oldest first."""

    watches: list[WatchMessage]


@router.get("/v1/overdue")
def get_overdue(
    request: Request, office: OfficeQuery = None, limit: LimitQuery = 100
) -> dict[str, Any]:
    """Clues past their deadline, the latest first: to be accepted, or to be verified."""
    told = overdue_told(service_of(request), principal_of(request), office, limit)
    return {"overdue": told}


@router.post("/v1/escalations", openapi_extra=body_of(EscalationRequest))
async def post_escalations(request: Request) -> dict[str, Any]:
    """Bring overdue clues before the offices above; each is told once per missed deadline."""
    return await answer_once(request, prepare_escalation)


@router.get("/v1/watches", response_model=WatchesReply)
def get_watches(
    request: Request, office: OfficeQuery = None, limit: LimitQuery = 100
) -> dict[str, Any]:
    """Offices that look on at open clues: they supervise the handling, or an overdue one came to
    them."""
    told = watches_told(service_of(request), principal_of(request), office, limit)
    return {"watches": told}


@router.post("/v1/clues/{clue_id}/supervision", openapi_extra=body_of(SupervisionRequest))
async def post_supervision(request: Request, clue_id: str) -> dict[str, Any]:
    """Let one of the caller's offices, above the one that handles a clue, supervise it (督办); or
    end that."""
    return await answer_once(
        request, lambda service, who, body: prepare_supervision(service, who, clue_id, body)
    )
