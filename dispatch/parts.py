"""A long run in parts: each written whole or not at all, so that a killed run is taken up again.

A run is known by what decides its answer. Who asks the same again finds the parts that are there.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS_JOINED_AT_ONCE = 20_000


@dataclass(frozen=True)
class Parts:
    """The parts of one run in a folder; `began_at` is when the run was first asked for."""

    folder: Path
    began_at: datetime

    @classmethod
    @contextmanager
    def of(cls, root: Path, asked: Mapping[str, Any], now: datetime) -> Iterator[Parts]:
        """The run that was `asked` (plain values), alone; its folder goes when all ended well."""
        words = json.dumps(asked, sort_keys=True, ensure_ascii=False)
        folder = root / hashlib.sha256(words.encode()).hexdigest()[:32]
        folder.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder.mkdir(exist_ok=True)
            note = folder / "run.json"
            if not note.exists():
                _write_whole(note, json.dumps({"began_at": now.isoformat()}).encode())
            began = json.loads(note.read_text("utf-8"))["began_at"]
            yield cls(folder, datetime.fromisoformat(began))
            shutil.rmtree(folder)
            folder.with_suffix(".lock").unlink()

    def has(self, number: int) -> bool:
        """Whether a part is there, and then it is whole."""
        return self._path(number).exists()

    def keep(self, number: int, table: pa.Table) -> None:
        """Write a part."""
        draft = self._path(number).with_suffix(".draft")
        with pa.OSFile(str(draft), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        _settle(draft, self._path(number))

    def join(self, count: int, schema: pa.Schema, output: Path) -> None:
        """All parts as one Parquet file, highest margin first, then by clue_id.

        Parts are mapped, not read: memory is that of some thousand rows and of the order.
        """
        parts = [_mapped(self._path(number)) for number in range(count)]
        output.parent.mkdir(parents=True, exist_ok=True)
        draft = output.with_name(f".{output.name}.draft")
        with pq.ParquetWriter(draft, schema) as writer:
            for rows in _in_order(parts):
                writer.write_table(rows.cast(schema))
        _settle(draft, output)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.arrow"


def _mapped(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _in_order(parts: list[pa.Table]) -> Iterator[pa.Table]:
    if not parts:
        return
    keys = pa.concat_tables([part.select(["margin", "clue_id"]) for part in parts])
    by = [("margin", "descending"), ("clue_id", "ascending")]
    order = pc.sort_indices(keys, sort_keys=by).to_numpy().astype(np.int64)
    edges = np.cumsum([0, *(part.num_rows for part in parts)])
    for low in range(0, len(order), ROWS_JOINED_AT_ONCE):
        yield _picked(parts, edges, order[low : low + ROWS_JOINED_AT_ONCE])


def _picked(
    parts: list[pa.Table], edges: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
) -> pa.Table:
    """Some rows of all parts, numbered through, in the order asked."""
    home = np.searchsorted(edges, rows, side="right") - 1
    pieces, places = [], []
    for number in np.unique(home):
        mine = np.flatnonzero(home == number)
        pieces.append(parts[number].take(pa.array(rows[mine] - edges[number])))
        places.append(mine)
    back = np.argsort(np.concatenate(places), kind="stable")
    return pa.concat_tables(pieces).take(pa.array(back))


def _write_whole(path: Path, data: bytes) -> None:
    draft = path.with_suffix(".draft")
    draft.write_bytes(data)
    _settle(draft, path)


def _settle(draft: Path, path: Path) -> None:
    """What stands under a final name is whole, also over a power cut."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)
