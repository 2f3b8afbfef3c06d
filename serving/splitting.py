"""A clue split by a request: its parts checked and scored, then all of it kept at once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from base.errors import Refused
from dispatch.scoring_run import given_scores, score_rows
from dispatch.splitting import Part, parts_of, split_in
from dispatch.standing import mark_scored
from scoring.ledger import keep_scores
from serving.once_only import Work
from serving.principal import Principal
from serving.refusals import UnfitMessage
from serving.routes.clues import require_clue
from serving.service import Service
from serving.work_messages import PartMessage, TransitionRequest


def prepare_split(service: Service, who: Principal, clue_id: str, asked: TransitionRequest) -> Work:
    """What a split does in a transaction. Raises NotFound, UnfitMessage."""
    clue = require_clue(service, who, clue_id)
    now = service.clock.now()
    offices = [each for each in service.offices.by_id if who.sees(each)]
    named = [_part(each) for each in asked.parts or ()]
    models = service.supervision_models
    try:
        parts = parts_of(service.home, clue, named, models, offices, who.sees, now)
    except Refused as error:
        raise UnfitMessage.gather(error.faults) from None
    rows = service.feature_rows(parts.clues)
    scored = score_rows(service.champion(), parts.clues, *rows)

    def work(connection: sa.Connection) -> dict[str, Any]:
        try:
            told = split_in(
                connection,
                service.home,
                clue_id,
                parts,
                by=who.key_id,
                role=who.role,
                offices=who.offices,
                expects=asked.expects,
                at=now,
                reason=asked.reason,
            )
        except Refused as error:
            raise UnfitMessage.gather(error.faults) from None
        keep_scores(connection, given_scores(scored, now), by=who.key_id)
        mark_scored(connection, parts.ids, at=now)
        return told

    return work


def _part(message: PartMessage) -> Part:
    fixed = {"ground_key", "subject_id", "supervision_model", "office_id"}
    given = message.model_dump(exclude_unset=True)
    evidence = given.pop("evidence", None)
    return Part(
        **{name: given.pop(name) for name in fixed & set(given)},
        evidence=None if evidence is None else tuple(evidence),
        columns=given,
    )
