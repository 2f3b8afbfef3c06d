"""Signing in and out, and one's own account: by login and password, or by a key as programs do."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from base.errors import CluesError, Refused
from serving.access import COOKIE, NoKey, find_principal, service_of, visitor_of
from serving.accounts import change_password
from serving.console.forms import read_form, require_own_origin, require_token
from serving.console.page import first_page, page, refused
from serving.principal import Principal
from serving.refusals import status_of
from serving.service import Service
from serving.sessions import end_session, looks_like_a_session
from serving.sessions import sign_in as begin_session

router = APIRouter(include_in_schema=False)
Language = Literal["zh", "en"]
SIGN_IN_BYTES = 16_384
# A failure is told no sooner, whatever it was: how long it took says nothing of the name.
FAILURE_SECONDS = 0.4


@router.get("/console")
def sign_in_page(request: Request, language: Language = "zh") -> Response:
    """A form for login and password, and one for a key."""
    return page(request, "sign_in.html", language, wrong=False)


@router.post("/console")
async def sign_in(request: Request, language: Language = "zh") -> Response:
    """Keep a session, or the key, in a cookie that no script and no other site can use."""
    began = time.monotonic()
    try:
        fields = await read_form(request, SIGN_IN_BYTES)
        held, role = await run_in_threadpool(_let_in, service_of(request), fields)
    except NoKey:
        await asyncio.sleep(max(0.0, began + FAILURE_SECONDS - time.monotonic()))
        return page(request, "sign_in.html", language, status=401, wrong=True)
    except CluesError as error:
        return refused(request, language, error)
    reply = RedirectResponse(f"{first_page(role)}?language={language}", 303)
    secure = request.url.scheme == "https"
    reply.set_cookie(COOKIE, held, httponly=True, samesite="strict", secure=secure, path="/console")
    return reply


def _let_in(service: Service, fields: dict[str, str]) -> tuple[str, str]:
    """What the cookie holds, and the role of whom it lets in. Raises NoKey."""
    key = fields.get("key", "").strip()
    if key:
        return key, find_principal(service, key).role
    login, password = fields.get("login", ""), fields.get("password", "")
    return begin_session(service.ledger, login, password, service.clock)


@router.post("/console/out")
async def sign_out(request: Request, language: Language = "zh") -> Response:
    """End the session, or forget the key. Who is not signed in needs no token."""
    shown = request.cookies.get(COOKIE, "")
    try:
        require_own_origin(request)
        if shown:
            require_token(request, await read_form(request))
    except CluesError as error:
        return refused(request, language, error)
    if looks_like_a_session(shown):
        service = service_of(request)
        await run_in_threadpool(end_session, service.ledger, shown, service.clock)
    reply = RedirectResponse(f"/console?language={language}", 303)
    reply.delete_cookie(COOKIE, path="/console")
    return reply


@router.get("/console/first")
def first(request: Request, language: Language = "zh") -> Response:
    """Where the visitor's role begins."""
    try:
        who = visitor_of(request)
    except CluesError as error:
        return refused(request, language, error)
    return RedirectResponse(f"{first_page(who.role)}?language={language}", 303)


@router.get("/console/account")
def account(request: Request, language: Language = "zh") -> Response:
    """Who is signed in, in which role, for which offices; a form to change the password."""
    try:
        who = visitor_of(request)
    except CluesError as error:
        return refused(request, language, error)
    return _account(request, who, language, [])


@router.post("/console/account")
async def new_password(request: Request, language: Language = "zh") -> Response:
    """Change one's own password; whoever is signed in with the old one must sign in again."""
    service = service_of(request)
    try:
        who = await run_in_threadpool(visitor_of, request)
        fields = await read_form(request, SIGN_IN_BYTES)
        require_token(request, fields)
        if not looks_like_a_session(request.cookies.get(COOKIE, "")):
            raise Refused(
                wanted="an account with a password", got="a key", cure="sign in by name first"
            )
        old, new = fields.get("old", ""), fields.get("new", "")
        ledger, clock = service.ledger, service.clock
        await run_in_threadpool(change_password, ledger, who.key_id, old, new, clock=clock)
    except Refused as error:
        places = sorted({fault.where for fault in error.faults})
        return await run_in_threadpool(_account, request, who, language, places, status_of(error))
    except CluesError as error:
        return refused(request, language, error)
    return RedirectResponse(f"/console?language={language}", 303)


def _account(
    request: Request, who: Principal, language: Language, places: list[str], status: int = 200
) -> Response:
    own = who.offices or frozenset()
    all_offices = service_of(request).offices.offices
    top = [each for each in all_offices if each.office_id in own and each.parent not in own]
    return page(
        request,
        "account.html",
        language,
        status=status,
        here="/console/account",
        who=who,
        office=top[0] if top else None,
        by_password=looks_like_a_session(request.cookies.get(COOKIE, "")),
        places=places,
    )
