"""A few records by number, and the newest version of a table: what a page asks of a million rows.

A page must not open DuckDB or a Delta log each time. Records are read from files that are laid
beside the table (governance/laid_records.py); while those are being made, or cannot be, by one
DuckDB connection that is kept, with the footers of the files it has read. A table's log is read
again only where a newer commit stands in it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import structlog

from governance import tables
from governance.checks import quoted
from governance.columns import filled, stored_columns
from governance.engine import connect
from governance.home import Home
from governance.laid_records import FOLDER, LaidRecords

log = structlog.get_logger()
NUMBER, KNOWN = "record_no", "known_at"


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
        self._laid: dict[str, tuple[int, LaidRecords | None]] = {}
        self._laying = threading.Lock()

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
        self, record_set: str, numbers: Collection[int], columns: Sequence[str], limit: int
    ) -> list[tuple[Any, ...]]:
        """record_no, the columns (of the contract) and known_at of some records, by number, at most
        `limit`."""
        newest = self.newest(self._home.table(record_set))
        if not newest.files or not numbers:
            return []
        listed = (NUMBER, *columns, KNOWN)
        laid = self._laid_down(record_set, newest)
        if laid is not None:
            return laid.rows(numbers, listed, limit)
        return self.read_records(record_set, newest, numbers, listed, limit)

    def read_records(
        self,
        record_set: str,
        newest: Newest,
        numbers: Collection[int],
        listed: Sequence[str],
        limit: int,
    ) -> list[tuple[Any, ...]]:
        """The same rows from the table's own files."""
        contract = self._home.jurisdiction.contract(record_set)
        rows = filled(list(newest.files), contract, newest.columns)
        query = (
            f"SELECT {', '.join(map(quoted, listed))} FROM ({rows})"
            f" WHERE record_no IN ({', '.join(str(int(each)) for each in sorted(numbers))})"
            f" ORDER BY record_no LIMIT {int(limit)}"
        )
        with self._cursor() as cursor:
            return cursor.execute(query).fetchall()

    def lay_down(self, record_set: str) -> None:
        """Make what the first to ask for these records would otherwise wait for."""
        newest = self.newest(self._home.table(record_set))
        if newest.files:
            self._laid_down(record_set, newest)

    def _laid_down(self, record_set: str, newest: Newest) -> LaidRecords | None:
        """The records of a version; None while another thread makes them, or where they cannot be
        made."""
        version, laid = self._laid.get(record_set, (-1, None))
        if version == newest.version:
            return laid
        if not self._laying.acquire(blocking=False):
            return None
        made = None
        try:
            folder = self._home.online / FOLDER / record_set
            made = LaidRecords(newest.files, self._schema(record_set), folder, laid)
        except OSError:  # a home that cannot be written: slower, and the same
            log.warning("records_not_laid", record_set=record_set)
        finally:
            self._laid[record_set] = newest.version, made
            self._laying.release()
        return made

    def _schema(self, record_set: str) -> pa.Schema:
        """What is laid down: the columns of the contract, as the table has them."""
        contract = self._home.jurisdiction.contract(record_set)
        stored = tables.schema(self._home.table(record_set))
        names = dict.fromkeys((NUMBER, *(each.name for each in contract.columns), KNOWN))
        return pa.schema([stored.field(name) for name in names if name in stored.names])

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        with self._turn:
            if self._connection is None:
                # So little to do that threads would only wait for each other.
                self._connection = connect(self._home.scratch, threads=1)
                self._connection.execute("SET parquet_metadata_cache = true")
            return self._connection.cursor()
