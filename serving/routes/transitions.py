"""POST /v1/clues/{id}/transitions: a person, or the case system, moves a clue."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog
from fastapi import APIRouter, BackgroundTasks, Request

from base.errors import CluesError, Refused
from dispatch.endings import admit_endings
from dispatch.life_cycle import WORDS, Deadlines, load_deadlines
from dispatch.transition import move_in
from serving.access import service_of
from serving.messages import parse_message
from serving.once_only import Work, answer_once, body_of
from serving.principal import Principal
from serving.refusals import UnfitMessage
from serving.service import Service
from serving.splitting import prepare_split
from serving.work_messages import TransitionRequest, transition_request

router = APIRouter()
log = structlog.get_logger()


@router.post("/v1/clues/{clue_id}/transitions", openapi_extra=body_of(TransitionRequest))
async def post_transition(request: Request, clue_id: str, later: BackgroundTasks) -> dict[str, Any]:
    """Move a clue along its life cycle; 409 with where it stands if it has moved on meanwhile.

    A clue that is split (`to` split, two to ten `parts`) ends, and its parts stand in the queue,
    scored: the reply names them. Each has a `ground_key` of its own; all else is the clue's unless
    the part says otherwise.
    """
    told = await answer_once(
        request, lambda service, who, body: prepare_move(service, who, clue_id, body)
    )
    if told["state"] in WORDS:
        later.add_task(admit_later, service_of(request))
    return told


def prepare_move(service: Service, who: Principal, clue_id: str, body: bytes) -> Work:
    """What a move of a clue does in a transaction. Raises UnfitMessage for a message of another
    shape, as the work does for a missing reason or fact."""
    asked = parse_message(transition_request(service.home.jurisdiction), body)
    if (asked.parts is not None) != (asked.to == "split"):
        raise UnfitMessage(
            wanted="parts with `to` split, and there alone",
            got="parts without it, or it without parts",
            cure="name what the clue becomes in parts, or leave parts out",
            where="parts",
        )
    if asked.parts is not None:
        return prepare_split(service, who, clue_id, asked)
    if asked.office_id is not None and asked.office_id not in service.offices.by_id:
        raise _unfit_office()
    deadlines = _deadlines(service.home.jurisdiction.folder)

    def work(connection: sa.Connection) -> dict[str, Any]:
        try:
            return move_in(
                connection,
                clue_id,
                asked.to,
                by=who.key_id,
                role=who.role,
                offices=who.offices,
                expects=asked.expects,
                at=service.clock.now(),
                reason=asked.reason,
                facts=asked.facts,
                deadlines=deadlines,
            )
        except Refused as error:
            raise UnfitMessage.gather(error.faults) from None

    return work


def admit_later(service: Service) -> None:
    """A decision that cannot be admitted now is admitted with the next one, or by a scoring."""
    try:
        admit_endings(service.home, service.ledger, service.clock)
    except (CluesError, OSError, sa.exc.SQLAlchemyError) as error:
        log.warning("endings_wait", kind=type(error).__name__)


def _unfit_office() -> UnfitMessage:
    return UnfitMessage(
        wanted="an office of yours", got="another", cure="leave it out", where="office_id"
    )


@lru_cache(maxsize=4)
def _deadlines(jurisdiction: Path) -> Deadlines:
    return load_deadlines(jurisdiction)
