"""Clues that another system gives: into the same register as those raised here, once.

The same subject on the same ground is one clue, whoever finds it: a given one that is known under
another id joins that one and is not stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from base.moment import Clock
from clues.clue import clue_schema
from governance import tables
from governance.home import Home

IDENTITY = ("ground", "subject_id", "ground_key")
BATCH = "given"


@dataclass(frozen=True)
class Admission:
    """`clues`: those to work on, new or known, as the register has them. `joined`: given id ->
    the clue it is. `taken`: places of given clues whose id another clue has. `elsewhere`: known
    clues that were given again with another office than they have."""

    clues: pa.Table
    new: frozenset[str]
    joined: dict[str, str]
    taken: tuple[int, ...]
    elsewhere: tuple[str, ...] = ()


def admit_clues(
    home: Home, given: pa.Table, clock: Clock, sees: Callable[[str | None], bool]
) -> Admission:
    """Store given clues that are not there yet, in one commit; nothing where an id is taken.

    `given` has the columns of the clue table. `sees`: whether the giver may know of an office's
    clues; an id of a clue that he may not see is taken like any other.
    """
    path = home.table("clues")
    with tables.writing(path):
        stored = _alike(home, given)
        by_id = {row["clue_id"]: row for row in stored}
        by_identity = {_identity(row): row for row in reversed(stored)}
        rows = given.to_pylist()
        taken = tuple(
            at for at, row in enumerate(rows) if _is_taken(row, by_id.get(row["clue_id"]), sees)
        )
        fresh: list[dict[str, Any]] = []
        joined: dict[str, str] = {}
        for row in [] if taken else rows:
            known = by_identity.get(_identity(row))
            if known is None:
                by_identity[_identity(row)] = row
                fresh.append(row)
            elif known["clue_id"] != row["clue_id"]:
                joined[row["clue_id"]] = known["clue_id"]
        if fresh:
            append_clues(home, fresh, clock.now(), BATCH)
    wanted = {row["clue_id"] for row in rows} - set(joined) if not taken else set()
    known_rows = [row for row in stored if row["clue_id"] in wanted]
    table = pa.Table.from_pylist([*known_rows, *fresh], schema=clue_schema(home.jurisdiction))
    elsewhere = tuple(
        row["clue_id"]
        for row in rows
        if row["clue_id"] in wanted
        and row["office_id"] != by_id.get(row["clue_id"], row)["office_id"]
    )
    new = frozenset(row["clue_id"] for row in fresh)
    return Admission(table, new, joined, taken, elsewhere)


def _identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in IDENTITY)


def _is_taken(
    row: dict[str, Any], known: dict[str, Any] | None, sees: Callable[[str | None], bool]
) -> bool:
    return known is not None and (
        _identity(known) != _identity(row) or not sees(known["office_id"])
    )


def _alike(home: Home, given: pa.Table) -> list[dict[str, Any]]:
    """Stored clues of the same id or subject, the first raised first."""
    stored = tables.dataset(home.table("clues"))
    if stored is None:
        return []
    same = pc.field("clue_id").isin(given["clue_id"].combine_chunks()) | pc.field(
        "subject_id"
    ).isin(given["subject_id"].combine_chunks())
    return list(stored.to_table(filter=same).sort_by("record_no").to_pylist())


def append_clues(home: Home, fresh: list[dict[str, Any]], now: datetime, batch: str) -> None:
    """Append rows to the register, under its lock (`tables.writing`); sets their system columns.

    A clue happened when it was raised there, and is known from now on.
    """
    path = home.table("clues")
    stored = tables.dataset(path)
    count = 0 if stored is None else stored.count_rows()
    for number, row in enumerate(fresh, count + 1):
        row |= {
            "record_no": number,
            "happened_at": row["raised_at"],
            "known_at": now,
            "retracted_at": None,
            "batch": batch,
        }
    schema = clue_schema(home.jurisdiction)
    tables.append(path, pa.Table.from_pylist(fresh, schema=schema), {"batch": batch})
