"""Delta tables in a folder: append, read the files of a version, lock out a second writer.

DuckDB reads the Parquet files that the Delta log names, so nothing has to be downloaded and any
process may read while one writes (a shared DuckDB file fails there).
"""

from __future__ import annotations

import fcntl
import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake
from deltalake.exceptions import TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions


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


def schema(path: Path) -> pa.Schema:
    """The columns of the newest version; none before the first write."""
    table = open_table(path)
    return pa.schema([]) if table is None else pa.schema(table.schema().to_arrow())


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


@dataclass(frozen=True)
class Part:
    """A Parquet file of rows that is not in a table yet. Their record numbers, if they have any."""

    file: Path
    rows: int
    first: int | None = None
    last: int | None = None

    @property
    def statistics(self) -> str:
        """What the Delta log says of it, so that readers may pass it over."""
        told: dict[str, object] = {"numRecords": self.rows}
        if self.first is not None:
            told |= {
                "minValues": {"record_no": self.first},
                "maxValues": {"record_no": self.last},
                "nullCount": {"record_no": 0},
            }
        return json.dumps(told)


def put_in(
    path: Path,
    parts: Sequence[Part],
    schema: pa.Schema,
    note: Mapping[str, str],
    replaced: Sequence[str] = (),
) -> int:
    """One commit that takes files in as they are, and others (absolute names) out; its version.

    The files are moved below the table. A crash before the commit leaves them there unseen, until
    `vacuum` takes them away.
    """
    path.mkdir(parents=True, exist_ok=True)
    now = time.time_ns() // 1_000_000
    added = []
    for part in parts:
        name = f"{uuid.uuid4()}.parquet"
        size = part.file.stat().st_size
        part.file.replace(path / name)
        added.append(AddAction(name, size, {}, now, True, part.statistics))
    table = open_table(path)
    properties = CommitProperties(custom_metadata=dict(note))
    if table is None:
        create_table_with_add_actions(
            str(path), Schema.from_arrow(schema), added, commit_properties=properties
        )
        return version(path)
    removed = [RemoveAction(Path(name).name, True, now) for name in replaced]
    table.create_write_transaction(
        [*added, *removed], "append", table.schema(), commit_properties=properties
    )
    return version(path)


def add_columns(
    path: Path,
    columns: Sequence[tuple[str, pa.DataType]],
    metadata: Mapping[str, str],
    note: Mapping[str, str],
) -> int:
    """One commit that adds columns to the table's schema, each with `metadata`; its version."""
    fields = [pa.field(name, kind, metadata=dict(metadata)) for name, kind in columns]
    schema = Schema.from_arrow(pa.schema(fields))
    properties = CommitProperties(custom_metadata=dict(note))
    DeltaTable(str(path)).alter.add_columns(list(schema.fields), commit_properties=properties)
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
