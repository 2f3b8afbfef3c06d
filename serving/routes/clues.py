"""GET /v1/clues/{id}: a clue, and why it has its score."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from base.errors import NotFound
from dispatch.scoring_run import tell_score
from scoring.ledger import latest_score
from scoring.scorer import Scorer
from serving.access import principal_of, service_of
from serving.messages import ReasonsReply
from serving.principal import Principal
from serving.queue import visible_clue
from serving.service import Service

router = APIRouter()
SYSTEM = ("record_no", "happened_at", "known_at", "retracted_at", "batch")


@router.get("/v1/clues/{clue_id}")
def get_clue(request: Request, clue_id: str) -> dict[str, Any]:
    """The clue's columns and the records it was raised from."""
    row = require_clue(service_of(request), _reader(request), clue_id)
    return {name: value for name, value in row.items() if name not in SYSTEM}


@router.get("/v1/clues/{clue_id}/reasons", response_model=ReasonsReply)
def get_reasons(
    request: Request,
    clue_id: str,
    language: Literal["zh", "en"] = "zh",
    reasons: Annotated[int, Query(ge=0, le=100)] = 10,
) -> dict[str, Any]:
    """The newest score given to the clue, with its reasons in words."""
    return reasons_for(service_of(request), _reader(request), clue_id, language, reasons)


def reasons_for(
    service: Service, who: Principal, clue_id: str, language: Literal["zh", "en"], count: int
) -> dict[str, Any]:
    """From the ledger alone. Raises NotFound where there is no score the caller may see."""
    require_clue(service, who, clue_id)
    given = latest_score(service.ledger, clue_id)
    scorer = service.champion()
    if scorer.digest != given.scorer:
        scorer = Scorer.load(service.home.scorers / given.scorer, given.scorer)
    return tell_score(given, scorer, language, count)


def require_clue(service: Service, who: Principal, clue_id: str) -> dict[str, Any]:
    """The clue's row; NotFound both where it is absent and where it is another office's (P-10)."""
    row = visible_clue(service, who, clue_id)
    if row is None:
        raise NotFound(wanted="a clue of your offices", got="none", cure="check the clue's id")
    return row


def _reader(request: Request) -> Principal:
    who = principal_of(request)
    who.require("reviewer", "dispatcher")
    return who
