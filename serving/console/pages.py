"""The console: the queue, one clue with its reasons and its records; beside them, pages by task.

Plain pages without script: nothing is loaded from elsewhere, every text is escaped.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from base.errors import CluesError
from serving.access import require_known_query, service_of, visitor_of
from serving.console import deciding, dispatching, moves, records, sign_in, splitting
from serving.console.clue import clue_told, further_told
from serving.console.evidence import said_by, without_cents
from serving.console.page import FOLDER, HEADERS, page, refused
from serving.console.work_list import Asked, queue_text
from serving.routes.clues import evidence_for

router = APIRouter(include_in_schema=False)
Language = Literal["zh", "en"]
Short = Annotated[str, Query(max_length=64)]


@router.get("/")
def front() -> Response:
    """The console is what a browser comes for."""
    return RedirectResponse("/console/first", 303)


@router.get("/console/style.css")
def style() -> Response:
    """The one style sheet."""
    return Response(
        (FOLDER / "style.css").read_text("utf-8"), media_type="text/css", headers=HEADERS
    )


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
    asked = Asked(view, office, model, function, cursor, start)
    try:
        who = visitor_of(request)
        require_known_query(request)
        text = queue_text(request, who, asked, language)
    except CluesError as error:
        return refused(request, language, error)
    return HTMLResponse(text, headers=HEADERS)


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
        service = service_of(request)
        told = evidence_for(service, who, clue_id, feature, language, 50, after)
    except CluesError as error:
        return refused(request, language, error)
    said = said_by(service, language, told["record_set"])
    heads = {
        each["name"]: without_cents(each["name"], each["title"], language)
        for each in told["columns"]
    }
    return page(request, "evidence.html", language, told=told, said=said, heads=heads)


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


# After what is asked for most: routes are looked through in order.
for part in (sign_in, moves, dispatching, deciding, records, splitting):
    router.include_router(part.router)
