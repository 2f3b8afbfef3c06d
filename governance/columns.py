"""Columns against the contract's: those of a file, and those that rows are stored in.

A contract may be given another optional column when rows are stored already. Old rows have it
missing, before it is taken in (`filled`, when they are read) and after (`take_in_columns`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from datetime import datetime
from difflib import SequenceMatcher
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from base.errors import Fault, Refused
from governance import tables
from governance.arrow_types import ARROW_TYPES
from governance.checks import SQL_TYPES, literal, quoted
from governance.contract import SYSTEM_COLUMNS, Contract
from governance.engine import file_list

# Contract's type -> whether an Arrow type is how it is stored.
STORED_AS = {
    "integer": pa.types.is_integer,
    "number": pa.types.is_floating,
    "string": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    "date": pa.types.is_date,
    "timestamp": pa.types.is_timestamp,
    "boolean": pa.types.is_boolean,
}
# From this likeness on (1: the same) an unknown column is taken for a missing one, renamed.
LIKE_NAMES = 0.6
# In the table's schema: since when a column is there that came later than its first rows.
TAKEN_IN = "clues.taken_in"
CURE = "keep the stored columns, or declare another record set and admit the files there"


def column_notices(contract: Contract, file: str, arrived: list[str]) -> list[Fault]:
    """What the file's columns have too many or too few of, against the contract's."""
    expected = [column.name for column in contract.columns if column.transform is None]
    missing = [name for name in expected if name not in arrived]
    strays = [name for name in arrived if name not in expected]
    likest = renamed(strays, missing)
    notices = []
    for name in strays:
        meant = likest.get(name)
        cure = f"write {meant!r}" if meant else "declare it, or ask the sender to drop it"
        wanted, got = f"a column of {contract.record_set}", f"unknown column {name!r} (not stored)"
        notices.append(Fault(wanted, got, cure, f"{file}: row 1"))
    for name in missing:
        stray = next((each for each in strays if likest.get(each) == name), None)
        cure = f"rename {stray!r}" if stray else "ask the sender for it"
        notices.append(Fault(f"the column {name!r}", "no such column", cure, f"{file}: row 1"))
    return notices


def renamed(strays: list[str], missing: list[str]) -> dict[str, str]:
    """Which unknown column may stand for which missing one: the likest pairs first, each name once.
    Where one came and one is missing they are a pair, however they are called."""
    if len(strays) == len(missing) == 1:
        return {strays[0]: missing[0]}
    pairs = sorted((-_likeness(stray, name), stray, name) for stray in strays for name in missing)
    found: dict[str, str] = {}
    for unlike, stray, name in pairs:
        if -unlike >= LIKE_NAMES and stray not in found and name not in found.values():
            found[stray] = name
    return found


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one.lower(), other.lower()).ratio()


def late_columns(table: Path) -> dict[str, datetime]:
    """Columns that were taken in when rows were stored already, and when that was."""
    held = tables.open_table(table)
    fields = [] if held is None else held.schema().fields
    return {
        each.name: datetime.fromisoformat(each.metadata[TAKEN_IN])
        for each in fields
        if TAKEN_IN in each.metadata
    }


def stored_columns(table: Path, version: int | None = None) -> list[str]:
    """The columns that rows of a version are stored with; none before the first row."""
    held = tables.open_table(table, version)
    return [] if held is None else [each.name for each in held.schema().fields]


def filled(files: list[str], contract: Contract, stored: Collection[str]) -> str:
    """SELECT over files of one version: columns declared since then are missing in every row."""
    since = [column for column in contract.columns if column.name not in stored]
    missing = "".join(f", NULL::{SQL_TYPES[each.type]} AS {quoted(each.name)}" for each in since)
    return f"SELECT *{missing} FROM {file_list(files)}"


def take_in_columns(
    connection: duckdb.DuckDBPyConnection, contract: Contract, table: Path, now: datetime
) -> list[str]:
    """Give stored rows the optional columns that the contract has and they have not: as missing.

    Raises Refused where the contract differs in any other way. The files are written again, so that
    all of a version have one shape for every reader; the table's schema tells since when a column
    is there. A crash in between leaves what the next call completes. Returns the columns' names.
    """
    require_stored_alike(contract, table)
    stored = stored_columns(table)
    new = [column for column in contract.columns if stored and column.name not in stored]
    if not new:
        return []
    parts, replaced = [], []
    with tempfile.TemporaryDirectory(dir=table, prefix=".columns_") as folder:
        for name, rows in tables.file_rows(table).items():
            there = pq.read_schema(name).names
            if any(column.name not in there for column in new):
                path = Path(folder) / Path(name).name
                connection.execute(
                    f"COPY ({filled([name], contract, there)}) TO {literal(str(path))}"
                    " (FORMAT parquet)"
                )
                [(first, last)] = connection.execute(
                    f"SELECT min(record_no), max(record_no) FROM {file_list([str(path)])}"
                ).fetchall()
                parts.append(tables.Part(path, rows, int(first), int(last)))
                replaced.append(name)
        names = [column.name for column in new]
        note = {"columns": ", ".join(names), "contract": contract.digest}
        if parts:
            tables.put_in(table, parts, pa.schema([]), note, replaced)
    tables.add_columns(
        table,
        [(column.name, ARROW_TYPES[column.type]) for column in new],
        {TAKEN_IN: now.isoformat()},
        note,
    )
    return names


def require_stored_alike(contract: Contract, table: Path) -> None:
    """Raise Refused where rows are stored under columns that the contract lacks or has otherwise,
    or where it has one more that old rows could not be without.

    Files of two shapes in one table would be read by whichever comes first.
    """
    held = tables.open_table(table)
    if held is None:
        return
    schema = pa.schema(held.schema().to_arrow())
    stored = {each.name: each.type for each in schema if each.name not in SYSTEM_COLUMNS}
    declared = {column.name: column.type for column in contract.columns}
    faults = [
        Fault(
            f"no column {column.name!r} that stored rows cannot be without",
            "a required one" if column.required else "a computed one",
            "make it optional and let it be sent; " + CURE,
        )
        for column in contract.columns
        if column.name not in stored and (column.required or column.transform is not None)
    ]
    faults += [
        Fault(f"the column {name!r}, as its rows are stored", "none in the contract", CURE)
        for name in stored.keys() - declared.keys()
    ]
    faults += [
        Fault(f"{name!r} as it is stored ({stored[name]})", f"{declared[name]}", CURE)
        for name in declared.keys() & stored.keys()
        if not STORED_AS[declared[name]](stored[name])
    ]
    if faults:
        raise Refused.gather(sorted(faults, key=str))
