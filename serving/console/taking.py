"""A form taken: whose it is, whether it is one of ours, what it asks for, what is shown then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from base.bilingual import Language
from base.errors import CluesError, Conflict, Refused
from serving.access import visitor_of
from serving.console.forms import FIELDS, read_form, require_own_origin, require_token
from serving.console.page import refused
from serving.principal import Principal

Fields = dict[str, str]
Done = TypeVar("Done")


async def take_form(
    request: Request,
    language: Language,
    *,
    work: Callable[[Principal, Fields], Done],
    then: Callable[[Done, Fields], Response],
    again: Callable[[Principal, Fields, CluesError], Response],
    mended: tuple[type[CluesError], ...] = (Refused, Conflict),
    fields: int = FIELDS,
) -> Response:
    """Do what a visitor's form asks for, and answer with `then`.

    What another site sent, or nobody who is signed in, or what is no form, is refused before
    `work`. Errors of the kinds `mended` show the form `again` with what was typed; others are
    refused. `work`, `again` and refusals may block: they run in threads.
    """
    try:
        require_own_origin(request)
        who = await run_in_threadpool(visitor_of, request)
        typed = await read_form(request, fields=fields)
    except CluesError as error:
        return await run_in_threadpool(refused, request, language, error)
    try:
        require_token(request, typed)
        done = await run_in_threadpool(work, who, typed)
    except mended as error:
        return await run_in_threadpool(again, who, typed, error)
    except CluesError as error:
        return await run_in_threadpool(refused, request, language, error)
    return then(done, typed)
