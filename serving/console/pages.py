"""The console: sign in, the queue, one clue with its reasons, its records and its moves.

Plain pages without script: nothing is loaded from elsewhere, every text is escaped.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from base.errors import CluesError
from serving.access import COOKIE, NoKey, find_principal, service_of, visitor_of
from serving.console import moves
from serving.console.clue import clue_told, further_told
from serving.console.forms import read_form, require_own_origin, require_token
from serving.console.page import FOLDER, HEADERS, page, refused
from serving.console.work_list import Asked, choices, work_list
from serving.routes.clues import evidence_for

router = APIRouter(include_in_schema=False)
router.include_router(moves.router)
Language = Literal["zh", "en"]
SIGN_IN_BYTES = 16_384
Short = Annotated[str, Query(max_length=64)]


@router.get("/")
def front() -> Response:
    """The console is what a browser comes for."""
    return RedirectResponse("/console/queue", 303)


@router.get("/console/style.css")
def style() -> Response:
    """The one style sheet."""
    return Response(
        (FOLDER / "style.css").read_text("utf-8"), media_type="text/css", headers=HEADERS
    )


@router.get("/console")
def sign_in_page(request: Request, language: Language = "zh") -> Response:
    """A form for the key."""
    return page(request, "sign_in.html", language, wrong=False)


@router.post("/console")
async def sign_in(request: Request, language: Language = "zh") -> Response:
    """Keep the key in a cookie that no script and no other site can use."""
    try:
        key = (await read_form(request, SIGN_IN_BYTES)).get("key", "").strip()
        await run_in_threadpool(find_principal, service_of(request), key)
    except NoKey:
        return page(request, "sign_in.html", language, status=401, wrong=True)
    except CluesError as error:
        return refused(request, language, error)
    reply = RedirectResponse(f"/console/queue?language={language}", 303)
    secure = request.url.scheme == "https"
    reply.set_cookie(COOKIE, key, httponly=True, samesite="strict", secure=secure, path="/console")
    return reply


@router.post("/console/out")
async def sign_out(request: Request, language: Language = "zh") -> Response:
    """Forget the key. Who is not signed in needs no token."""
    try:
        require_own_origin(request)
        if COOKIE in request.cookies:
            require_token(request, await read_form(request))
    except CluesError as error:
        return refused(request, language, error)
    reply = RedirectResponse(f"/console?language={language}", 303)
    reply.delete_cookie(COOKIE, path="/console")
    return reply


@router.get("/console/queue")
def queue(
    request: Request,
    language: Language = "zh",
    view: Short = "waiting",
    office: Short = "",
    model: Annotated[str, Query(max_length=200)] = "",
    function: Short = "",
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    start: Annotated[int, Query(ge=0, le=10**6)] = 0,
) -> Response:
    """The ranked clues that wait for the visitor's offices, or those in hand, overdue or ended."""
    service = service_of(request)
    asked = Asked(view, office, model, function, cursor, start)
    try:
        who = visitor_of(request)
        listed = work_list(service, who, asked)
    except CluesError as error:
        return refused(request, language, error)
    return page(
        request, "queue.html", language, asked=asked, listed=listed, **choices(service, who)
    )


@router.get("/console/clues/{clue_id}")
def clue(request: Request, clue_id: str, language: Language = "zh", done: str = "") -> Response:
    """One clue: its score in words, the records that say so, and what may be done with it."""
    try:
        told = clue_told(service_of(request), visitor_of(request), clue_id, language)
    except CluesError as error:
        return refused(request, language, error)
    return page(
        request,
        "clue.html",
        language,
        here=f"/console/clues/{told['clue']['clue_id']}",
        done=done == "1",
        fault="",
        places=[],
        typed={},
        **told,
    )


@router.get("/console/clues/{clue_id}/sheet")
def sheet(request: Request, clue_id: str, language: Language = "zh") -> Response:
    """All of it on one sheet, to print for the file."""
    service = service_of(request)
    try:
        who = visitor_of(request)
        told = clue_told(service, who, clue_id, language)
        further = further_told(service, who, clue_id, language)
    except CluesError as error:
        return refused(request, language, error)
    return page(request, "sheet.html", language, **told, **further)


@router.get("/console/clues/{clue_id}/evidence/{feature}")
def evidence(
    request: Request,
    clue_id: str,
    feature: str,
    language: Language = "zh",
    after: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> Response:
    """The records behind one reason, page by page."""
    try:
        who = visitor_of(request)
        told = evidence_for(service_of(request), who, clue_id, feature, language, 50, after)
    except CluesError as error:
        return refused(request, language, error)
    return page(request, "evidence.html", language, told=told)


@router.get("/console/clues/{clue_id}/further")
def further(request: Request, clue_id: str, language: Language = "zh") -> Response:
    """What to check next, and what became of clues like this one.

    A page of its own: the clue's page is read from the ledger alone and waits for no index.
    """
    try:
        told = further_told(service_of(request), visitor_of(request), clue_id, language)
    except CluesError as error:
        return refused(request, language, error)
    return page(request, "further.html", language, **told)
