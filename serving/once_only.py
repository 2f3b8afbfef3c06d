"""Requests that change something: answered once, whoever sends them again (P-2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from fastapi import Request

from base.errors import Refused
from scoring.idempotency import KEY_LENGTH, Asked, find_reply, once
from scoring.ledger import writing
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


def answer_once(
    service: Service, who: Principal, request: Request, body: bytes, prepare: Callable[[], Work]
) -> dict[str, Any]:
    """What `prepare()` gives, run in one transaction that keeps the reply under the sender's key.

    `prepare` may do what can be done twice without harm (checking, admitting records). Without an
    Idempotency-Key the reply is not kept.
    """
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
