"""A few records by number, and the newest version of a table: what a page asks of a million rows.

A page must not open DuckDB or a Delta log each time. One connection is kept for all, with the
footers of the files it has read; a table's log is read again only where a newer commit stands in
it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from governance import tables
from governance.checks import quoted
from governance.columns import filled, stored_columns
from governance.engine import connect
from governance.home import Home


@dataclass(frozen=True)
class Newest:
    """The newest version of a table (-1: never written), its files and their columns."""

    version: int
    files: tuple[str, ...]
    columns: tuple[str, ...]


class Glance:
    """Of one home and one process; for any number of threads."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[Path, Newest] = {}
        self._turn = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def newest(self, path: Path) -> Newest:
        """The newest version; one look for a file where nothing came since it was asked last."""
        known = self._known.get(path)
        if known is not None and not tables.newer_than(path, known.version):
            return known
        held = tuple(tables.files(path)), tuple(stored_columns(path))
        found = Newest(tables.version(path), *held)
        self._known[path] = found
        return found

    def records(
        self, record_set: str, numbers: Collection[int], columns: Collection[str], limit: int
    ) -> list[tuple[Any, ...]]:
        """record_no, the columns and known_at of some records, by number, at most `limit`."""
        newest = self.newest(self._home.table(record_set))
        if not newest.files or not numbers:
            return []
        contract = self._home.jurisdiction.contract(record_set)
        listed = ", ".join(quoted(name) for name in ("record_no", *columns, "known_at"))
        query = (
            f"SELECT {listed} FROM ({filled(list(newest.files), contract, newest.columns)})"
            f" WHERE record_no IN ({', '.join(str(int(each)) for each in sorted(numbers))})"
            f" ORDER BY record_no LIMIT {int(limit)}"
        )
        with self._cursor() as cursor:
            return cursor.execute(query).fetchall()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._turn:
            if self._connection is None:
                # So little to do that threads would only wait for each other.
                self._connection = connect(self._home.scratch, threads=1)
                self._connection.execute("SET parquet_metadata_cache = true")
            return self._connection.cursor()
