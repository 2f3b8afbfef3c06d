"""Delta tables in a folder: append, read the files of a version, lock out a second writer.

DuckDB reads the Parquet files that the Delta log names, so nothing has to be downloaded and any
process may read while one writes (a shared DuckDB file fails there).
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError


def exists(path: Path) -> bool:
    """Whether a Delta table has been written at `path`."""
    return (path / "_delta_log").is_dir() and DeltaTable.is_deltatable(str(path))


def open_table(path: Path, version: int | None = None) -> DeltaTable | None:
    """The table at a version (newest if None), or None where nothing was ever written."""
    try:
        return DeltaTable(str(path), version=version)
    except TableNotFoundError:
        return None


def version(path: Path) -> int:
    """The newest version number; -1 before the first write."""
    table = open_table(path)
    return -1 if table is None else int(table.version())


def files(path: Path, version: int | None = None) -> list[str]:
    """Absolute Parquet files of a version, in a stable order."""
    table = open_table(path, version)
    if table is None:
        return []
    return sorted(uri.removeprefix("file://") for uri in table.file_uris())


def file_rows(path: Path, version: int | None = None) -> dict[str, int]:
    """The same files with the number of rows of each, as the Delta log tells it."""
    table = open_table(path, version)
    if table is None:
        return {}
    added = pa.table(table.get_add_actions(flatten=True))
    root = table.table_uri.removeprefix("file://").rstrip("/")
    names = [f"{root}/{name}" for name in added["path"].to_pylist()]
    return dict(sorted(zip(names, added["num_records"].to_pylist(), strict=True)))


def dataset(path: Path, version: int | None = None) -> pads.Dataset | None:
    """The rows of a version as an Arrow dataset, or None where nothing was ever written.

    Read by Arrow's own file system. deltalake's `to_pyarrow_dataset` reads through one written in
    Python: its threads may still ask for the interpreter when that has begun to end, and the
    process then aborts after its work is done.
    """
    table = open_table(path, version)
    if table is None:
        return None
    schema = pa.schema(table.schema().to_arrow())
    return pads.dataset(files(path, version), schema=schema, format="parquet")


def newer_than(path: Path, version: int) -> bool:
    """Whether a commit after `version` stands in the log; one look at one file name."""
    return (path / "_delta_log" / f"{version + 1:020}.json").exists()


def append(path: Path, rows: pa.Table | pa.RecordBatchReader, note: Mapping[str, str]) -> int:
    """Append in one commit that carries `note`; returns the new version."""
    path.parent.mkdir(parents=True, exist_ok=True)
    properties = CommitProperties(custom_metadata=dict(note))
    write_deltalake(str(path), rows, mode="append", commit_properties=properties)
    return version(path)


def append_and_retract(path: Path, rows: pa.Table, note: Mapping[str, str]) -> int:
    """One commit that appends new rows and sets `retracted_at` of those present by `record_no`."""
    merge = DeltaTable(str(path)).merge(
        source=rows,
        predicate="target.record_no = source.record_no",
        source_alias="source",
        target_alias="target",
        commit_properties=CommitProperties(custom_metadata=dict(note)),
    )
    merge = merge.when_matched_update({"retracted_at": "source.retracted_at"})
    merge.when_not_matched_insert_all().execute()
    return version(path)


def has_note(path: Path, key: str, value: str) -> bool:
    """Whether any commit of the table carries `key` = `value`."""
    table = open_table(path)
    return table is not None and any(entry.get(key) == value for entry in table.history())


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Hold the only writer's lock on a table; the system frees it when the process dies."""
    lock = path.parent / f".{path.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
