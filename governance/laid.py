"""Parquet files laid beside as Arrow files that are mapped, not read: any row is at hand at once.

A Parquet file gives one row only with the hundred thousand around it. What is laid down never
changes, is made again when it is missing, and is safe to delete.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pads

ROWS_AT_ONCE = 65_536


def mapped(
    name: str, schema: pa.Schema, folder: Path, rows_at_once: int = ROWS_AT_ONCE
) -> pa.Table:
    """The columns of `schema` of one Parquet file, mapped; laid down first where that was never
    done. Its chunks have at most `rows_at_once` rows.

    Raises OSError where the folder cannot be written, or the file is gone.
    """
    path = folder / laid_name(name, schema)
    if not path.is_file():
        lay_down(pads.dataset([name], schema=schema, format="parquet"), path, rows_at_once)
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def laid_name(name: str, schema: pa.Schema) -> str:
    """What the Arrow file of a Parquet file is called."""
    return hashlib.sha256(f"{name} {schema}".encode()).hexdigest()[:32] + ".arrow"


def keep_only(folder: Path, names: Collection[str]) -> None:
    """Remove what was laid down of files that a table no longer has; whoever has them mapped keeps
    what he has."""
    for path in folder.glob("*.arrow"):
        if path.name not in names:
            path.unlink(missing_ok=True)


def lay_down(rows: pads.Dataset, path: Path, rows_at_once: int = ROWS_AT_ONCE) -> None:
    """Whole or not at all; two processes may do the same at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{threading.get_native_id()}")
    with pa.OSFile(str(draft), "wb") as file, pa.ipc.new_file(file, rows.schema) as writer:
        for batch in rows.to_batches(columns=rows.schema.names, batch_size=rows_at_once):
            writer.write_batch(batch)
    draft.replace(path)
