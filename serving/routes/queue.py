"""GET /v1/queue: ranked open clues with the capacity line and exploration marks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from serving.access import principal_of, service_of
from serving.queue import asked_models, queue_page
from serving.queue_by_state import page_of_state

router = APIRouter()


@router.get("/v1/queue")
def get_queue(
    request: Request,
    office: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    supervision_model: Annotated[str, Query(max_length=200)] = "",
    function: Annotated[str, Query(max_length=200)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
) -> dict[str, Any]:
    """The caller's queue, or that of one of his offices and those below it; of one supervision
    model or function only, where they are given. `state`: those in it only; clues that an office
    has in hand are told by deadline, without a rank. `total` and `capacity` are of the whole."""
    who = principal_of(request)
    who.require("reviewer", "dispatcher")
    service = service_of(request)
    models = asked_models(service, supervision_model, function, "supervision_model")
    if state:
        page = asdict(page_of_state(service, who, office, limit, cursor, models, state))
    else:
        page = asdict(queue_page(service, who, office, limit, cursor, models))
    return {"clues": page.pop("entries"), **page}
