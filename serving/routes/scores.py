"""POST /v1/scores: score clues without storing them as work; the scores told are kept (P-5)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from dispatch.scoring_run import lines_of, score_rows
from serving.access import principal_of, service_of
from serving.asked import asked_clues, has_own_columns
from serving.bounds import read_body, require_few
from serving.given import given_to_caller
from serving.messages import ScoresReply, ScoresRequest, parse_message, scores_request
from serving.metrics import note_scores
from serving.principal import Principal
from serving.service import Service

router = APIRouter()
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": ScoresRequest.model_json_schema()}},
    }
}


@router.post("/v1/scores", response_model=ScoresReply, openapi_extra=BODY)
async def post_scores(request: Request) -> dict[str, Any]:
    """Probability, margin, base and reasons of each clue, from one scorer."""
    service = service_of(request)
    who = await run_in_threadpool(principal_of, request)
    who.require("case_system", "data_scientist")
    body = await read_body(request)
    return await run_in_threadpool(_score, service, who, body)


def _score(service: Service, who: Principal, body: bytes) -> dict[str, Any]:
    asked = parse_message(scores_request(service.home.jurisdiction), body)
    require_few(len(asked.clues))
    scorer = service.champion()
    clues = asked_clues(service, who, asked.clues, asked.moment)
    scored = score_rows(scorer, clues, *service.feature_rows(clues))
    lines = lines_of(scored, asked.reasons, asked.language)
    whole = [has_own_columns(each) for each in asked.clues]
    note_scores(scored.scores)
    service.writer.keep(list(given_to_caller(scored, whole, service.clock.now())))
    service.shadow.offer(scored)
    return {"scorer": scorer.digest, "scores": lines}
