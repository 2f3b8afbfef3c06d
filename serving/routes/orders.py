"""The command centre's orders: GET /v1/proposals, POST /v1/orders, GET /v1/workload, and
POST /v1/clues/{id}/reassignment."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from serving.access import principal_of, service_of
from serving.once_only import answer_once, body_of
from serving.orders import (
    OrdersRequest,
    ReassignmentRequest,
    prepare_orders,
    prepare_reassignment,
    proposals_of,
    workload,
)

router = APIRouter()
OfficeQuery = Annotated[str, Query(min_length=1, max_length=64)]


@router.get("/v1/proposals")
def get_proposals(request: Request, office: OfficeQuery) -> dict[str, Any]:
    """What the ranking proposes for this week of an office: its own clues within capacity, then,
    where the jurisdiction allows balance, clues that sister offices have no hands for
    (`from_office`). Each keeps the chance it was drawn with."""
    return proposals_of(service_of(request), principal_of(request), office)


@router.post("/v1/orders", openapi_extra=body_of(OrdersRequest))
async def post_orders(request: Request) -> dict[str, Any]:
    """Dispatch proposals, one or many: all of them or, with 409, none."""
    return await answer_once(request, prepare_orders)


@router.get("/v1/workload")
def get_workload(
    request: Request, office: Annotated[str | None, Query(max_length=64)] = None
) -> dict[str, Any]:
    """What each office has on its table, its own and those below it: capacity, orders of this week,
    clues that wait, in hand, overdue, and cases filed beside those expected in the last year.
    `offers`: offices with places left for clues that wait in vain at a sister office."""
    return workload(service_of(request), principal_of(request), office)


@router.post("/v1/clues/{clue_id}/reassignment", openapi_extra=body_of(ReassignmentRequest))
async def post_reassignment(request: Request, clue_id: str) -> dict[str, Any]:
    """Give a clue that was dispatched to another office: returned with the reason, triaged and
    dispatched anew in one step; its deadlines begin again."""
    return await answer_once(
        request, lambda service, who, body: prepare_reassignment(service, who, clue_id, body)
    )
