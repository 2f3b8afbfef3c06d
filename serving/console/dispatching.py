"""The command page and its forms: proposals confirmed, one or many; clues supervised from above."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from base.errors import CluesError, Conflict, NotFound
from dispatch.life_cycle import REASON_LENGTH, has_controls, load_deadlines
from dispatch.oversight import supervise
from dispatch.proposal import Proposal, confirm_in
from scoring.idempotency import Asked, once
from serving.access import service_of, visitor_of
from serving.console.command import command_told, office_of, top_of
from serving.console.page import page, refused
from serving.console.taking import Fields, take_form
from serving.orders import proposals_for
from serving.principal import Principal
from serving.queue import fresh_queue, visible_clue, visible_offices
from serving.refusals import UnfitMessage, status_of
from serving.service import Service

router = APIRouter(include_in_schema=False)
Language = Literal["zh", "en"]
Short = Annotated[str, Query(max_length=200)]
# A box for each proposed clue, `clue-ID`, its value the version that was looked at; and a button
# for it alone, `only`, its value ID:VERSION.
BOX, MOST_BOXES = "clue-", 500


@router.get("/console/command")
def command(
    request: Request,
    language: Language = "zh",
    office: Short = "",
    more: Annotated[int, Query(ge=-100, le=100)] = 0,
    done: Annotated[int, Query(ge=0, le=MOST_BOXES)] = 0,
) -> Response:
    """One office in the middle: its load, those below it, what it should take, what if."""
    try:
        who = visitor_of(request)
        return _shown(request, who, language, office, more=more, done=done)
    except CluesError as error:
        return refused(request, language, error)


@router.post("/console/command/dispatch")
async def confirm(request: Request, language: Language = "zh") -> Response:
    """Dispatch the chosen proposals, all or none; the same form twice is one dispatch."""
    return await _answered(request, language, dispatch_chosen)


@router.post("/console/command/supervise")
async def watch(request: Request, language: Language = "zh") -> Response:
    """Let the visitor's highest office supervise how a clue is handled (督办)."""
    return await _answered(request, language, supervise_one)


async def _answered(
    request: Request, language: Language, work: Callable[[Service, Principal, Fields], int]
) -> Response:
    service = service_of(request)

    def then(done: int, fields: Fields) -> Response:
        told = urlencode({"language": language, "office": fields.get("office", ""), "done": done})
        return RedirectResponse(f"/console/command?{told}", 303)

    return await take_form(
        request,
        language,
        work=lambda who, fields: work(service, who, fields),
        then=then,
        again=lambda who, fields, error: _again(request, who, language, fields, error),
        fields=MOST_BOXES,
    )


def dispatch_chosen(service: Service, who: Principal, fields: Mapping[str, str]) -> int:
    """Dispatch what the form chose (one button's clue, or every box); returns how many.

    Raises UnfitMessage where nothing was chosen, Conflict where one of them is not proposed any
    more as it was looked at.
    """
    office_id = office_of(service, who, fields.get("office", "")).office_id
    chosen = _chosen(fields)
    if not chosen:
        raise UnfitMessage(
            wanted="a clue at least", got="none", cure="choose what to dispatch", where="chosen"
        )
    # Before the transaction: it may write the kept ranking.
    ways, ends = fresh_queue(service, visible_offices(service, who, office_id))

    def work(connection: sa.Connection) -> dict[str, Any]:
        proposed = proposals_for(service, who, ways, ends, office_id)
        return confirm_in(
            connection,
            _matched(proposed, chosen),
            by=who.key_id,
            role=who.role,
            offices=who.offices,
            at=service.clock.now(),
            deadlines=load_deadlines(service.home.jurisdiction.folder),
        )

    body = [office_id, *sorted(chosen.items())]
    key = hashlib.sha256(repr(body).encode()).hexdigest()
    asked = Asked.of(who.key_id, f"console {key}", repr(body).encode())
    return len(once(service.ledger, asked, service.clock, work).body["dispatched"])


def _chosen(fields: Mapping[str, str]) -> dict[str, int]:
    """clue_id -> the version that was looked at."""
    only, _, version = fields.get("only", "").rpartition(":")
    boxes = (
        {only: version}
        if only
        else {
            name.removeprefix(BOX): value for name, value in fields.items() if name.startswith(BOX)
        }
    )
    return {
        clue_id: int(value) if value.isascii() and value.isdigit() and len(value) < 10 else -1
        for clue_id, value in boxes.items()
    }


def _matched(proposed: list[Proposal], chosen: Mapping[str, int]) -> list[Proposal]:
    found = {each.place.clue_id: each for each in proposed}
    if set(chosen) - set(found):
        raise Conflict(
            wanted="clues that are proposed",
            got="one that is not any more",
            cure="look at the proposals again; nothing was dispatched",
        )
    return [replace(found[clue_id], version=version) for clue_id, version in chosen.items()]


def supervise_one(service: Service, who: Principal, fields: Mapping[str, str]) -> int:
    """Let the visitor's highest office supervise a clue. Raises NotFound, Refused, Conflict."""
    clue_id, reason = fields.get("clue", ""), fields.get("reason", "")
    if visible_clue(service, who, clue_id) is None:
        raise NotFound(wanted="a clue of your offices", got="none", cure="check the clue's id")
    if len(reason) > REASON_LENGTH or has_controls(reason):
        raise UnfitMessage(
            wanted="a reason in plain text", got="another", cure="shorten it", where="reason"
        )
    supervise(
        service.ledger,
        service.offices,
        clue_id,
        office_id=top_of(service, who).office_id,
        by=who.key_id,
        role=who.role,
        own=who.offices,
        clock=service.clock,
        reason=reason,
    )
    return 0


def _again(
    request: Request,
    who: Principal,
    language: Language,
    fields: Mapping[str, str],
    error: CluesError,
) -> Response:
    """The page as it is now, with what was wrong with the form."""
    fault = "stale" if isinstance(error, Conflict) else "unfit"
    if any(each.where == "token" for each in error.faults):
        fault = "stale_form"
    if any(each.where == "chosen" for each in error.faults):
        fault = "none_chosen"
    try:
        office = fields.get("office", "")
        status = status_of(error)
        return _shown(request, who, language, office, fault=fault, status=status)
    except CluesError as absent:
        return refused(request, language, absent)


def _shown(
    request: Request,
    who: Principal,
    language: Language,
    office: str,
    *,
    more: int = 0,
    done: int = 0,
    fault: str = "",
    status: int = 200,
) -> Response:
    told = command_told(service_of(request), who, office, more)
    here = f"/console/command?{urlencode({'office': told['at'].office_id})}"
    return page(
        request,
        "command.html",
        language,
        status=status,
        here=here if fault else None,
        more=more,
        done=done,
        fault=fault,
        **told,
    )
