"""GET /live and /ready: whether the process lives, and whether it can answer."""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus
from time import monotonic
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from base.errors import CluesError
from scoring.alias import is_behind
from scoring.answering import answers
from scoring.ledger import durability
from serving.access import service_of
from serving.service import Service

router = APIRouter()
ASKED_SECONDS, ANSWER_SECONDS = 5.0, 0.5
BEHIND = "its alias is behind the champion until the next `clues worker`, promotion or restart"


@router.get("/live")
@router.get("/livez", include_in_schema=False)
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "live"}


@router.get("/ready")
@router.get("/readyz", include_in_schema=False)
def ready(request: Request) -> JSONResponse:
    """Scorer, explainer, ledger settings and registry state; 503 without a champion or a ledger."""
    service = service_of(request)
    state: dict[str, Any] = {
        "ready": True,
        "jurisdiction": service.home.jurisdiction.name,
        "ledger": ledger_state(service),
        "registry": registry_state(service),
        "shadow": service.shadow.counts(),
    }
    try:
        scorer = service.champion()
        explainer = {"engine": scorer.explainer.engine, "fell_back": scorer.explainer.reason}
        state |= {"scorer": scorer.digest, "explainer": explainer}
    except CluesError as error:
        state |= {"ready": False, "scorer": None, "cure": error.faults[0].cure}
    if "away" in state["ledger"]:
        state["ready"] = False
    if service.trouble:
        state["refused_champion"] = service.trouble
    status = HTTPStatus.OK if state["ready"] else HTTPStatus.SERVICE_UNAVAILABLE
    return JSONResponse(state, status_code=status)


def ledger_state(service: Service) -> dict[str, str]:
    """The ledger's durability settings, or that it does not answer."""
    try:
        return durability(service.ledger)
    except SQLAlchemyError as error:
        return {"away": type(error).__name__}


def registry_state(service: Service) -> str:
    """The registry is not needed to serve (P-9); its state is told all the same, and whether its
    alias `champion` was moved to what serves."""
    there = _answers(service.home.tracking_uri, int(monotonic() / ASKED_SECONDS))
    if not there:
        return "away; serving from the home's bundle"
    return f"present; {BEHIND}" if is_behind(service.home) else "present"


@lru_cache(maxsize=2)
def _answers(uri: str, _: int) -> bool:
    """Asked once in ASKED_SECONDS, however often /ready is."""
    return answers(uri, ANSWER_SECONDS)
