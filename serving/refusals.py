"""Errors as problem+json (RFC 9457). What a caller sent is never quoted back: `got` is told only
where this room wrote it.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from base.errors import CluesError, Conflict, NotAllowed, NotFound, NotReady, Refused
from serving.credentials import NoKey, WrongKey
from serving.rates import TooFast

log = structlog.get_logger()


class TooLarge(Refused):
    """More than one request may carry."""


class UnsignedMessage(NotAllowed):
    """A message that no declared source signed lately."""


class UnfitMessage(Refused):
    """A message of the wrong shape; its `got` names kinds of values, never values."""


STATUS: tuple[tuple[type[CluesError], HTTPStatus], ...] = (
    (NoKey, HTTPStatus.UNAUTHORIZED),
    (UnsignedMessage, HTTPStatus.UNAUTHORIZED),
    (NotAllowed, HTTPStatus.FORBIDDEN),
    (TooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    (Refused, HTTPStatus.UNPROCESSABLE_ENTITY),
    (NotFound, HTTPStatus.NOT_FOUND),
    (TooFast, HTTPStatus.TOO_MANY_REQUESTS),
    (NotReady, HTTPStatus.SERVICE_UNAVAILABLE),
    (Conflict, HTTPStatus.CONFLICT),
)
# What a part of an address had to be, by kind of fault.
ADDRESS = {
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "int_parsing": "a whole number",
    "literal_error": "one of {expected}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "missing": "a value",
}
QUOTES_NOTHING = (NoKey, NotAllowed, TooLarge, UnfitMessage, NotReady)


def status_of(error: CluesError) -> HTTPStatus:
    """The HTTP meaning of an error kind."""
    for kind, status in STATUS:
        if isinstance(error, kind):
            return status
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem(
    status: HTTPStatus,
    faults: Sequence[dict[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """A problem+json reply. `values`: what a program needs to go on after a conflict."""
    body: dict[str, Any] = {"type": "about:blank", "title": status.phrase, "status": int(status)}
    if faults:
        body["faults"] = list(faults)
    if values:
        body["values"] = dict(values)
    return JSONResponse(
        body, status_code=status, media_type="application/problem+json", headers=headers
    )


def told_in_headers(error: CluesError) -> dict[str, str]:
    """What HTTP wants said beside the body: how to sign in, and when to come again."""
    if isinstance(error, NoKey):
        wrong = ' error="invalid_token"' if isinstance(error, WrongKey) else ""
        return {"www-authenticate": f"Bearer{wrong}"}
    if isinstance(error, UnsignedMessage):
        return {"www-authenticate": "Webhook-Signature"}
    if isinstance(error, TooFast):
        return {"retry-after": str(error.seconds)}
    return {}


def add_refusals(app: FastAPI) -> None:
    """Answer every error as problem+json."""

    @app.exception_handler(CluesError)
    async def _refused(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, CluesError)
        values = error.values if isinstance(error, Conflict) else None
        return problem(status_of(error), told_faults(error), told_in_headers(error), values)

    @app.exception_handler(RequestValidationError)
    async def _unfit(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        faults = [_unfit_address(fault) for fault in error.errors()]
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, faults)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        return problem(HTTPStatus(error.status_code), headers=error.headers)

    @app.exception_handler(OperationalError)
    async def _away(_: Request, error: Exception) -> JSONResponse:
        log.error("ledger_away", kind=type(error).__name__)
        cure = "send it again; see /ready if this stays"
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, [{"wanted": "the ledger", "cure": cure}])

    app.add_middleware(AnswerFaults)


def _unfit_address(fault: Mapping[str, Any]) -> dict[str, str]:
    """What a part of an address had to be. Bounds are ours; the value is not told."""
    place, bounds = [str(part) for part in fault["loc"][:2]], fault.get("ctx") or {}
    form = ADDRESS.get(fault["type"])
    wanted = form.format(**bounds) if form else fault["msg"].split(", got")[0]
    cure = f"give {place[-1]} so (see /openapi.json)"
    if place[0] == "query" and fault["type"] != "missing":
        cure = f"give {place[-1]} so, or leave it out (see /openapi.json)"
    return {"where": ".".join(place), "wanted": wanted, "cure": cure}


class AnswerFaults:
    """A fault of our own is answered 500 and logged by its kind and place: its text may hold what
    the caller sent, so neither reply nor log quotes it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = False

        async def watched(message: Message) -> None:
            nonlocal began
            began = began or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{Path(place.filename).name}:{place.lineno}"
            log.error("fault", kind=type(error).__name__, where=where)
            if not began:
                await problem(HTTPStatus.INTERNAL_SERVER_ERROR)(scope, receive, send)


def told_faults(error: CluesError) -> list[dict[str, str]]:
    """wanted, cure and (only where it quotes nothing) got of every fault."""
    quotes_nothing = isinstance(error, QUOTES_NOTHING)
    told = []
    for fault in error.faults:
        entry = {"wanted": fault.wanted, "cure": fault.cure}
        if quotes_nothing:
            entry |= {"got": fault.got, "where": fault.where}
        told.append(entry)
    return told
