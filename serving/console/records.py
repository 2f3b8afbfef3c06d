"""The steward's pages: record sets as they are held, and one of them with what was put aside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from base.errors import CluesError
from governance.access import cleared
from governance.freshness import standing, standings
from governance.holdings import Held, all_held, held, quarantined_rows
from governance.quality import measured
from governance.receipts import receipts
from scoring.audit import note_read
from scoring.catalogue import users_of
from serving.access import service_of, visitor_of
from serving.console.page import page, refused
from serving.principal import Principal
from serving.service import Service

router = APIRouter(include_in_schema=False)
Language = Literal["zh", "en"]
ROWS, BATCHES = 50, 50
OPEN = ("public", "internal")


@router.get("/console/records")
def catalogue(request: Request, language: Language = "zh") -> Response:
    """Every record set: rows, the newest record, the newest batch, what was put aside."""
    try:
        visitor_of(request)
        service = service_of(request)
        sets = all_held(service.home)
        stands = {each.record_set: each for each in standings(service.home, service.clock)}
    except CluesError as error:
        return refused(request, language, error)
    now = service.data_until or service.clock.now()
    return page(
        request,
        "records.html",
        language,
        sets=sets,
        stands=stands,
        days_since=lambda moment: days_since(moment, now),
        closed=closed_columns,
    )


@router.get("/console/records/{record_set}")
def record_set(
    request: Request,
    record_set: str,
    language: Language = "zh",
    column: Annotated[str, Query(max_length=200)] = "",
    start: Annotated[int, Query(ge=0, le=10**7)] = 0,
) -> Response:
    """One record set: its columns, its batches, the reasons of what was put aside, and the rows."""
    try:
        who = visitor_of(request)
        told = record_set_told(service_of(request), who, record_set, column, start)
    except CluesError as error:
        return refused(request, language, error)
    return page(request, "record_set.html", language, column=column, **told)


def record_set_told(
    service: Service, who: Principal, name: str, column: str, start: int
) -> dict[str, Any]:
    """Values of record_set.html. Raises NotFound.

    Values of closed columns are shown as they came only to roles that are cleared for them, and
    that one looked is told in the audit. Others see the shape of each.
    """
    found = held(service.home, name)
    seen = cleared(service.home.jurisdiction, who.role, "quality", who.offices)
    rows = quarantined_rows(service.home, name, column, start, ROWS + 1, seen)
    classes = {each.classification for each in found.contract.columns}
    closed, shown = classes - set(OPEN), bool(rows)
    if shown and closed & set(seen):
        note_read(
            service.ledger, who=who.key_id, about=name, what="quarantine", clock=service.clock
        )
    return {
        "held": found,
        "stands": standing(service.home, name, service.clock),
        "quality": measured(service.home, name),
        "turned_away": [
            each for each in receipts(service.home, name, BATCHES) if each.get("refused_because")
        ],
        "batches": found.batches[:BATCHES],
        "rows": rows[:ROWS],
        "more": start + ROWS if len(rows) > ROWS else None,
        "masked": bool(closed - set(seen)),
        "kept": bool(closed & set(seen)),
        "used": used_columns(service, name),
    }


def used_columns(service: Service, name: str) -> dict[str, Mapping[str, list[str]]]:
    """Column of a record set -> the supervision models, features and scorers that use it."""
    users = users_of(service.home, service.definitions)
    return {column: used for (record_set, column), used in users.items() if record_set == name}


def closed_columns(found: Held) -> int:
    """Columns that not everybody may read."""
    return sum(each.classification not in OPEN for each in found.contract.columns)


def days_since(moment: datetime | None, now: datetime) -> int | None:
    """Whole days from a moment to now; None without one, 0 for one to come."""
    return None if moment is None else max(0, (now - moment).days)
