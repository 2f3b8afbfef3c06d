"""Clues as a request gives them: by id, or whole; turned into the clue table features read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from base.errors import Fault, nearest
from clues.clue import asked_schema, clue_asked_at
from clues.supervision import SupervisionModel
from serving.messages import ClueMessage
from serving.principal import Principal
from serving.refusals import UnfitMessage
from serving.service import Service

WHOLE = ("supervision_model", "subject_id", "raised_at")


def asked_clues(
    service: Service, who: Principal, asked: Sequence[ClueMessage], moment: datetime | None
) -> pa.Table:
    """The clue table of a request, in its order.

    A clue given by its id alone is read from the register; one of another office is as unknown as
    one that never was (P-10). Raises UnfitMessage, every fault.
    """
    by_id = {each.clue_id for each in asked if not has_own_columns(each)}
    stored = (service.clue_lookup.row(clue_id) for clue_id in by_id)
    known = {row["clue_id"]: row for row in stored if row and who.sees(row["office_id"])}
    rows: list[dict[str, Any]] = []
    faults = [] if moment is None or moment.tzinfo is None else [_offset("moment")]
    for at, each in enumerate(asked):
        if not has_own_columns(each):
            row = known.get(each.clue_id)
            faults += [] if row else [_unknown(at)]
        else:
            found = _whole_faults(service, who, each, at)
            faults += found
            row = None if found else _row(service, each)
        rows.append(row or {})
    if moment is not None and not faults:
        faults = [_too_early(at) for at, row in enumerate(rows) if row["raised_at"] > moment]
        rows = [clue_asked_at(row, moment) for row in rows]
    if faults:
        raise UnfitMessage.gather(faults)
    return pa.Table.from_pylist(rows, schema=asked_schema(service.home.jurisdiction))


def has_own_columns(clue: ClueMessage) -> bool:
    """Whether it brings more than its id."""
    return bool(clue.model_fields_set - {"clue_id"})


def _unknown(at: int) -> Fault:
    return Fault(
        "the id of a clue raised here, or a whole clue",
        "an id that no clue has",
        f"give {', '.join(WHOLE)} and the clue's columns",
        f"clues.{at}",
    )


def _offset(where: str) -> Fault:
    return Fault("wall time, no offset", "an offset", "leave it out", where)


def _too_early(at: int) -> Fault:
    """What the clue itself says was not known before it was raised (P-15)."""
    cure = "give a later moment, or leave moment out"
    return Fault("a clue raised by the moment asked about", "a later one", cure, f"clues.{at}")


def _whole_faults(service: Service, who: Principal, clue: ClueMessage, at: int) -> list[Fault]:
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
    if clue.office_id is not None and not who.sees(clue.office_id):
        where = f"clues.{at}.office_id"
        faults.append(Fault("an office of yours", "another", "leave office_id out", where))
    if "\0" in clue.clue_id + (clue.office_id or ""):
        where = f"clues.{at}.clue_id"
        faults.append(Fault("text that can be kept", "a NUL in it", "leave it out", where))
    times = [(name, value) for name, value in clue if isinstance(value, datetime)]
    return faults + [_offset(f"clues.{at}.{name}") for name, value in times if value.tzinfo]


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
