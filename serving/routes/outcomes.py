"""POST /v1/outcomes: what became of clues comes back; late, twice or out of order is all one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from fastapi import APIRouter, Request

from base.errors import Fault
from clues.register import read_clues
from dispatch.endings import as_told
from dispatch.outcome import admit_outcomes, require_outcomes, settle_source, told_receipt
from dispatch.standing import chunks, standing
from governance.source import from_table
from serving.bounds import BATCH_BYTES
from serving.messages import parse_message
from serving.once_only import Work, answer_once, body_of
from serving.principal import Principal
from serving.refusals import UnfitMessage
from serving.service import Service
from serving.work_messages import OutcomeMessage, OutcomesRequest

router = APIRouter()


@router.post("/v1/outcomes", openapi_extra=body_of(OutcomesRequest))
async def post_outcomes(request: Request) -> dict[str, Any]:
    """Take outcomes in as records; the clues move by the newest word on each.

    `refused` tells of each one that cannot be used by its place in the request, `stays` of each one
    after which its clue stands otherwise than it says (`state`): a newer word, or a person since.
    """
    return await answer_once(request, _prepare, BATCH_BYTES)


def _prepare(service: Service, who: Principal, body: bytes) -> Work:
    return prepare_outcomes(service, who, parse_message(OutcomesRequest, body).outcomes)


def prepare_outcomes(service: Service, who: Principal, asked: list[OutcomeMessage]) -> Work:
    """Admit the records, which can be done twice; what the ledger says of them is left to do.

    Raises UnfitMessage for times with an offset.
    """
    _require_wall_time(asked)
    contract = require_outcomes(service.home)
    rows = [
        {
            "clue_id": each.clue_id,
            "status": each.status,
            "decided_at": as_told(contract, "decided_at", each.decided_at),
            "reported_at": as_told(contract, "reported_at", each.reported_at),
        }
        for each in asked
    ]
    source = from_table("outcomes", pa.Table.from_pylist(rows))
    receipt = admit_outcomes(service.home, source, _clues_of(service, who, asked), service.clock)
    told = told_receipt(receipt)
    for refused in told["refused"]:
        refused["place"] = refused.pop("row") - 1
    unused = {refused["place"] for refused in told["refused"]}
    used = {place: each for place, each in enumerate(asked) if place not in unused}

    def work(connection: sa.Connection) -> dict[str, Any]:
        settle_source(connection, service.home, source, service.clock, by=who.key_id)
        kept = {name: told[name] for name in ("accepted", "already_known", "refused")}
        return {**kept, "stays": _stays(connection, used), "version": told["version"]}

    return work


def _stays(connection: sa.Connection, used: Mapping[int, OutcomeMessage]) -> list[dict[str, Any]]:
    """Words that leave their clue where it is, with the state it is in."""
    rows: dict[str, dict[str, Any]] = {}
    for chunk in chunks(sorted({each.clue_id.strip() for each in used.values()})):
        rows |= standing(connection, chunk)
    return [
        {"place": place, "state": rows[clue]["state"]}
        for place, each in used.items()
        if (clue := each.clue_id.strip()) in rows and rows[clue]["state"] != each.status.strip()
    ]


def _clues_of(service: Service, who: Principal, asked: list[OutcomeMessage]) -> pa.Table:
    """The clues named that the caller may see: another office's is as unknown as none (P-10)."""
    clues = read_clues(service.home, {each.clue_id for each in asked})
    if who.offices is None:
        return clues
    return clues.filter(pc.is_in(clues["office_id"], pa.array(sorted(who.offices), pa.string())))


def _require_wall_time(asked: list[OutcomeMessage]) -> None:
    faults = [
        Fault("wall time, no offset", "an offset", "leave it out", f"outcomes.{at}.{name}")
        for at, each in enumerate(asked)
        for name in ("decided_at", "reported_at")
        if getattr(each, name).tzinfo is not None
    ]
    if faults:
        raise UnfitMessage.gather(faults)
