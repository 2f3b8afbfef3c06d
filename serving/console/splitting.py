"""The page on which a clue is split: a form for each part, sent where every move is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from base.bilingual import Language
from base.errors import CluesError
from serving.access import service_of, visitor_of
from serving.console.page import page, refused
from serving.principal import Principal
from serving.routes.clues import require_clue, seen_clue
from serving.routes.history import history_of
from serving.service import Service

router = APIRouter(include_in_schema=False)
# More than three parts, or one record of a hundred, are told over HTTP.
PARTS, RECORDS = (1, 2, 3), 40
# Money is what a part seldom has all of; the other columns stay the clue's.
MONEY = "_cents"
FIELD = re.compile(r"part([123])_([a-z_0-9]{1,64})", re.ASCII)


@router.get("/console/clues/{clue_id}/split")
def split(request: Request, clue_id: str, language: Literal["zh", "en"] = "zh") -> Response:
    """What the clue becomes, part by part."""
    try:
        told = split_told(service_of(request), visitor_of(request), clue_id, language)
    except CluesError as error:
        return refused(request, language, error)
    here = f"/console/clues/{told['clue']['clue_id']}/split"
    return page(request, "split.html", language, here=here, fault="", places=[], typed={}, **told)


def split_told(
    service: Service, who: Principal, clue_id: str, language: Language
) -> dict[str, Any]:
    """Values of split.html. Raises NotFound."""
    row = require_clue(service, who, clue_id)
    titles = service.home.jurisdiction.clue_columns
    own = service.home.jurisdiction.manifest.clue_columns
    money = [name for name in titles if name.endswith(MONEY) and row[name] is not None]
    return {
        "clue": seen_clue(service, who, row),
        "stands": history_of(service, who, clue_id),
        "offices": [each for each in service.offices.offices if who.sees(each.office_id)],
        "parts": PARTS,
        "money": {name: own[name].title.in_language(language) for name in money},
        "pieces": _pieces(service, row["evidence"] or (), language),
    }


def _pieces(service: Service, evidence: Any, language: Language) -> list[str]:
    """The clue's records, named as readers know them; none where they are too many to tick."""
    if len(evidence) > RECORDS:
        return []
    contracts = service.home.jurisdiction.contracts
    told = []
    for reference in evidence:
        name, _, number = reference.rpartition("/")
        title = contracts[name].title.in_language(language) if name in contracts else name
        told.append(f"{title} {number}")
    return told


def parts_asked(fields: Mapping[str, str], evidence: Any) -> list[dict[str, Any]]:
    """The parts that a form names, as their message. A part without a ground is none; records are
    told by their place among the clue's `evidence`."""
    found: dict[str, dict[str, str]] = {}
    for name, value in fields.items():
        if (match := FIELD.fullmatch(name)) and value.strip():
            found.setdefault(match[1], {})[match[2]] = value.strip()
    return [_part(found[at], evidence) for at in sorted(found) if "ground_key" in found[at]]


def _part(given: dict[str, str], evidence: Any) -> dict[str, Any]:
    texts = ("ground_key", "subject_id", "office_id")
    part: dict[str, Any] = {name: given[name] for name in texts if name in given}
    for name, value in given.items():
        if name.endswith(MONEY):
            whole = value.isascii() and value.isdigit() and len(value) < 16
            part[name] = int(value) if whole else value
    if 0 < len(evidence) <= RECORDS:
        part["evidence"] = [
            reference for at, reference in enumerate(evidence) if f"record_{at}" in given
        ]
    return part
