"""The queue as an office sees it: open clues, best first, with each office's capacity line."""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow.compute as pc

from clues.register import read_clues
from dispatch.open_clues import closed_clues
from dispatch.order import ordered_clues
from dispatch.ranking import Candidate, Ranked, fill_capacity
from scoring.ledger import newest_scores
from serving.principal import Principal
from serving.refusals import UnfitMessage
from serving.service import Service

EXPLORATION_SHARE = 0.1


@dataclass(frozen=True)
class Page:
    """Entries of the queue, and where the next ones begin (None: no more)."""

    entries: list[dict[str, Any]]
    next_cursor: str | None
    total: int
    capacity: int


def queue_page(
    service: Service, who: Principal, office: str | None, limit: int, cursor: str | None
) -> Page:
    """A page of the queue over the offices that both the principal and `office` cover."""
    seen = _visible_offices(service, who, office)
    scores = {score["clue_id"]: score for score in newest_scores(service.ledger)}
    ranked = sorted(
        _ranked(service, seen, list(scores.values())),
        key=lambda each: (not each.within_capacity, -each.margin, each.clue_id),
    )
    start = _start(ranked, cursor)
    shown = ranked[start : start + limit]
    more = start + limit < len(ranked)
    return Page(
        entries=_told(service, shown, scores),
        next_cursor=_cursor(shown[-1].clue_id) if more and shown else None,
        total=len(ranked),
        capacity=sum(each.within_capacity for each in ranked),
    )


def _visible_offices(service: Service, who: Principal, office: str | None) -> frozenset[str] | None:
    """None: all, also those a clue names and offices.yaml does not.

    Raises UnfitMessage for an office that is unknown or not the caller's: both alike.
    """
    if office is None:
        return who.offices
    own = frozenset(service.offices.by_id) if who.offices is None else who.offices
    if office not in own:
        raise UnfitMessage(
            wanted="an office of yours", got="another", cure="leave office out", where="office"
        )
    return service.offices.subtree(office) & own


def _ranked(
    service: Service, offices: frozenset[str] | None, scores: list[dict[str, Any]]
) -> list[Ranked]:
    """Every visible office's queue. The lot is drawn anew each calendar week.

    An office that is not declared has no capacity, but its clues are not lost from sight.
    """
    now = service.clock.now()
    week = "{}-W{:02d}".format(*now.isocalendar()[:2])
    gone = closed_clues(service.home, now) | set(ordered_clues(service.ledger))
    by_office: dict[str, list[Candidate]] = defaultdict(list)
    for score in scores:
        seen = offices is None or score["office_id"] in offices
        if seen and score["clue_id"] not in gone:
            candidate = Candidate(score["clue_id"], score["office_id"] or "", score["margin"])
            by_office[candidate.office_id].append(candidate)
    ranked: list[Ranked] = []
    for office_id, candidates in sorted(by_office.items()):
        office = service.offices.by_id.get(office_id)
        ranked += fill_capacity(
            candidates,
            office.weekly_capacity if office else 0,
            exploration_share=EXPLORATION_SHARE,
            seed=f"{office_id} {week}",
        )
    return ranked


def _told(
    service: Service, shown: list[Ranked], scores: dict[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    clues = read_clues(service.home, [each.clue_id for each in shown])
    names = ["clue_id", "supervision_model", "function", "raised_at", "severity"]
    rows = {row["clue_id"]: row for row in clues.select(names).to_pylist()}
    told = []
    for each in shown:
        row = rows.get(each.clue_id, {})
        model = service.supervision_models.get(str(row.get("supervision_model")))
        office = service.offices.by_id.get(each.office_id)
        score = scores[each.clue_id]
        told.append(
            {
                **asdict(each),
                "probability": score["probability"],
                "scorer": score["scorer"],
                "supervision_model": row.get("supervision_model"),
                "title": model.head.title.model_dump() if model else None,
                "function": row.get("function"),
                "severity": row.get("severity"),
                "raised_at": row["raised_at"].isoformat() if row else None,
                "office": office.title.model_dump() if office else None,
            }
        )
    return told


def visible_clue(service: Service, who: Principal, clue_id: str) -> dict[str, Any] | None:
    """A clue's row, or None where there is none or it is not the caller's: both alike (P-10)."""
    clues = read_clues(service.home, [clue_id])
    clues = clues.filter(pc.equal(clues["clue_id"], clue_id))
    rows = clues.to_pylist()
    return rows[0] if rows and who.sees(rows[0]["office_id"]) else None


def _cursor(clue_id: str) -> str:
    return base64.urlsafe_b64encode(clue_id.encode()).decode()


def _start(ranked: list[Ranked], cursor: str | None) -> int:
    """The place after the cursor's clue."""
    if cursor is None:
        return 0
    try:
        clue_id = base64.urlsafe_b64decode(cursor.encode()).decode()
        return [each.clue_id for each in ranked].index(clue_id) + 1
    except (ValueError, binascii.Error):
        raise UnfitMessage(
            wanted="a cursor of an earlier page",
            got="another, or one whose clue has left the queue",
            cure="start again without a cursor",
            where="cursor",
        ) from None
