"""A clue moved by a form of its page: the same move, and the same answers, as over HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import orjson
from fastapi import APIRouter, BackgroundTasks, Request
from fastapi.responses import RedirectResponse, Response

from base.errors import CluesError, Conflict
from dispatch.life_cycle import WORDS
from scoring.idempotency import Asked, once
from serving.access import service_of
from serving.console.clue import clue_told
from serving.console.forms import TOKEN
from serving.console.page import page, refused
from serving.console.splitting import parts_asked, split_told
from serving.console.taking import Fields, take_form
from serving.principal import Principal
from serving.refusals import status_of
from serving.routes.transitions import admit_later, prepare_move
from serving.service import Service
from serving.work_messages import FACTS

router = APIRouter(include_in_schema=False)
# Three parts with forty records each to tick.
FIELDS, SPLIT = 160, "split"
Language = Literal["zh", "en"]


@router.post("/console/clues/{clue_id}/transitions")
async def move(
    request: Request, clue_id: str, later: BackgroundTasks, language: Language = "zh"
) -> Response:
    """Move the clue and show it; a form that cannot be taken is shown again with what was typed."""
    service = service_of(request)

    def then(told: dict[str, Any], _: Fields) -> Response:
        if told["state"] in WORDS:
            later.add_task(admit_later, service)
        return RedirectResponse(f"/console/clues/{clue_id}?language={language}&done=1", 303)

    return await take_form(
        request,
        language,
        work=lambda who, fields: move_by_form(service, who, clue_id, fields),
        then=then,
        again=lambda *told: _shown_again(request, clue_id, language, *told),
        fields=FIELDS,
    )


def move_by_form(
    service: Service, who: Principal, clue_id: str, fields: Mapping[str, str]
) -> dict[str, Any]:
    """Make the move that a form asks for; returns where the clue stands then.

    The form names the version that was looked at, so the same form twice is one move with one
    answer: its own words are its idempotency key. Raises as POST /v1/clues/{id}/transitions does.
    """
    body = orjson.dumps(_message(service, clue_id, fields))
    key = hashlib.sha256(f"{clue_id}\n".encode() + body).hexdigest()
    work = prepare_move(service, who, clue_id, body)
    asked = Asked.of(who.key_id, f"console {key}", body)
    return once(service.ledger, asked, service.clock, work).body


def _message(service: Service, clue_id: str, fields: Mapping[str, str]) -> dict[str, Any]:
    """The message of a form; a field left blank is not given."""
    version = fields.get("expects", "")
    known = version.isascii() and version.isdigit() and len(version) < 10
    facts = {name: fields[name].strip() for name in FACTS if fields.get(name, "").strip()}
    message: dict[str, Any] = {
        "to": fields.get("to", ""),
        "expects": int(version) if known else "",
        "reason": fields.get("reason", ""),
        **facts,
    }
    if message["to"] == SPLIT:
        row = service.clue_lookup.row(clue_id)
        message["parts"] = parts_asked(fields, (row or {}).get("evidence") or ())
    return message


def _shown_again(
    request: Request,
    clue_id: str,
    language: Language,
    who: Principal,
    fields: Mapping[str, str],
    error: CluesError,
) -> Response:
    places = sorted({fault.where.split(".")[-1] for fault in error.faults})
    kind = "stale" if isinstance(error, Conflict) else "unfit"
    again: dict[str, Any] = {
        "fault": "stale_form" if TOKEN in places else kind,
        "places": places,
        "status": status_of(error),
    }
    service, here = service_of(request), f"/console/clues/{clue_id}"
    try:
        if fields.get("to") == SPLIT:
            parts = split_told(service, who, clue_id, language)
            here = f"{here}/split"
            return page(
                request, "split.html", language, here=here, typed=dict(fields), **again, **parts
            )
        told = clue_told(service, who, clue_id, language)
    except CluesError as absent:
        return refused(request, language, absent)
    typed = {name: fields.get(name, "") for name in ("to", "reason", *FACTS)}
    return page(request, "clue.html", language, here=here, done=False, typed=typed, **again, **told)
