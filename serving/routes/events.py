"""POST /v1/events/{source}: a case system tells of outcomes, and signs what it tells.

The signature is our own way round (dispatch/exchange/signature.py): a CloudEvent, signed as
Standard Webhooks has it. Who signed, and within the last five minutes, is all that is asked for;
there is no other key.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from base.errors import CluesError, NotAllowed, Refused
from dispatch.exchange.destinations import key_path
from dispatch.exchange.signature import ID, SIGNATURE, TIMESTAMP, read_keys, verify
from scoring.idempotency import Asked, find_reply, once
from serving.access import service_of
from serving.bounds import read_body
from serving.messages import parse_message
from serving.principal import Principal
from serving.refusals import UnfitMessage, UnsignedMessage
from serving.routes.outcomes import prepare_outcomes
from serving.service import Service
from serving.work_messages import OutcomesEvent

router = APIRouter()
log = structlog.get_logger()
PARAMETERS = [
    {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
    for name in (ID, TIMESTAMP, SIGNATURE)
]
SHAPE: dict[str, Any] = {
    "parameters": PARAMETERS,
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": OutcomesEvent.model_json_schema()}},
    },
}


@router.post("/v1/events/{source}", openapi_extra=SHAPE)
async def post_event(request: Request, source: str) -> dict[str, Any]:
    """Take outcomes in, as POST /v1/outcomes does, once for each `webhook-id`.

    A message that was taken gets the same answer again; another one under its id is refused, and so
    is one whose `id` is not its `webhook-id`.
    """
    body = await read_body(request)
    return await run_in_threadpool(_taken, service_of(request), source, request.headers, body)


def _taken(
    service: Service, source: str, headers: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    who, message_id = require_signed(service, source, headers, body, time.time())
    service.rates.spend(who)
    try:
        asked = Asked.of(who.key_id, message_id, f"event {source}\n".encode() + body, ID)
    except Refused as error:
        raise UnfitMessage.gather(error.faults) from None
    earlier = find_reply(service.ledger, asked)
    if earlier is not None:
        return earlier.body
    event = parse_message(OutcomesEvent, body)
    if event.id != message_id:
        raise UnfitMessage(
            wanted=f"the id that {ID} tells", got="another", cure="give both one id", where="id"
        )
    work = prepare_outcomes(service, who, event.data.outcomes)
    return once(service.ledger, asked, service.clock, work).body


def require_signed(
    service: Service, source: str, headers: Mapping[str, str], body: bytes, now: float
) -> tuple[Principal, str]:
    """Who signed the message, and its id. `now`: seconds since 1970.

    Raises UnsignedMessage, the same whether the source is not declared, its key is no key of ours,
    the time has passed or a letter differs: who may not tell us learns nothing.
    """
    declared = service.sources.get(source)
    # An undeclared source takes as long as a declared one whose key is another.
    keys: tuple[bytes, ...] = (secrets.token_bytes(32),)
    if declared is not None:
        try:
            keys = read_keys(key_path(service.home, declared))
        except CluesError as error:
            log.warning("source_without_key", source=source, kind=type(error).__name__)
    try:
        message_id = verify(keys, headers, body, now)
    except NotAllowed as error:
        raise UnsignedMessage.gather(error.faults) from None
    assert declared is not None
    office = declared.office_id
    offices = None if office is None else service.offices.subtree(office)
    return Principal(f"source {source}", "case_system", offices, source), message_id
