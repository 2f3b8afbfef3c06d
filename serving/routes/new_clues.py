"""POST /v1/clues: clues that the case system gives become work: stored, scored, in the queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request

from base.errors import Fault, nearest
from dispatch.new_clues import Admission, admit_clues
from dispatch.scoring_run import given_scores, lines_of, score_rows
from dispatch.standing import mark_scored, register, standing
from scoring.ledger import keep_scores
from serving.asked import asked_clues, has_own_columns
from serving.bounds import BATCH_BYTES
from serving.messages import ClueMessage, parse_message
from serving.once_only import Work, answer_once, body_of
from serving.principal import Principal
from serving.refusals import UnfitMessage
from serving.service import Service
from serving.work_messages import NewCluesRequest, new_clues_request

router = APIRouter()
REASONS = 5


@router.post("/v1/clues", openapi_extra=body_of(NewCluesRequest))
async def post_clues(request: Request) -> dict[str, Any]:
    """Admit clues, score them and put them in the queue: acknowledged when all of it is kept.

    A clue known under another id (same subject, same ground) joins that one. One that is in the
    queue already is scored again.
    """
    return await answer_once(request, _prepare, BATCH_BYTES)


def _prepare(service: Service, who: Principal, body: bytes) -> Work:
    """Everything but the ledger: stored clues and computed scores can be had twice."""
    asked = parse_message(new_clues_request(service.home.jurisdiction), body).clues
    now = service.clock.now()
    whole = [
        each.model_copy(update={"raised_at": now})
        if each.supervision_model is not None and each.raised_at is None
        else each
        for each in asked
    ]
    _require_different([each.clue_id for each in whole])
    scorer = service.champion()
    given = asked_clues(service, who, whole, None)
    _require_offices(service, whole)
    late = [at for at, raised in enumerate(given["raised_at"].to_pylist()) if raised > now]
    if late:
        raise UnfitMessage.gather(
            Fault("a clue raised by now", "a later moment", "mend it", f"clues.{at}.raised_at")
            for at in late
        )
    admission = admit_clues(service.home, given, service.clock, who.sees)
    if admission.taken:
        raise UnfitMessage.gather(
            Fault("an id of its own", "one that another clue has", "mend it", f"clues.{at}.clue_id")
            for at in admission.taken
        )
    clues = admission.clues
    scored = score_rows(scorer, clues, *service.feature_rows(clues)) if clues.num_rows else None

    def work(connection: sa.Connection) -> dict[str, Any]:
        lines = []
        if scored is not None:
            register(connection, clues, at=now, by=who.key_id)
            keep_scores(connection, given_scores(scored, now), by=who.key_id)
            ids = clues["clue_id"].to_pylist()
            mark_scored(connection, ids, at=now)
            stands = standing(connection, ids)
            language = service.home.jurisdiction.manifest.language
            lines = lines_of(scored, REASONS, language)
            lines = [{**line, "state": stands[line["clue_id"]]["state"]} for line in lines]
        return {"scorer": scorer.digest, "clues": lines, **_counts(admission, who)}

    return work


def _require_offices(service: Service, whole: Sequence[ClueMessage]) -> None:
    """A clue that no declared office has would wait for nobody, and be in no office's figures."""
    declared = service.offices.by_id
    faults = []
    for at, each in enumerate(whole):
        if each.office_id in declared or not has_own_columns(each):
            continue
        got = "none" if each.office_id is None else "another"
        cure = nearest(each.office_id or "", declared)
        faults.append(Fault("an office of offices.yaml", got, cure, f"clues.{at}.office_id"))
    if faults:
        raise UnfitMessage.gather(faults)


def _counts(admission: Admission, who: Principal) -> dict[str, Any]:
    """How many are new and known, which joined another clue, and what was not taken over of known
    ones: a clue stays at the office it was given first, until it is reassigned."""
    offices = {row["clue_id"]: row["office_id"] for row in admission.clues.to_pylist()}
    joined = [
        {"clue_id": given, "joined": into if into in offices or who.offices is None else None}
        for given, into in sorted(admission.joined.items())
    ]
    ignored = [
        {"clue_id": clue_id, "column": "office_id", "kept": offices[clue_id]}
        for clue_id in admission.elsewhere
    ]
    new = len(admission.new)
    return {
        "new": new,
        "known": admission.clues.num_rows - new,
        "joined": joined,
        "ignored": ignored,
    }


def _require_different(clue_ids: list[str]) -> None:
    doubled = [at for at, each in enumerate(clue_ids) if each in clue_ids[:at]]
    if doubled:
        raise UnfitMessage.gather(
            Fault("each clue once", "one given before", "leave it out", f"clues.{at}.clue_id")
            for at in doubled
        )
