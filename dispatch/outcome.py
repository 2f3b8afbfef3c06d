"""Outcomes coming back: what became of a clue is a record like any other, admitted by the same
intake. They may come late, twice or out of order; the end state is the same (P-4).

    take_outcomes -> source (read) -> the clue's own columns put beside -> intake of `outcomes`
                  -> events of the clues (outcome_events.py)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import sqlalchemy as sa

from base.errors import NotReady
from base.moment import Clock
from base.progress import SilentBar
from clues.register import require_clues
from dispatch.life_cycle import NOT_BEFORE_RAISED
from dispatch.outcome_events import settle
from dispatch.standing import PLATFORM
from governance.checks import Earliest, quoted
from governance.contract import Contract
from governance.home import Home
from governance.intake import Receipt, admit_sources
from governance.source import WholeSource, read_whole
from scoring.ledger.opening import open_ledger, writing

RECORD_SET = "outcomes"
CASE, NO_CASE = ("case_filed",), ("unfounded", "transferred", "case_withdrawn")
DECIDED = "decided_at"
TIMES = (DECIDED, "reported_at")
GIVEN = ("clue_id", "status", *TIMES)
# Empty in a row whose clue is not in the register; the contract requires it.
OF_THE_CLUE = "supervision_model"


def take_outcomes(home: Home, file: Path, clock: Clock, *, by: str = PLATFORM) -> dict[str, Any]:
    """Admit a file of clue_id, status, decided_at, reported_at; the clues move by what it says.

    Returns accepted, already_known and refused: one entry per row that cannot be used, with its
    reasons; those rows are in the quarantine too. Raises NotReady where the jurisdiction declares
    no outcomes or no clue was raised.
    """
    require_outcomes(home)
    source = read_whole(file)
    receipt = admit_outcomes(home, source, require_clues(home), clock)
    with writing(open_ledger(home.ledger_url)) as connection:
        settle_source(connection, home, source, clock, by=by)
    return told_receipt(receipt)


def require_outcomes(home: Home) -> Contract:
    """The contract of `outcomes`. Raises NotReady where there is none."""
    if RECORD_SET not in home.jurisdiction.contracts:
        raise NotReady(
            wanted="a contract for the record set outcomes",
            got=f"none in {home.jurisdiction.name}",
            cure="add records/outcomes.odcs.yaml (docs/declare.md)",
        )
    return home.jurisdiction.contract(RECORD_SET)


def admit_outcomes(home: Home, source: WholeSource, clues: pa.Table, clock: Clock) -> Receipt:
    """Admit the rows of a source about `clues`; one about any other clue is refused, and so is one
    decided or reported later than now, or decided before the day that its clue was raised."""
    contract = require_outcomes(home)
    columns = [column.name for column in contract.columns]
    source.rows = _with_clue_columns(source, clues, columns)
    times = [name for name in TIMES if contract.types.get(name) in ("date", "timestamp")]
    earliest = _raised(clues) if DECIDED in times else None
    return admit_sources(
        home, contract, [source], clock, SilentBar(), by_now=times, earliest=earliest
    )


def settle_source(
    connection: sa.Connection, home: Home, source: WholeSource, clock: Clock, *, by: str
) -> int:
    """Events for what the records say now of the clues that a source names."""
    if "clue_id" not in source.rows.column_names:
        return 0
    named = {str(each).strip() for each in source.rows["clue_id"].to_pylist() if each is not None}
    return settle(connection, home, named, at=clock.now(), by=by)


def told_receipt(receipt: Receipt) -> dict[str, Any]:
    """What became of each row of this call."""
    return {
        "batch": receipt.batch,
        "rows": receipt.rows,
        "accepted": receipt.admitted,
        "already_known": receipt.already_admitted,
        "refused": [
            {"row": row, "reasons": _told(reasons)}
            for row, reasons in sorted(receipt.refused, key=lambda each: each[0])
        ],
        "version": receipt.version,
    }


def _with_clue_columns(source: WholeSource, clues: pa.Table, columns: list[str]) -> pa.Table:
    """The file's rows, in their order, with the columns of the clue each one is about.

    Only what the contract of `outcomes` names; a row of an unknown clue gets nulls. What the file
    has beyond the four given columns stays, so that an unknown column is told, unless it would
    stand in for a column of the clue.
    """
    own = [name for name in columns if name in clues.column_names and name != "clue_id"]
    arrived = source.rows.column_names
    kept = [name for name in arrived if name not in own and name != "became_case"]
    selected = [f"f.{quoted(name)}" for name in kept] + [f"c.{quoted(name)}" for name in own]
    if "became_case" in columns and "status" in arrived:
        selected.append(f"{_became_case()} AS became_case")
    joined = "c.clue_id = trim(f.clue_id::VARCHAR)" if "clue_id" in arrived else "false"
    connection = duckdb.connect()
    connection.register("file_rows", source.rows)
    connection.register("clue_rows", clues)
    query = (
        f"SELECT {', '.join(selected)} FROM file_rows f LEFT JOIN clue_rows c ON {joined}"
        " ORDER BY f.source_row"
    )
    return connection.sql(query).to_arrow_table()


def _raised(clues: pa.Table) -> Earliest:
    """Nothing was decided of a clue before there was one; what was raised stays as it is, so the
    order in which words arrive changes nothing (P-4)."""
    moments = clues.select(["clue_id", "raised_at"]).rename_columns(["key", "earliest"])
    return Earliest(
        DECIDED,
        "clue_id",
        moments,
        NOT_BEFORE_RAISED,
        "mend decided_at at its source, or name the clue that was decided",
    )


def _became_case() -> str:
    """1 became a case, 0 did not, null = not decided yet (returned, withdrawn)."""

    def listed(values: tuple[str, ...]) -> str:
        return ", ".join(f"'{value}'" for value in values)

    status = "trim(f.status::VARCHAR)"
    return (
        f"CASE WHEN {status} IN ({listed(CASE)}) THEN 1"
        f" WHEN {status} IN ({listed(NO_CASE)}) THEN 0 END::BIGINT"
    )


def _told(reasons: list[dict[str, str]]) -> list[dict[str, str]]:
    """A missing clue is told as that, once, not as each empty column that it leaves."""
    if all(reason["column"] != OF_THE_CLUE for reason in reasons):
        return [dict(reason) for reason in reasons]
    unknown = {
        "column": "clue_id",
        "wanted": "the id of a clue raised here",
        "got": "an id that no clue has",
        "cure": "check the id, or raise clues first and send the row again",
    }
    own = [dict(reason) for reason in reasons if reason["column"] in GIVEN]
    return own if any(reason["column"] == "clue_id" for reason in own) else [unknown, *own]
