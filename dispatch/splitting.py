"""A clue split: one that turns out to be several becomes several, each on a ground of its own.

    parts_of (checked, what is stored already is found) -> split_in: the clue moves to `split`, its
    parts are appended to the register and stand in the ledger, all in one transaction

What a part says, a person said now: its moment is now, and what became of it is judged from then
on. The split clue has ended without a label, as a merged one has (training/label.py). A crash
between the register and the ledger leaves the clue where it was; the same split again takes the
parts that it finds and ends what was begun.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from base.errors import Conflict, Fault, Refused, nearest
from clues.clue import FIXED_COLUMNS, SEPARATOR, clue_id, clue_schema
from clues.register import read_clues
from clues.supervision import SupervisionModel
from dispatch.new_clues import append_clues
from dispatch.standing import register
from dispatch.transition import move_in
from governance import tables
from governance.home import Home
from scoring.ledger.tables import clue_states

FEWEST, MOST = 2, 10
Sees = Callable[[str | None], bool]


@dataclass(frozen=True)
class Part:
    """One of the clues that a clue becomes. What is left out is the clue's own.

    `evidence`: some of the clue's records. `columns`: values of the jurisdiction's own columns.
    """

    ground_key: str
    subject_id: str | None = None
    supervision_model: str | None = None
    office_id: str | None = None
    evidence: tuple[str, ...] | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Parts:
    """`clues`: rows of the register, in the order asked; `fresh` are those not stored yet."""

    clues: pa.Table
    fresh: tuple[dict[str, Any], ...]

    @property
    def ids(self) -> list[str]:
        found: list[str] = self.clues["clue_id"].to_pylist()
        return found


def parts_of(
    home: Home,
    clue: Mapping[str, Any],
    asked: Sequence[Part],
    models: Mapping[str, SupervisionModel],
    offices: Collection[str],
    sees: Sees,
    at: datetime,
) -> Parts:
    """The rows of a clue's parts. `clue`: its row of the register with the office where it stands.

    `offices`: those a part may be given to; `sees`: whether the one who splits may know of an
    office's clues: another's clue on the same ground is not told of (P-10). Raises Refused, every
    fault.
    """
    faults = [*_count_fault(asked), *_faults(clue, asked, models, offices)]
    if faults:
        raise Refused.gather(faults)
    rows = [_row(home, clue, part, models.get(part.supervision_model or "")) for part in asked]
    faults = [*_same_grounds(clue, rows)]
    stored = {row["clue_id"]: row for row in read_clues(home, _ids(clue, rows)).to_pylist()}
    for place, row in enumerate(rows):
        known = stored.get(row["clue_id"])
        if known is not None and known["batch"] != batch_of(clue):
            if sees(known["office_id"]):
                faults.append(_taken(place))
            row["clue_id"] = _own_id(clue, row)
    if faults:
        raise Refused.gather(faults)
    fresh = [{**row, "raised_at": at} for row in rows if row["clue_id"] not in stored]
    by_id = {row["clue_id"]: row for row in fresh} | stored
    schema = clue_schema(home.jurisdiction)
    ordered = [by_id[row["clue_id"]] for row in rows]
    return Parts(pa.Table.from_pylist(ordered, schema=schema), tuple(fresh))


def split_in(
    connection: sa.Connection,
    home: Home,
    split: str,
    parts: Parts,
    *,
    by: str,
    role: str,
    offices: Collection[str] | None,
    expects: str | int | None,
    at: datetime,
    reason: str,
) -> dict[str, Any]:
    """Split the clue in the caller's transaction; returns where it stands, and its `parts`.

    Raises as `dispatch.transition.move` does, Conflict too where a part was raised meanwhile.
    """

    def also(connection: sa.Connection, _: Mapping[str, Any]) -> None:
        _store(home, split, parts, at)
        register(connection, parts.clues, at=at, by=by)
        connection.execute(
            sa.update(clue_states)
            .where(clue_states.c.clue_id.in_(parts.ids))
            .values(split_from=split)
        )

    told = move_in(
        connection,
        split,
        "split",
        by=by,
        role=role,
        offices=offices,
        expects=expects,
        at=at,
        reason=reason,
        facts={"parts": ", ".join(parts.ids)},
        also=also,
    )
    return {**told, "parts": parts.ids}


def batch_of(clue: Mapping[str, Any]) -> str:
    """What the register notes of the parts of a clue."""
    return f"split {clue['clue_id']}"


def _store(home: Home, split: str, parts: Parts, at: datetime) -> None:
    with tables.writing(home.table("clues")):
        fresh = [dict(row) for row in parts.fresh]
        if read_clues(home, [row["clue_id"] for row in fresh]).num_rows:
            raise Conflict(
                wanted="parts that are no clue yet",
                got="one that was raised meanwhile",
                cure="look at the clue again",
            )
        if fresh:
            append_clues(home, fresh, at, batch_of({"clue_id": split}))


def _count_fault(asked: Sequence[Part]) -> list[Fault]:
    if FEWEST <= len(asked) <= MOST:
        return []
    got = f"{len(asked)}"
    return [Fault(f"{FEWEST} to {MOST} parts", got, "name what the clue becomes", "parts")]


def _faults(
    clue: Mapping[str, Any],
    asked: Sequence[Part],
    models: Mapping[str, SupervisionModel],
    offices: Collection[str],
) -> list[Fault]:
    faults = []
    records = set(clue["evidence"] or ())
    for place, part in enumerate(asked):
        if not part.ground_key.strip():
            faults.append(Fault("a ground of its own", "none", "say which", _at(place)))
        name = part.supervision_model
        if name is not None and name not in models:
            where = f"parts.{place}.supervision_model"
            cure = nearest(name, models)
            faults.append(Fault("a supervision model", "another", cure, where))
        if part.office_id is not None and part.office_id not in offices:
            where = f"parts.{place}.office_id"
            faults.append(Fault("an office of yours", "another", "leave office_id out", where))
        if part.evidence is not None and not set(part.evidence) <= records:
            where = f"parts.{place}.evidence"
            cure = "name records that the clue has, or leave evidence out"
            faults.append(Fault("records of the clue", "others", cure, where))
    return faults


def _row(
    home: Home, clue: Mapping[str, Any], part: Part, model: SupervisionModel | None
) -> dict[str, Any]:
    """A part as the register has it, without what is set when it is stored."""
    own = home.jurisdiction.clue_columns
    row: dict[str, Any] = {name: clue.get(name) for name in (*FIXED_COLUMNS, *own)} | dict(
        part.columns
    )
    row |= {
        "ground_key": part.ground_key.strip(),
        "subject_id": part.subject_id or clue["subject_id"],
        "office_id": part.office_id or clue["office_id"],
        "evidence": list(clue["evidence"] or () if part.evidence is None else part.evidence),
    }
    if model is not None:
        row |= {
            "supervision_model": model.name,
            "model_version": model.version,
            "function": model.head.function,
            "severity": model.head.severity,
            "subject_kind": model.head.subject,
            "ground": model.head.ground,
        }
    row["clue_id"] = clue_id(row["ground"], row["subject_id"], row["ground_key"])
    return row


def _same_grounds(clue: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Fault]:
    """A part is neither the clue itself nor another part."""
    seen = {clue_id(clue["ground"], clue["subject_id"], clue["ground_key"])}
    faults = []
    for place, row in enumerate(rows):
        if row["clue_id"] in seen:
            cure = "give it a ground_key of its own"
            faults.append(Fault("a ground of its own", "one given before", cure, _at(place)))
        seen.add(row["clue_id"])
    return faults


def _taken(place: int) -> Fault:
    cure = "merge the clue into that one, or name another ground"
    return Fault("a ground that no clue has", "one that another clue has", cure, _at(place))


def _ids(clue: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [each for row in rows for each in (row["clue_id"], _own_id(clue, row))]


def _own_id(clue: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The id of a part whose ground an unseen clue has: nobody is told, and none is doubled."""
    key = f"{row['ground_key']}{SEPARATOR}{clue['clue_id']}"
    return clue_id(row["ground"], row["subject_id"], key)


def _at(place: int) -> str:
    return f"parts.{place}.ground_key"
