"""Similar clues: past clues that fall into the same leaves, with what became of them.

The index keeps, per scorer, the leaf ids of every clue at its own moment. It lies beside the
scorers in the home, memory-mapped, grows as clues are raised, and may be deleted at any time: it
is made again at the next question. Whoever asks says which clues may be seen *before* anything is
ranked or counted, so that no answer depends on any other clue.

    similar/<digest>/<fingerprint>/NNNNNN/leaves.npy   (trees, clues), one folder per growth
                                    clues.parquet      clue_id, office_id, raised_at
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clues.register import read_clues
from governance import tables
from governance.home import Home
from scoring.bundle import Value
from scoring.leaves import Ids, leaves_of, likeness
from scoring.matrix import to_matrix
from scoring.scorer import Scorer, table_of_rows

Ints = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]
# The feature table of clues, each at its own raised_at.
FeatureRows = Callable[[pa.Table], pa.Table]
KEPT = ("clue_id", "office_id", "raised_at")


@dataclass(frozen=True)
class Likeness:
    """A past clue and the share of the trees' weight in which it shares the leaf, 0 to 1."""

    clue_id: str
    office_id: str | None
    share: float


@dataclass(frozen=True)
class Part:
    """One growth of the index: `clues` and the columns of `leaves` (trees, clues) are parallel."""

    clues: pa.Table
    leaves: Ids

    @cached_property
    def raised(self) -> Ints:
        """raised_at in microseconds, (clues,)."""
        return np.asarray(self.clues["raised_at"].cast(pa.int64()).to_numpy(), np.int64)


@dataclass
class SimilarClues:
    """The index of one scorer in a home. One per process; safe to ask from several threads."""

    home: Home
    scorer: Scorer
    feature_rows: FeatureRows
    _version: int = -1
    _parts: tuple[Part, ...] = field(default=(), repr=False)

    @property
    def folder(self) -> Path:
        """Where the index lies; another definition of features makes another."""
        manifest = self.scorer.manifest
        return self.home.path / "similar" / self.scorer.digest / manifest.features_fingerprint[:16]

    def nearest(
        self,
        values: Sequence[Value],
        may_see: Callable[[pa.Table], Mask],
        limit: int,
    ) -> list[Likeness]:
        """The `limit` clues most like one with these inputs, among those that `may_see` lets by.

        `may_see` gets a table of clue_id, office_id, raised_at and says for each. Of equals the
        clue raised last comes first, then by id.
        """
        table = table_of_rows(self.scorer.manifest, [tuple(values)])
        matrix = to_matrix(self.scorer.manifest.features, table)
        measure = leaves_of(self.scorer)
        asked = measure.of_matrix(matrix)[0]
        found: list[tuple[int, pa.Table]] = []
        for part in self._grown():
            seen = np.flatnonzero(may_see(part.clues))
            shared = likeness(part.leaves, asked, measure.weights)[seen]
            best = _best(shared, part.raised[seen], limit)
            rows = part.clues.take(pa.array(seen[best]))
            found += list(zip(shared[best].tolist(), rows.to_pylist(), strict=True))
        found.sort(key=lambda each: each[1]["clue_id"])
        found.sort(key=lambda each: (each[0], each[1]["raised_at"]), reverse=True)
        return [
            Likeness(row["clue_id"], row["office_id"], shared / measure.total)
            for shared, row in found[:limit]
        ]

    def _grown(self) -> tuple[Part, ...]:
        """Every part, after those clues are taken in that were raised since."""
        table = self.home.table("clues")
        if self._version < 0 or tables.newer_than(table, self._version):
            with self._writing():
                version = tables.version(table)
                self._read()
                clues = read_clues(self.home)
                known = [part.clues["clue_id"].combine_chunks() for part in self._parts]
                have = pa.concat_arrays(known) if known else pa.array([], pa.string())
                new = clues.filter(pc.invert(pc.is_in(clues["clue_id"], have)))
                if new.num_rows:
                    self._write(new)
                    self._read()
                self._version = version
        return self._parts

    def _write(self, clues: pa.Table) -> None:
        rows = self.feature_rows(clues)
        matrix = to_matrix(self.scorer.manifest.features, rows)
        leaves = leaves_of(self.scorer).of_matrix(matrix)
        draft = Path(tempfile.mkdtemp(dir=self.folder, prefix=".draft-"))
        np.save(draft / "leaves.npy", np.ascontiguousarray(leaves.T))
        pq.write_table(clues.select(list(KEPT)), draft / "clues.parquet")
        draft.rename(self.folder / f"{len(self._parts):06}")

    def _read(self) -> None:
        parts = list(self._parts)
        for path in sorted(self.folder.glob("[0-9]*"))[len(parts) :]:
            clues = pq.read_table(path / "clues.parquet").combine_chunks()
            parts.append(Part(clues, np.load(path / "leaves.npy", mmap_mode="r")))
        self._parts = tuple(parts)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One process grows the index, the others wait and read what it wrote."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in self.folder.glob(".draft-*"):  # of a process that died
                shutil.rmtree(left)
            yield


def _best(shared: Ints, raised: Ints, limit: int) -> Ints:
    """Places of the `limit` best by (shared, raised), and of all that equal the last of them."""
    if len(shared) <= limit:
        return np.arange(len(shared))
    least = np.partition(shared, len(shared) - limit)[len(shared) - limit]
    places = np.flatnonzero(shared >= least)
    places = places[np.lexsort((-raised[places], -shared[places].astype(np.int64)))]
    last = places[limit - 1]
    equal = (shared[places] == shared[last]) & (raised[places] == raised[last])
    equal[:limit] = True
    return places[equal]
