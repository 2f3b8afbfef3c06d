"""What the page of one clue tells: where it stands, its score as a waterfall, its records."""

from __future__ import annotations

from bisect import bisect_left
from datetime import datetime
from typing import Any

from base.bilingual import Language
from base.errors import NotReady
from dispatch.standing import stands
from scoring.ledger import score_of_clue
from serving.clearance import cleared
from serving.console.evidence import evidence_tables
from serving.console.waterfall import by_group, by_reason
from serving.console.words import words_of
from serving.metrics import BANDS
from serving.principal import Principal
from serving.queue import seen_at_its_office
from serving.routes.clues import checks_for, found, seen_clue, similar_for, told_score
from serving.routes.history import course_of
from serving.service import Service

REASONS, SIMILAR, CHECKS = 10, 10, 5


def clue_told(service: Service, who: Principal, clue_id: str, language: Language) -> dict[str, Any]:
    """Values of clue.html and sheet.html. Raises NotFound."""
    row = found(service.clue_lookup.row(clue_id))
    with service.ledger.connect() as connection:
        now = found(stands(connection, clue_id))
        row = found(seen_at_its_office(who, row, now))
        given, course = score_of_clue(connection, clue_id), course_of(connection, who, now)
    told = told_score(service, who, given, language, REASONS)
    words = words_of(language)
    seen = cleared(who, service.home.jurisdiction)
    return {
        "clue": seen_clue(service, who, row),
        "told": told,
        "band": band_of(told["probability"]),
        "steps": by_reason(told, words),
        "groups": by_group(told, words),
        "stands": course,
        "late": is_late(course, service.clock.now()),
        "offices": [each for each in service.offices.offices if who.sees(each.office_id)],
        "model": service.supervision_models.get(row["supervision_model"]),
        "office": service.offices.by_id.get(now["office_id"] or ""),
        "evidence": evidence_tables(service, row["evidence"] or [], language, seen),
    }


def further_told(
    service: Service, who: Principal, clue_id: str, language: Language
) -> dict[str, Any]:
    """What to check next, and what became of clues like it. Raises NotFound."""
    similar = similar_for(service, who, clue_id, language, SIMILAR)
    try:
        checks = checks_for(service, who, clue_id, language, CHECKS)["checks"]
    except NotReady:  # a scorer of before reference rows were kept
        checks = []
    return {"similar": similar, "checks": checks}


def band_of(probability: float) -> tuple[float, float]:
    """The band that a probability lies in, as percentages from and to (serving/metrics.py)."""
    place = min(bisect_left(BANDS, probability), len(BANDS) - 1)
    return 100 * (BANDS[place - 1] if place else 0.0), 100 * BANDS[place]


def is_late(stands: dict[str, Any], now: datetime) -> bool:
    """Whether the deadline of the clue's present state has passed."""
    until = {
        "dispatched": stands["accept_until"],
        "accepted": stands["verify_until"],
        "verifying": stands["verify_until"],
        "supplement": stands["verify_until"],
    }.get(stands["state"])
    return until is not None and datetime.fromisoformat(until) < now
