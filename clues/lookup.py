"""One clue's row by its id, out of a million: found at once, by any number of threads.

The register is a table of many files that never change. Each is laid beside it once as an Arrow
file that is mapped, not read (`online/clues` in the home; safe to delete); ids are found by their
hashes, sorted. What was appended since is taken in when it is asked for.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clues.register import read_clues
from governance import tables
from governance.home import Home
from governance.laid import mapped

FOLDER = "clues"
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Laid:
    """Files at a version: their rows, and for each clue the hash of its id, file and row."""

    version: int
    names: tuple[str, ...]
    rows: tuple[pa.Table, ...]
    hashes: Numbers
    files: Numbers
    places: Numbers


NOTHING = np.zeros(0, np.int64)
EMPTY = _Laid(-1, (), (), NOTHING, NOTHING, NOTHING)


class ClueLookup:
    """Of one home and one process."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._path = home.table("clues")
        self._laid = EMPTY
        self._turn = threading.Lock()

    def row(self, clue_id: str) -> dict[str, Any] | None:
        """The clue's row of the register; None where there is none."""
        try:
            laid = self._newest()
        except OSError:  # a home that cannot be written: slower, and the same
            rows = read_clues(self._home, [clue_id]).to_pylist()
            return rows[0] if rows else None
        wanted = hash(clue_id)
        at = int(np.searchsorted(laid.hashes, wanted))
        while at < len(laid.hashes) and laid.hashes[at] == wanted:
            row = laid.rows[laid.files[at]].slice(int(laid.places[at]), 1)
            if row["clue_id"][0].as_py() == clue_id:
                told: dict[str, Any] = row.to_pylist()[0]
                return told
            at += 1
        return None

    def _newest(self) -> _Laid:
        if tables.newer_than(self._path, self._laid.version):
            with self._turn:
                if tables.newer_than(self._path, self._laid.version):
                    self._laid = self._lay()
        return self._laid

    def _lay(self) -> _Laid:
        table = tables.open_table(self._path)
        if table is None:
            return EMPTY
        version = int(table.version())
        schema = pa.schema(table.schema().to_arrow())
        names = tuple(tables.files(self._path, version))
        folder = self._home.online / FOLDER
        known = dict(zip(self._laid.names, self._laid.rows, strict=True))
        rows = tuple(
            known[name] if name in known else mapped(name, schema, folder) for name in names
        )
        hashes = [
            np.fromiter(map(hash, each["clue_id"].to_pylist()), np.int64, each.num_rows)
            for each in rows
        ]
        lengths = [len(each) for each in hashes]
        every = np.concatenate(hashes) if hashes else NOTHING
        order = np.argsort(every, kind="stable")
        files = np.repeat(np.arange(len(rows), dtype=np.int64), lengths)
        places = np.concatenate([np.arange(each, dtype=np.int64) for each in lengths] or [NOTHING])
        return _Laid(version, names, rows, every[order], files[order], places[order])
