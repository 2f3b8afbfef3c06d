"""What came into a home's record sets since a manifest was written, read from their Delta logs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import duckdb
import pyarrow as pa

from features.definition import FeatureSet
from features.online.catching_up import Arrivals
from features.online.manifest import Manifest, SourceNote
from features.online.plan import kept_groupings
from governance import tables
from governance.columns import filled, stored_columns
from governance.engine import file_list
from governance.home import Home

NONE_RETRACTED = pa.table(
    {"record_no": pa.array([], pa.int64()), "until": pa.array([], pa.int64())}
)


def sources_of(definitions: FeatureSet) -> tuple[str, ...]:
    """The record sets that features read."""
    return tuple(sorted({grouping.source for grouping in kept_groupings(definitions)}))


def is_behind(home: Home, sources: Iterable[str], manifest: Manifest) -> bool:
    """Whether any of these record sets has a commit that the manifest does not know; a look at
    each."""
    return any(
        tables.newer_than(home.table(source), _version(manifest, source)) for source in sources
    )


def arrivals_of(
    home: Home, definitions: FeatureSet, manifest: Manifest, connection: duckdb.DuckDBPyConnection
) -> Iterator[Arrivals]:
    """One of each record set that has changed."""
    for source in sources_of(definitions):
        version = tables.version(home.table(source))
        if version != _version(manifest, source):
            yield _arrivals(home, source, version, manifest.sources.get(source), connection)


def _version(manifest: Manifest, source: str) -> int:
    note = manifest.sources.get(source)
    return -1 if note is None else note.version


def _arrivals(
    home: Home,
    source: str,
    version: int,
    before: SourceNote | None,
    connection: duckdb.DuckDBPyConnection,
) -> Arrivals:
    """New files hold new records, and older ones written again because they were retracted.

    Where the table has fewer records than were taken in and came, some were removed: then all of
    it comes anew.
    """
    held = tables.file_rows(home.table(source), version)
    total = sum(held.values())
    if before is not None and version > before.version:
        fresh = sorted(set(held) - set(before.files))
        last = before.last_record
        came, newest = _counted(connection, fresh, last)
        if before.records + came == total:
            note = SourceNote(
                version=version, files=tuple(held), records=total, last_record=max(last, newest)
            )
            told = _rows(home, source, version, fresh)
            rows = f"SELECT * FROM ({told}) WHERE record_no > {last}" if came else None
            return Arrivals(source, note, rows, _retractions(connection, fresh, last))
    came, newest = _counted(connection, sorted(held), 0)
    note = SourceNote(version=version, files=tuple(held), records=total, last_record=newest)
    rows = _rows(home, source, version, sorted(held)) if came else None
    return Arrivals(source, note, rows, NONE_RETRACTED, anew=True)


def _rows(home: Home, source: str, version: int, files: list[str]) -> str:
    """SELECT over files of a version, with the columns that were declared since then."""
    contract = home.jurisdiction.contracts.get(source)
    if contract is None:
        return f"SELECT * FROM {file_list(files)}"
    return filled(files, contract, stored_columns(home.table(source), version))


def _counted(
    connection: duckdb.DuckDBPyConnection, files: list[str], after: int
) -> tuple[int, int]:
    """How many records after number `after`, and the highest number."""
    if not files:
        return 0, 0
    rows = connection.execute(
        f"SELECT count(*), coalesce(max(record_no), 0) FROM {file_list(files)}"
        f" WHERE record_no > {after}"
    ).fetchall()
    return int(rows[0][0]), int(rows[0][1])


def _retractions(connection: duckdb.DuckDBPyConnection, files: list[str], last: int) -> pa.Table:
    if not files:
        return NONE_RETRACTED
    return connection.sql(
        f"SELECT record_no, epoch_us(retracted_at) AS until FROM {file_list(files)}"
        f" WHERE record_no <= {last} AND retracted_at IS NOT NULL"
    ).to_arrow_table()
