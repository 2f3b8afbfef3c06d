"""Clues as a request gives them: by id, or whole; turned into the clue table features read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from base.errors import Fault, nearest
from clues.clue import clue_schema
from clues.register import read_clues
from clues.supervision import SupervisionModel
from serving.messages import ClueMessage
from serving.refusals import UnfitMessage
from serving.service import Service

WHOLE = ("supervision_model", "subject_id", "raised_at")


def asked_clues(
    service: Service, asked: Sequence[ClueMessage], moment: datetime | None
) -> pa.Table:
    """The clue table of a request, in its order.

    A clue given by its id alone is read from the register. Raises UnfitMessage, every fault.
    """
    by_id = [each.clue_id for each in asked if not _own_columns(each)]
    known = {row["clue_id"]: row for row in read_clues(service.home, by_id).to_pylist()}
    rows: list[dict[str, Any]] = []
    faults: list[Fault] = []
    for at, each in enumerate(asked):
        if not _own_columns(each):
            row = known.get(each.clue_id)
            faults += [] if row else [_unknown(at)]
        else:
            found = _whole_faults(service, each, at)
            faults += found
            row = None if found else _row(service, each)
        rows.append(row or {})
    if faults:
        raise UnfitMessage.gather(faults)
    schema = clue_schema(service.home.jurisdiction)
    if moment is not None:
        rows = [{**row, "raised_at": moment} for row in rows]
    return pa.Table.from_pylist(rows, schema=schema)


def _own_columns(clue: ClueMessage) -> bool:
    return bool(clue.model_fields_set - {"clue_id"})


def _unknown(at: int) -> Fault:
    return Fault(
        "the id of a clue raised here, or a whole clue",
        "an id that no clue has",
        f"give {', '.join(WHOLE)} and the clue's columns",
        f"clues.{at}",
    )


def _whole_faults(service: Service, clue: ClueMessage, at: int) -> list[Fault]:
    faults = [
        Fault("a value", "nothing", "give it, or the clue_id alone", f"clues.{at}.{name}")
        for name in WHOLE
        if getattr(clue, name) is None
    ]
    model = clue.supervision_model
    if model is not None and model not in service.supervision_models:
        cure = nearest(model, service.supervision_models)
        where = f"clues.{at}.supervision_model"
        faults.append(Fault("a supervision model", "another", cure, where))
    if clue.raised_at is not None and clue.raised_at.tzinfo is not None:
        where = f"clues.{at}.raised_at"
        faults.append(Fault("wall time, no offset", "an offset", "leave it out", where))
    return faults


def _row(service: Service, clue: ClueMessage) -> dict[str, Any]:
    model: SupervisionModel = service.supervision_models[str(clue.supervision_model)]
    head = model.head
    return {
        **clue.model_dump(),
        "model_version": model.version,
        "function": head.function,
        "severity": head.severity,
        "subject_kind": head.subject,
        "ground": head.ground,
    }
