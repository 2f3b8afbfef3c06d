"""Clues by their ids, from mapped files beside the register: one clue among a million at once.

The register is a Delta table, and a question about one clue would open its log and read every id in
it. So its rows are kept a second time, sorted by id, in Arrow files that are mapped; they grow as
clues are raised, and may be deleted at any time: they are made again at the next question.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads

from governance import tables

# So many parts are asked one after the other before they are made one again.
PARTS_AT_MOST = 12
NAME = "parts.json"
Stamp = tuple[int, int, int]


@lru_cache(maxsize=16)
def lookup_of(table: Path, folder: Path) -> Lookup:
    """The lookup of a register, one per process."""
    return Lookup(table, folder)


class Lookup:
    """Safe to share between threads; processes take turns where they write."""

    def __init__(self, table: Path, folder: Path) -> None:
        self._table, self._folder = table, folder
        self._parts: list[pa.Table] = []
        self._stamp: Stamp | None = None
        self._turn = threading.Lock()

    def rows(self, clue_ids: Sequence[str]) -> pa.Table | None:
        """The clues of these ids as far as there are any, in any order; None without a register.

        Raises OSError where the files cannot be written or read.
        """
        found = [
            part.slice(*place)
            for part in self._current()
            for clue_id in clue_ids
            if (place := _place(part["clue_id"].chunk(0), clue_id))[1]
        ]
        if found:
            return pa.concat_tables(found)
        return self._parts[0].slice(0, 0) if self._parts else None

    def _current(self) -> list[pa.Table]:
        with self._turn:
            if self._stamp is None or self._is_behind(self._stamp):
                delta = tables.open_table(self._table)
                if delta is None:
                    return []
                version = int(delta.version())
                stamp = self._stamp_of(version)
                files = sorted(uri.removeprefix("file://") for uri in delta.file_uris())
                self._parts = self._grown(files, pa.schema(delta.schema().to_arrow()))
                self._stamp = stamp
            return self._parts

    def _is_behind(self, stamp: Stamp) -> bool:
        """Whether the table has a newer version, or is another one."""
        return tables.newer_than(self._table, stamp[0]) or self._stamp_of(stamp[0]) != stamp

    def _stamp_of(self, version: int) -> Stamp | None:
        try:
            stat = (self._table / "_delta_log" / f"{version:020}.json").stat()
        except FileNotFoundError:
            return None
        return version, stat.st_mtime_ns, stat.st_ino

    def _grown(self, files: list[str], schema: pa.Schema) -> list[pa.Table]:
        """Every part, after the rows of files are taken in that none has."""
        with self._writing():
            parts = self._listed()
            have = {file for part in parts for file in part["files"]}
            new = sorted(set(files) - have)
            if have - set(files) or (new and len(parts) >= PARTS_AT_MOST):
                parts, new = [], files  # rows were written anew, or there are many parts
            if new:
                parts = [*parts, self._write(new, schema)]
                draft = self._folder / f".{secrets.token_hex(4)}"
                draft.write_text(json.dumps(parts), "utf-8")
                draft.replace(self._folder / NAME)
            kept = {part["name"] for part in parts}
            for path in self._folder.glob("*.arrow"):
                if path.name not in kept:
                    path.unlink()
            mapped = [_mapped(self._folder / part["name"]) for part in parts]
            return [part for part in mapped if part.num_rows]

    def _listed(self) -> list[dict[str, Any]]:
        try:
            parts: list[dict[str, Any]] = json.loads((self._folder / NAME).read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return []
        whole = all((self._folder / part["name"]).is_file() for part in parts)
        return parts if whole else []

    def _write(self, files: list[str], schema: pa.Schema) -> dict[str, Any]:
        rows = pads.dataset(files, schema=schema, format="parquet").to_table()
        rows = rows.sort_by("clue_id").combine_chunks()
        name = f"{secrets.token_hex(8)}.arrow"
        with pa.OSFile(str(self._folder / name), "wb") as file, pa.ipc.new_file(file, schema) as to:
            to.write_table(rows)
        return {"name": name, "files": files}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _mapped(path: Path) -> pa.Table:
    """A part; its rows are read from the disk as they are asked for."""
    rows = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    return rows if rows["clue_id"].num_chunks == 1 else rows.combine_chunks()


def _place(ids: pa.Array, wanted: str) -> tuple[int, int]:
    """Where a sorted column holds an id: the first place, and how many."""
    low, high = 0, len(ids)
    while low < high:
        middle = (low + high) // 2
        if ids[middle].as_py() < wanted:
            low = middle + 1
        else:
            high = middle
    end = low
    while end < len(ids) and ids[end].as_py() == wanted:
        end += 1
    return low, end - low
