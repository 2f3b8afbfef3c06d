"""Desks: where blocks are judged and laid down, several at a time, each at a desk of its own.

    blocks (read one after the other) -> judge -> number -> lay down -> Laid, in the blocks' order

Only numbers are given in turn: how many good rows a block has is known before they are written,
so the next desk waits for a count and never for a file. What comes out is the same for any number
of desks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from queue import SimpleQueue

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from governance import tables
from governance.block import SOURCE_ROW, Block
from governance.checks import Earliest
from governance.contract import Contract
from governance.doubles import repeated
from governance.part_files import repeat, repeating, write_rows
from governance.reasons import Told, of_spoilt, told_of
from governance.staging import BYTES_OF_A_DIGEST, Judge, Judged

REPEATING_OF_BAD = (
    "batch",
    "file",
    "quarantined_at",
    *(f"reasons.list.element.{name}" for name in ("column", "wanted", "got", "cure")),
)


@dataclass(frozen=True)
class Laid:
    """What became of one block: its good and its bad rows on disk, and what is told of the bad."""

    rows: int
    columns: dict[str, pa.DataType]
    good: tables.Part | None = None
    bad: tables.Part | None = None
    told: list[Told] = field(default_factory=list)
    # Of the good rows record_no, row_digest and key_hash.
    marks: pa.Table | None = None


@dataclass(frozen=True)
class Weighed:
    """A judged block. `first`: which of its good rows are the first of their digest."""

    judged: Judged
    first: npt.NDArray[np.bool_]

    @property
    def good(self) -> int:
        """How many rows are to be stored."""
        return int(self.first.sum())

    @property
    def stored(self) -> npt.NDArray[np.bool_]:
        """Which rows of the block these are."""
        stored = ~self.judged.bad
        stored[stored] = self.first
        return stored


@dataclass
class Desks:
    """Desks of one batch: as many as `threads`, in `folder`, under the batch's name."""

    connection: duckdb.DuckDBPyConnection
    contract: Contract
    batch: str
    folder: Path
    now: datetime
    threads: int
    latest: Mapping[str, datetime] = field(default_factory=dict)
    late: Mapping[str, datetime] = field(default_factory=dict)
    earliest: Earliest | None = None
    _places: Iterator[int] = field(default_factory=count)
    _free: SimpleQueue[Desk] = field(default_factory=SimpleQueue)

    def __post_init__(self) -> None:
        for _ in range(self.threads):
            self._free.put(Desk(self))

    def lay_down(self, blocks: Iterator[Block], file: str, last: int) -> Iterator[Laid]:
        """Every block of a file, in their order; records are numbered on from `last`."""
        before: Future[int] = Future()
        before.set_result(last)
        with ThreadPoolExecutor(self.threads) as pool, self._one_thread_each():
            running: deque[Future[Laid]] = deque()
            for block in _read_ahead(blocks):
                after: Future[int] = Future()
                place = next(self._places)
                running.append(pool.submit(self._work, block, file, place, before, after))
                before = after
                if len(running) > self.threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()

    @contextmanager
    def _one_thread_each(self) -> Iterator[None]:
        """A desk's statements run in its own thread: there is a desk for each already."""
        self.connection.execute("SET threads = 1")
        try:
            yield
        finally:
            self.connection.execute(f"SET threads = {self.threads}")

    def _work(
        self, block: Block, file: str, place: int, before: Future[int], after: Future[int]
    ) -> Laid:
        desk = self._free.get()
        try:
            weighed = desk.weigh(block)
            last = before.result()
            after.set_result(last + weighed.good)
            return desk.lay_down(block, file, place, last, weighed)
        finally:
            if not after.done():
                # Nobody may wait for a number that never comes.
                after.set_exception(RuntimeError("a block before this one could not be judged"))
            self._free.put(desk)


class Desk:
    """One connection of its own; one block at a time."""

    def __init__(self, desks: Desks) -> None:
        self.desks, connection = desks, desks.connection.cursor()
        connection.execute("SET enable_progress_bar = false")
        self.judge = Judge(connection, desks.contract, desks.latest, desks.late, desks.earliest)

    def weigh(self, block: Block) -> Weighed:
        """Judge a block and find what it has twice."""
        judged = self.judge.judge(block)
        # Most rows that come twice come close together: those of one block go at once.
        return Weighed(judged, ~repeated(judged.digests))

    def lay_down(self, block: Block, file: str, place: int, last: int, weighed: Weighed) -> Laid:
        """Write the good rows, numbered on from `last`, and the bad ones with their reasons."""
        columns = {each.name: each.type for each in block.rows.schema if each.name != SOURCE_ROW}
        laid = Laid(len(block), columns)
        if weighed.good:
            laid = self._lay_down_good(laid, place, last, weighed)
        if block.spoilt.num_rows or weighed.judged.bad.any():
            laid = self._lay_down_bad(laid, block.spoilt, weighed.judged, file, place)
        return laid

    def _lay_down_good(self, laid: Laid, place: int, last: int, weighed: Weighed) -> Laid:
        typed = weighed.judged.typed.filter(pa.array(weighed.stored))
        count, kept = len(typed), weighed.first
        numbers = pa.array(np.arange(last + 1, last + 1 + count))
        digests = _binary(weighed.judged.digests[kept])
        rows = pa.table(
            {
                "record_no": numbers,
                "happened_at": typed["happened_at"],
                "known_at": typed["known_at"],
                "retracted_at": pa.nulls(count, pa.timestamp("us")),
                **{name: typed[name] for name in typed.column_names[2:]},
                "batch": repeat(self.desks.batch, count),
                "row_digest": digests,
            }
        )
        path = self.desks.folder / f"good_{place:06}.parquet"
        write_rows(rows, path, repeating(rows))
        marks = {
            "record_no": numbers,
            "row_digest": digests,
            "key_hash": pa.array(weighed.judged.keys[kept]),
        }
        return replace(
            laid, good=tables.Part(path, count, last + 1, last + count), marks=pa.table(marks)
        )

    def _lay_down_bad(
        self, laid: Laid, spoilt: pa.Table, judged: Judged, file: str, place: int
    ) -> Laid:
        bad = [of_spoilt(spoilt)] if spoilt.num_rows else []
        if judged.bad.any():
            bad = [self.judge.told(judged), *bad]
        rows = pa.concat_tables(bad)
        count = len(rows)
        path = self.desks.folder / f"bad_{place:06}.parquet"
        kept = pa.table(
            {
                "batch": repeat(self.desks.batch, count),
                "file": repeat(file, count),
                **{name: rows[name] for name in rows.column_names},
                "quarantined_at": pa.repeat(pa.scalar(self.desks.now, pa.timestamp("us")), count),
            }
        )
        write_rows(kept, path, REPEATING_OF_BAD)
        return replace(laid, bad=tables.Part(path, count), told=told_of(rows))


def _binary(digests: npt.NDArray[np.uint8]) -> pa.Array:
    offsets = np.arange(0, digests.size + 1, BYTES_OF_A_DIGEST, dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(digests)]
    return pa.Array.from_buffers(pa.binary(), len(digests), buffers)


def _read_ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same blocks, one read beforehand by a thread."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = reader.submit(next, blocks, None)
            yield block
