"""The scorer pages and their forms: propose, approve as a second person, withdraw, roll back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from base.errors import CluesError, Conflict, NotAllowed, Refused
from serving.access import service_of, visitor_of
from serving.console.forms import TOKEN
from serving.console.page import page, refused
from serving.console.scorers import monitoring_told, scorer_told, scorers_told
from serving.console.taking import Fields, take_form
from serving.principal import Principal
from serving.promotion import PromotionRequest, promote
from serving.refusals import UnfitMessage, status_of
from serving.service import Service

router = APIRouter(include_in_schema=False)
Language = Literal["zh", "en"]
Digest = Annotated[str, Path(max_length=64)]


@router.get("/console/scorers")
def scorers(request: Request, language: Language = "zh") -> Response:
    """Every scorer: which one serves, how each did, what waits for a second person."""
    try:
        told = scorers_told(service_of(request), visitor_of(request))
    except CluesError as error:
        return refused(request, language, error)
    return page(request, "scorers.html", language, **told)


@router.get("/console/scorers/{digest}")
def scorer(request: Request, digest: Digest, language: Language = "zh", done: str = "") -> Response:
    """One scorer: figures beside the champion's, calibration, card, proposals and their reasons."""
    try:
        return _shown(request, visitor_of(request), digest, language, done=done)
    except CluesError as error:
        return refused(request, language, error)


@router.get("/console/monitoring")
def monitoring(request: Request, language: Language = "zh") -> Response:
    """Whether what is scored is still what was learned from, and whether probabilities hold."""
    try:
        told = monitoring_told(service_of(request), visitor_of(request), language)
    except CluesError as error:
        return refused(request, language, error)
    return page(request, "monitoring.html", language, **told)


@router.post("/console/scorers/{digest}/promotion")
async def decide(request: Request, digest: Digest, language: Language = "zh") -> Response:
    """Take one step; what cannot be done is said on the page as it is then."""
    service = service_of(request)

    def then(_: Any, fields: Fields) -> Response:
        step = fields["step"]
        return RedirectResponse(f"/console/scorers/{digest}?language={language}&done={step}", 303)

    return await take_form(
        request,
        language,
        work=lambda who, fields: _step(service, who, digest, fields),
        then=then,
        again=lambda who, *told: _again(request, who, digest, language, *told),
        mended=(Refused, Conflict, NotAllowed),
    )


def _step(service: Service, who: Principal, digest: str, fields: dict[str, str]) -> dict[str, Any]:
    try:
        asked = PromotionRequest.model_validate(
            {"step": fields.get("step", ""), "despite": fields.get("why", "").strip() or None}
        )
    except ValidationError as error:
        where = str(error.errors()[0]["loc"][0])
        raise UnfitMessage(
            wanted="a step of this page, and plain text", got="another", cure="mend it", where=where
        ) from None
    return promote(service, who, digest, asked)


def _again(
    request: Request,
    who: Principal,
    digest: str,
    language: Language,
    fields: dict[str, str],
    error: CluesError,
) -> Response:
    try:
        return _shown(
            request,
            who,
            digest,
            language,
            status=status_of(error),
            fault=_fault(error),
            typed=fields.get("why", ""),
        )
    except CluesError as absent:
        return refused(request, language, absent)


def _fault(error: CluesError) -> str:
    """The page's words for what was wrong."""
    places = {each.where for each in error.faults}
    if TOKEN in places:
        return "stale_form"
    if isinstance(error, NotAllowed):
        return "own_proposal"
    if isinstance(error, Conflict):
        return "not_weighed_now"
    return "why_wanted" if places - {"step"} else "stale_form"


def _shown(
    request: Request,
    who: Principal,
    digest: str,
    language: Language,
    *,
    status: int = 200,
    done: str = "",
    fault: str = "",
    typed: str = "",
) -> Response:
    told = scorer_told(service_of(request), who, digest, language)
    return page(
        request,
        "scorer.html",
        language,
        status=status,
        here=f"/console/scorers/{told['told']['scorer']}",
        done=done if done in ("propose", "approve", "withdraw", "roll_back") else "",
        fault=fault,
        typed=typed,
        **told,
    )
