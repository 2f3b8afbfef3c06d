"""Retention: records leave when their contract's time is over, from every version of their table.

A record is over when it happened longer ago than the contract says; of a key with several versions
when all of them are. Files are written again without what is over, the old names of them too, so
that older versions can still be read, without those records. What a past score keeps is told by
`STILL_SHOWN`. The quarantine keeps rows as long, counted from when they came.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from base.moment import Clock
from governance import receipts, tables
from governance.checks import literal, quoted
from governance.contract import Contract
from governance.engine import connect, file_list
from governance.home import Home
from governance.laid_records import FOLDER as LAID

STILL_SHOWN = (
    "a past score keeps its probability, its contributions, the values of its features and the"
    " numbers of its records; the records themselves can no longer be opened, and a score that"
    " rested on them can no longer be computed again"
)


@dataclass(frozen=True)
class Removed:
    """What left a record set, or would: rows of its newest version, rows of its quarantine."""

    record_set: str
    before: datetime
    records: int
    quarantined: int


def enforce(home: Home, clock: Clock, *, dry_run: bool = False) -> list[Removed]:
    """Remove what is over of every record set whose contract says how long; tell what went."""
    told = []
    for name, contract in home.jurisdiction.contracts.items():
        if contract.terms.retention is not None:
            before = clock.now() - contract.terms.retention
            told.append(_enforced(home, name, contract, before, dry_run))
    return told


def _enforced(
    home: Home, name: str, contract: Contract, before: datetime, dry_run: bool
) -> Removed:
    table, kept_apart = home.table(name), home.quarantine(name)
    folder = home.scratch / "retention" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with tables.writing(table), connect(folder / "spill") as connection:
        over = _over(connection, contract, table, before)
        if not dry_run:
            receipts.keep_last_number(home, name, _last_number(connection, table))
        records = _leave(connection, table, over, folder, dry_run)
        over = f"quarantined_at < {_moment(before)}"
        quarantined = _leave(connection, kept_apart, over, folder, dry_run)
    if not dry_run:
        shutil.rmtree(home.online / LAID / name, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    return Removed(name, before, records, quarantined)


def _last_number(connection: duckdb.DuckDBPyConnection, table: Path) -> int:
    files = tables.files(table)
    if not files:
        return 0
    query = f"SELECT coalesce(max(record_no), 0) FROM {file_list(files)}"
    [(last,)] = connection.execute(query).fetchall()
    return int(last)


def _moment(moment: datetime) -> str:
    return f"TIMESTAMP {literal(str(moment))}"


def _over(
    connection: duckdb.DuckDBPyConnection, contract: Contract, table: Path, before: datetime
) -> str:
    """SQL condition for the rows of any file of the table that are over."""
    over = f"happened_at < {_moment(before)}"
    files = tables.files(table)
    if contract.primary_key and files:
        key = ", ".join(quoted(name) for name in contract.primary_key)
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE standing AS SELECT DISTINCT {key}"
            f" FROM {file_list(files)} WHERE NOT ({over})"
        )
        return f"{over} AND ({key}) NOT IN (SELECT ({key}) FROM standing)"
    return over


def _leave(
    connection: duckdb.DuckDBPyConnection, table: Path, over: str, folder: Path, dry_run: bool
) -> int:
    """Write every file below `table` that has such rows again without them; how many left now."""
    current = set(tables.files(table))
    gone, parts, replaced, older = 0, [], [], []
    for path in sorted(table.glob("*.parquet")):
        count = f"SELECT count(*) FILTER ({over}), count(*) FROM {file_list([str(path)])}"
        [(leaving, rows)] = connection.execute(count).fetchall()
        if not leaving:
            continue
        gone += leaving if str(path) in current else 0
        if dry_run:
            continue
        draft = folder / path.name
        connection.execute(
            f"COPY (SELECT * FROM {file_list([str(path)])} WHERE NOT coalesce({over}, false))"
            f" TO {literal(str(draft))} (FORMAT parquet)"
        )
        older.append((draft, path))
        if str(path) in current:
            replaced.append(str(path))
            if rows > leaving:
                parts.append(_part(connection, draft, rows - leaving))
    if replaced:
        schema = pq.read_schema(older[0][0])
        tables.put_in(table, parts, schema, {"removed": str(gone)}, replaced)
    for draft, path in older:
        # Whatever an older version reads under this name has from now on only what is left.
        draft.replace(path)
    return gone


def _part(connection: duckdb.DuckDBPyConnection, draft: Path, rows: int) -> tables.Part:
    """A copy to be moved into the table; the draft itself takes the old file's name."""
    copy = draft.with_suffix(".left")
    os.link(draft, copy)
    if "record_no" not in pq.read_schema(draft).names:
        return tables.Part(copy, rows)
    numbers = f"SELECT min(record_no), max(record_no) FROM {file_list([str(draft)])}"
    [(first, last)] = connection.execute(numbers).fetchall()
    return tables.Part(copy, rows, int(first), int(last))
