"""GET /v1/scorers, GET /v1/scorers/{digest} and POST /v1/scorers/{digest}/promotion."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from serving.access import principal_of, service_of
from serving.bounds import read_body
from serving.messages import parse_message
from serving.promotion import PromotionReply, PromotionRequest, promote
from serving.scorers import list_scorers, tell_scorer

router = APIRouter()
BODY = {
    "requestBody": {
        "required": False,
        "content": {"application/json": {"schema": PromotionRequest.model_json_schema()}},
    }
}


@router.get("/v1/scorers")
def get_scorers(request: Request) -> dict[str, Any]:
    """Every scorer of this home: which one serves, which is tried in its shadow, how each did."""
    return list_scorers(service_of(request))


@router.get("/v1/scorers/{digest}")
def get_scorer(request: Request, digest: str) -> dict[str, Any]:
    """One scorer: manifest, figures, model card, weighing beside the champion, proposals."""
    return tell_scorer(service_of(request), digest)


@router.post("/v1/scorers/{digest}/promotion", response_model=PromotionReply, openapi_extra=BODY)
async def post_promotion(request: Request, digest: str) -> dict[str, Any]:
    """Propose a scorer as champion, approve another person's proposal, or withdraw one.

    An empty body proposes. Approving puts the scorer in use: the next request is answered by it.
    """
    who = await run_in_threadpool(principal_of, request)
    body = await read_body(request)
    asked = parse_message(PromotionRequest, body or b"{}")
    return await run_in_threadpool(promote, service_of(request), who, digest, asked)
