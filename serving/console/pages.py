"""The console: sign in, the queue, one clue with its reasons and its records.

Plain pages without script: nothing is loaded from elsewhere, every text is escaped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool

from base.errors import CluesError, NotReady
from serving.access import COOKIE, NoKey, find_principal, service_of, visitor_of
from serving.bounds import read_body
from serving.clearance import cleared
from serving.console.evidence import evidence_tables
from serving.console.words import words_of
from serving.queue import queue_page
from serving.refusals import status_of
from serving.routes.clues import (
    checks_for,
    evidence_for,
    reasons_for,
    require_clue,
    seen_clue,
    similar_for,
)

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent / "pages"
TEMPLATES = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined)
Language = Literal["zh", "en"]
SIGN_IN_BYTES = 4_096
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


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
    return _page(request, "sign_in.html", language, wrong=False)


@router.post("/console")
async def sign_in(request: Request, language: Language = "zh") -> Response:
    """Keep the key in a cookie that no script and no other site can use."""
    fields = parse_qs((await read_body(request, SIGN_IN_BYTES)).decode("utf-8", "replace"))
    key = fields.get("key", [""])[0].strip()
    try:
        await run_in_threadpool(find_principal, service_of(request), key)
    except NoKey:
        return _page(request, "sign_in.html", language, status=401, wrong=True)
    except CluesError as error:
        return _refused(request, language, error)
    reply = RedirectResponse(f"/console/queue?language={language}", 303)
    secure = request.url.scheme == "https"
    reply.set_cookie(COOKIE, key, httponly=True, samesite="strict", secure=secure, path="/console")
    return reply


@router.post("/console/out")
def sign_out() -> Response:
    """Forget the key."""
    reply = RedirectResponse("/console", 303)
    reply.delete_cookie(COOKIE, path="/console")
    return reply


@router.get("/console/queue")
def queue(
    request: Request,
    language: Language = "zh",
    office: Annotated[str | None, Query(max_length=64)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The ranked open clues of the visitor's offices."""
    try:
        who = visitor_of(request)
        who.require("reviewer", "dispatcher")
        page = queue_page(service_of(request), who, office, 50, cursor)
    except CluesError as error:
        return _refused(request, language, error)
    return _page(request, "queue.html", language, page=page, office=office)


@router.get("/console/clues/{clue_id}")
def clue(request: Request, clue_id: str, language: Language = "zh") -> Response:
    """One clue: its score in words, and the records that say so."""
    service = service_of(request)
    try:
        who = visitor_of(request)
        who.require("reviewer", "dispatcher")
        row = require_clue(service, who, clue_id)
        told = reasons_for(service, who, clue_id, language, 10)
    except CluesError as error:
        return _refused(request, language, error)
    model = service.supervision_models.get(row["supervision_model"])
    return _page(
        request,
        "clue.html",
        language,
        clue=seen_clue(service, who, row),
        told=told,
        model=model,
        office=service.offices.by_id.get(row["office_id"]),
        evidence=evidence_tables(
            service.home,
            row["evidence"] or [],
            language,
            cleared(who, service.home.jurisdiction),
        ),
    )


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
        return _refused(request, language, error)
    return _page(request, "evidence.html", language, told=told)


@router.get("/console/clues/{clue_id}/further")
def further(request: Request, clue_id: str, language: Language = "zh") -> Response:
    """What to check next, and what became of clues like this one."""
    service = service_of(request)
    try:
        who = visitor_of(request)
        similar = similar_for(service, who, clue_id, language, 10)
        try:
            checks = checks_for(service, who, clue_id, language, 5)["checks"]
        except NotReady:  # a scorer of before reference rows were kept
            checks = []
    except CluesError as error:
        return _refused(request, language, error)
    return _page(request, "further.html", language, similar=similar, checks=checks)


def _refused(request: Request, language: Language, error: CluesError) -> Response:
    if isinstance(error, NoKey):
        return RedirectResponse(f"/console?language={language}", 303)
    return _page(
        request, "refused.html", language, status=status_of(error), cure=error.faults[0].cure
    )


def _page(
    request: Request, name: str, language: Language, status: int = 200, **values: Any
) -> HTMLResponse:
    jurisdiction = service_of(request).home.jurisdiction
    text = TEMPLATES.get_template(name).render(
        language=language,
        other="en" if language == "zh" else "zh",
        words=words_of(language),
        jurisdiction=jurisdiction,
        here=request.url.path,
        **values,
    )
    return HTMLResponse(text, status_code=status, headers=HEADERS)
