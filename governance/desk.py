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
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from queue import SimpleQueue

import duckdb
import pyarrow as pa

from governance import tables
from governance.block import SOURCE_ROW, Block
from governance.checks import Earliest, literal, quoted
from governance.contract import Contract
from governance.staging import Judge

# (column, wanted, first row, its words: got and cure, how many)
Told = tuple[str, str, int, str, str, int]


@dataclass(frozen=True)
class Laid:
    """What became of one block: its good and its bad rows on disk, and what is told of the bad."""

    rows: int
    columns: dict[str, pa.DataType]
    good: tables.Part | None = None
    bad: tables.Part | None = None
    told: list[Told] = field(default_factory=list)


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
        with ThreadPoolExecutor(self.threads) as pool:
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

    def _work(
        self, block: Block, file: str, place: int, before: Future[int], after: Future[int]
    ) -> Laid:
        desk = self._free.get()
        try:
            good = desk.weigh(block)
            last = before.result()
            after.set_result(last + good)
            return desk.lay_down(block, file, place, last, good)
        finally:
            if not after.done():
                # Nobody may wait for a number that never comes.
                after.set_exception(RuntimeError("a block before this one could not be judged"))
            self._free.put(desk)


class Desk:
    """One connection with its own temporary tables; one block at a time."""

    def __init__(self, desks: Desks) -> None:
        self.desks, self.connection = desks, desks.connection.cursor()
        self.connection.execute("SET enable_progress_bar = false")
        self.judge = Judge(
            self.connection, desks.contract, desks.latest, desks.late, desks.earliest
        )

    def weigh(self, block: Block) -> int:
        """Judge a block and find what it has twice; returns how many good rows are to be stored."""
        self.judge.judge(block)
        [(good, different)] = self.connection.execute(
            "SELECT count(*), count(DISTINCT hash(row_digest)) FROM judged WHERE NOT bad"
        ).fetchall()
        self.connection.execute("CREATE OR REPLACE TEMP TABLE doubled (place BIGINT)")
        if different == good:
            return int(good)
        # Most rows that come twice come close together: those of one block go at once.
        self.connection.execute("""
            INSERT INTO doubled
            WITH digests AS (SELECT rowid AS place, row_digest FROM judged WHERE NOT bad),
            repeated AS (SELECT hash(row_digest) FROM digests GROUP BY ALL HAVING count(*) > 1)
            SELECT place FROM digests WHERE hash(row_digest) IN (FROM repeated)
            QUALIFY row_number() OVER (PARTITION BY row_digest ORDER BY place) > 1
        """)
        [(doubled,)] = self.connection.execute("SELECT count(*) FROM doubled").fetchall()
        return int(good) - int(doubled)

    def lay_down(self, block: Block, file: str, place: int, last: int, good: int) -> Laid:
        """Write the good rows, numbered on from `last`, and the bad ones with their reasons."""
        columns = {each.name: each.type for each in block.rows.schema if each.name != SOURCE_ROW}
        kept = self._lay_down_good(place, last, good) if good else None
        [(bad,)] = self.connection.execute("SELECT count(*) FROM judged WHERE bad").fetchall()
        if not bad and not block.spoilt.num_rows:
            return Laid(len(block), columns, kept)
        part, told = self._lay_down_bad(block, file, place)
        return Laid(len(block), columns, kept, part, told)

    def _lay_down_good(self, place: int, last: int, good: int) -> tables.Part:
        columns = ", ".join(quoted(column.name) for column in self.desks.contract.columns)
        path = self.desks.folder / f"good_{place:06}.parquet"
        # Rows keep their order: a window without one numbers them as they come.
        self.connection.execute(f"""
            COPY (SELECT {last} + row_number() OVER () AS record_no, happened_at, known_at,
                         NULL::TIMESTAMP AS retracted_at, {columns},
                         {literal(self.desks.batch)} AS batch, row_digest
                  FROM judged WHERE NOT bad AND rowid NOT IN (SELECT place FROM doubled))
            TO {literal(str(path))} (FORMAT parquet)
        """)
        return tables.Part(path, good, last + 1, last + good)

    def _lay_down_bad(self, block: Block, file: str, place: int) -> tuple[tables.Part, list[Told]]:
        self.connection.register("spoilt_rows", block.spoilt)
        path = self.desks.folder / f"bad_{place:06}.parquet"
        self.connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE bad_rows AS
            SELECT {SOURCE_ROW} AS row, raw, reasons FROM bad_judged
            UNION ALL
            SELECT row, text, [{{'column': '', 'wanted': wanted, 'got': got, 'cure': cure}}]
            FROM spoilt_rows
        """)
        self.connection.unregister("spoilt_rows")
        self.connection.execute(f"""
            COPY (SELECT {literal(self.desks.batch)} AS batch, {literal(file)} AS file, row, raw,
                         reasons, TIMESTAMP {literal(str(self.desks.now))} AS quarantined_at
                  FROM bad_rows) TO {literal(str(path))} (FORMAT parquet)
        """)
        told: list[Told] = self.connection.execute("""
            SELECT r."column", r.wanted, min(row), arg_min(r.got, row), arg_min(r.cure, row),
                   count(*)
            FROM (SELECT row, unnest(reasons) AS r FROM bad_rows) GROUP BY 1, 2
        """).fetchall()
        [(bad,)] = self.connection.execute("SELECT count(*) FROM bad_rows").fetchall()
        return tables.Part(path, int(bad)), told


def _read_ahead(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same blocks, one read beforehand by a thread."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = reader.submit(next, blocks, None)
            yield block
