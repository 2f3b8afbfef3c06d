"""Requests that change something: answered once, whoever sends them again (P-2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from fastapi import Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from base.errors import Refused
from scoring.idempotency import KEY_LENGTH, Asked, find_reply, once
from scoring.ledger import writing
from serving.access import principal_of, service_of
from serving.bounds import BODY_BYTES, read_body
from serving.principal import Principal
from serving.refusals import UnfitMessage
from serving.service import Service

HEADER = "idempotency-key"
Work = Callable[[sa.Connection], dict[str, Any]]
PARAMETER: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A fresh random id for each request, the same for its retries.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH},
}


def body_of(shape: type[BaseModel]) -> dict[str, Any]:
    """What the OpenAPI document says of a message that is answered once."""
    content = {"application/json": {"schema": shape.model_json_schema()}}
    return {"parameters": [PARAMETER], "requestBody": {"required": True, "content": content}}


async def answer_once(
    request: Request,
    prepare: Callable[[Service, Principal, bytes], Work],
    limit: int = BODY_BYTES,
) -> dict[str, Any]:
    """What `prepare(service, who, body)` gives, run in one transaction that keeps the reply under
    the sender's key.

    `prepare` may do what can be done twice without harm (checking, admitting records). Without an
    Idempotency-Key the reply is not kept. The body has at most `limit` bytes.
    """
    service = service_of(request)
    who = await run_in_threadpool(principal_of, request)
    body = await read_body(request, limit)
    return await run_in_threadpool(
        _answered, service, who, request, body, lambda: prepare(service, who, body)
    )


def _answered(
    service: Service, who: Principal, request: Request, body: bytes, prepare: Callable[[], Work]
) -> dict[str, Any]:
    key = request.headers.get(HEADER)
    if key is None:
        work = prepare()
        with writing(service.ledger) as connection:
            return work(connection)
    route = f"{request.method} {request.url.path}\n".encode()
    try:
        asked = Asked.of(who.key_id, key, route + body)
    except Refused as error:
        raise UnfitMessage.gather(error.faults) from None
    earlier = find_reply(service.ledger, asked)
    if earlier is not None:
        return earlier.body
    return once(service.ledger, asked, service.clock, prepare()).body
