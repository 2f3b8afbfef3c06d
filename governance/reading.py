"""Records as the other rooms read them: every record set a view, at versions that are kept.

Views hold every row of all times. Who asks about a moment cuts them himself (`known_before`), so
that one connection serves many moments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from governance import tables
from governance.checks import SQL_TYPES, quoted
from governance.columns import filled, stored_columns
from governance.contract import Contract
from governance.engine import connect, file_list
from governance.home import Home

NEVER_WRITTEN = -1
SYSTEM_TYPES = {
    "record_no": "BIGINT",
    "happened_at": "TIMESTAMP",
    "known_at": "TIMESTAMP",
    "retracted_at": "TIMESTAMP",
    "batch": "VARCHAR",
}


def known_before(moment: str) -> str:
    """SQL condition: the row counts at `moment` (a SQL expression); the rule of features.md."""
    return (
        f"known_at < {moment} AND happened_at < {moment}"
        f" AND (retracted_at IS NULL OR retracted_at >= {moment})"
    )


class Records:
    """Record sets of a home at fixed versions, read through one DuckDB connection.

    `versions` maps record set -> Delta version; the newest of each is taken where it names none,
    and stays fixed for the life of the object. A record set with no rows yet is an empty view, and
    so is one that had none at the version asked for (-1). `only`: no other record set is opened.
    """

    def __init__(
        self,
        home: Home,
        versions: Mapping[str, int] | None = None,
        *,
        only: Collection[str] | None = None,
    ) -> None:
        asked = dict(versions or {})
        self._scratch: Path | None = home.scratch
        self._views: dict[str, str] = {}
        self._memory: dict[str, pa.Table] = {}
        self.versions: dict[str, int] = {}
        for name, contract in home.jurisdiction.contracts.items():
            if only is None or name in only:
                self._declare(name, home.table(name), asked.get(name), contract)
        asked_for = (only is None or "clues" in only) and asked.get("clues") != NEVER_WRITTEN
        if asked_for and tables.exists(home.table("clues")):
            self._declare("clues", home.table("clues"), asked.get("clues"), None)
        self._connection: duckdb.DuckDBPyConnection | None = None

    @classmethod
    def of_tables(cls, given: Mapping[str, pa.Table]) -> Records:
        """The same over tables in memory; missing system columns are filled in.

        record_no counts from 1, known_at defaults to happened_at, retracted_at to NULL.
        """
        records = cls.__new__(cls)
        records._scratch, records._connection = None, None
        records.versions = dict.fromkeys(given, 0)
        records._memory = {name: _completed(table) for name, table in given.items()}
        records._views = {name: f"SELECT * FROM memory_{name}" for name in given}
        return records

    @classmethod
    def of_files(cls, given: Mapping[str, list[str]]) -> Records:
        """The same over Parquet files that have every system column (as Delta tables do)."""
        records = cls.of_tables({})
        records.versions = dict.fromkeys(given, 0)
        records._views = {
            name: f"SELECT * FROM {file_list(files)}" for name, files in given.items()
        }
        return records

    def _declare(
        self, name: str, path: Path, version: int | None, contract: Contract | None
    ) -> None:
        files = [] if version == NEVER_WRITTEN else tables.files(path, version)
        self.versions[name] = tables.version(path) if version is None else version
        if contract is None:
            self._views[name] = f"SELECT * FROM {file_list(files)}"
        elif files:
            self._views[name] = filled(files, contract, stored_columns(path, version))
        else:
            self._views[name] = empty_view(contract)

    @property
    def record_sets(self) -> tuple[str, ...]:
        return tuple(self._views)

    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection with one view per record set; made at first use, then the same."""
        if self._connection is None:
            self._connection = connect(self._scratch)
            for name, table in self._memory.items():
                # A registered table is its connection's own; cursors see only created ones.
                self._connection.register("given", table)
                self._connection.execute(f"CREATE TABLE memory_{name} AS FROM given")
                self._connection.unregister("given")
            for name, select in self._views.items():
                self._connection.execute(f"CREATE VIEW {quoted(name)} AS {select}")
        return self._connection

    def arrow(self, record_set: str, columns: list[str] | None = None) -> pa.Table:
        """A whole record set, in the order of record_no."""
        listed = ", ".join(quoted(name) for name in columns) if columns else "*"
        query = f"SELECT {listed} FROM {quoted(record_set)} ORDER BY record_no"
        return self.connection().sql(query).to_arrow_table()

    def known_at(self, record_set: str, moment: datetime) -> pa.Table:
        """The rows of a record set that count at `moment`."""
        query = f"SELECT * FROM {quoted(record_set)} WHERE {known_before('$moment')}"
        return self.connection().sql(query, params={"moment": moment}).to_arrow_table()

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def empty_view(contract: Contract) -> str:
    """A SELECT with the record set's columns and no rows."""
    types = {**SYSTEM_TYPES, **{c.name: SQL_TYPES[c.type] for c in contract.columns}}
    listed = ", ".join(f"NULL::{kind} AS {quoted(name)}" for name, kind in types.items())
    return f"SELECT {listed} WHERE false"


def _completed(table: pa.Table) -> pa.Table:
    rows = table.num_rows
    present = set(table.column_names)
    if "record_no" not in present:
        table = table.append_column("record_no", pa.array(range(1, rows + 1), pa.int64()))
    if "known_at" not in present:
        table = table.append_column("known_at", table["happened_at"])
    if "retracted_at" not in present:
        table = table.append_column("retracted_at", pa.nulls(rows, pa.timestamp("us")))
    if "batch" not in present:
        table = table.append_column("batch", pa.array(["memory"] * rows, pa.string()))
    return table
