"""Which bucket each record and clue goes to, so that no bucket outgrows a worker.

Most keys share buckets: the hash of the key, mod a number that is doubled until the fullest bucket
is within bounds. A key with more than half a bucket of records or of clues is hot: its records are
cut into chunks by their entry, its clues by their moment, and each pair of chunks that can meet is
a bucket of its own. A record is met by a clue in exactly one bucket, hence whatever adds up over
disjoint sets of records (features.spark.partials) is exact. The price is copies: a record goes to
as many buckets as there are chunks of clues that may still see it, a clue to as many as there are
chunks of records before it (for finite windows: within them).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as fn

from base.errors import Refused
from features.slices import MICROS_PER_DAY

BUCKET, SLOT, PART = "clues__bucket", "clues__slot", "clues__part"
SLOTS_PER_KEY = 256
NOWHERE, FINEST = -1, 64
Key = tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """Records or clues before they are placed: the frame, a slim form of it to count with, and
    the names of what tells when a row begins to matter, until when, and which row it is."""

    frame: DataFrame
    slim: DataFrame
    begin: str
    until: Column
    number: str


@dataclass(frozen=True)
class Placed:
    """Both sides with their bucket. In buckets from `split_from` on, a key (one of `split`) has
    only a part of its records."""

    records: DataFrame
    clues: DataFrame
    split_from: int
    split: tuple[Key, ...]


@dataclass(frozen=True)
class Chunk:
    """Neighbouring slots of one key, within bounds; `first` to `last`: when its rows matter."""

    slots: tuple[tuple[int, int], ...]
    first: int
    last: int


Chunks = dict[Key, list[Chunk]]


def records_side(frame: DataFrame, slim: DataFrame, windows: Sequence[int | None]) -> Side:
    """Keyed records; they matter until the end of the longest of `windows` (None = all)."""
    until = fn.col("retracted_us")
    if None not in windows:
        longest = max(days for days in windows if days is not None) * MICROS_PER_DAY
        until = fn.least(until, fn.col("happened_us") + fn.lit(longest))
    return Side(frame, slim, "entry_us", until, "record_no")


def clues_side(frame: DataFrame, slim: DataFrame) -> Side:
    """Keyed clues; they matter at their moment."""
    return Side(frame, slim, "moment_us", fn.col("moment_us"), "clue_id")


def place(records: Side, clues: Side, keys: list[str], bound: int, buckets: int) -> Placed:
    """Give each row its bucket: at most `bound` records and `bound` clues in any.

    Counts per key are computed here and now, by one to three passes over the slim frames;
    `buckets` is how many the keys that are not hot share at the least.
    """
    counts = _counts(records, clues, keys)
    found, shared = _hot_and_shared(counts, keys, bound, buckets)
    if not found:
        light = _hashed(keys, shared)
        return Placed(
            records.frame.withColumn(BUCKET, light),
            clues.frame.withColumn(BUCKET, light),
            shared,
            (),
        )
    told = {tuple(row[key] for key in keys): row for row in found}
    cutters = [
        _Cutter.over(side, keys, told, prefix)
        for side, prefix in ((records, "record"), (clues, "clue"))
    ]
    chunks = _cut(cutters, _frame(records.slim.sparkSession, keys, list(told)), bound)
    blocks = _Blocks.of(*chunks, tuple(told), shared)
    return Placed(
        cutters[0].placed(chunks[0], blocks.records, shared),
        cutters[1].placed(chunks[1], blocks.clues, shared),
        blocks.split_from,
        blocks.split,
    )


def _counts(records: Side, clues: Side, keys: list[str]) -> DataFrame:
    """Per key: how many records and clues, and the first and last begin of each."""
    one = [
        side.slim.select(*keys, fn.lit(word).alias("side"), fn.col(side.begin).alias("at"))
        for side, word in ((records, "record"), (clues, "clue"))
    ]
    aggregates = []
    for word in ("record", "clue"):
        at = fn.when(fn.col("side") == word, fn.col("at"))
        aggregates += [fn.count(at).alias(f"{word}s")]
        aggregates += [fn.min(at).alias(f"{word}_from"), fn.max(at).alias(f"{word}_to")]
    return one[0].unionByName(one[1]).groupBy(*keys).agg(*aggregates)


def _hashed(keys: list[str], buckets: int) -> Column:
    return fn.pmod(fn.xxhash64(*keys), fn.lit(buckets)).cast("bigint")


def _hot_and_shared(
    counts: DataFrame, keys: list[str], bound: int, buckets: int
) -> tuple[list[Any], int]:
    """The counts of each hot key, and how many buckets keep the fullest of all others in bounds.

    It ends because every other key is within half of the bounds by itself.
    """
    hot = fn.greatest("records", "clues") > bound // 2
    while True:
        apart = [fn.when(hot, fn.col(key)).alias(key) for key in keys]
        bucket = fn.when(~hot, _hashed(keys, buckets)).alias(BUCKET)
        ends = [f"{word}_{end}" for word in ("record", "clue") for end in ("from", "to")]
        summed = [fn.sum(name).alias(name) for name in ("records", "clues")]
        together = counts.select(*apart, bucket, "records", "clues", *ends).groupBy(*keys, BUCKET)
        rows = together.agg(*summed, *(fn.min(name).alias(name) for name in ends)).collect()
        full = [row for row in rows if row[BUCKET] is not None]
        most = max((max(row["records"], row["clues"]) for row in full), default=0)
        if most <= bound:
            return [row for row in rows if row[BUCKET] is None], buckets
        buckets *= 2 ** math.ceil(math.log2(most / bound))


@dataclass
class _Cutter:
    """Cuts one side of the hot keys into slots of equal time.

    Where many rows have one moment (a first delivery), a slot has `parts` by the row's number.
    """

    side: Side
    keys: list[str]
    origin: int
    width: int
    parts: int = 1

    @classmethod
    def over(cls, side: Side, keys: list[str], told: dict[Key, Any], prefix: str) -> _Cutter:
        """Slots over the time from the first to the last begin of any hot key."""
        rows = [row for row in told.values() if row[f"{prefix}s"]]
        origin = min((row[f"{prefix}_from"] for row in rows), default=0)
        span = max((row[f"{prefix}_to"] for row in rows), default=0) - origin + 1
        return cls(side, keys, origin, max(1, -(-span // SLOTS_PER_KEY)))

    def histogram(self, hot: DataFrame, at: int) -> DataFrame:
        """Rows per slot of the `hot` keys, and when they matter; `at` tells the side."""
        mine = self._slotted(self.side.slim.join(fn.broadcast(hot), self.keys, "left_semi"))
        return mine.groupBy(fn.lit(at).alias("side"), *self.keys, SLOT, PART).agg(
            fn.count(fn.lit(1)).alias("count"),
            fn.min(self.side.begin).alias("first"),
            fn.max(self.side.until).alias("last"),
        )

    def refine(self, most: int, bound: int) -> None:
        """More parts, because a slot holds `most` rows. Raises Refused where numbers repeat."""
        if self.parts > FINEST * most:
            raise Refused(
                wanted=f"{self.side.number} to tell rows apart",
                got=f"{most} rows of one key and moment that share theirs",
                cure="number the rows of each record set, from 1 on",
            )
        self.parts *= 2 * math.ceil(most / bound)

    def _slotted(self, frame: DataFrame) -> DataFrame:
        slot = fn.floor((fn.col(self.side.begin) - fn.lit(self.origin)) / fn.lit(self.width))
        part = fn.pmod(fn.xxhash64(self.side.number), fn.lit(self.parts))
        return frame.withColumns({SLOT: slot.cast("bigint"), PART: part.cast("bigint")})

    def placed(
        self,
        cut: Chunks,
        blocks: dict[tuple[Key, int], list[int]],
        shared: int,
    ) -> DataFrame:
        """The side's frame with its bucket, a row once for each block its chunk belongs to."""
        plan = [
            (*key, slot, part, block)
            for key, chunks in cut.items()
            for at, chunk in enumerate(chunks)
            for slot, part in chunk.slots
            for block in blocks.get((key, at), [NOWHERE])
        ]
        on = [*self.keys, SLOT, PART]
        planned = _frame(self.side.frame.sparkSession, self.keys, plan, [SLOT, PART, "block"])
        return (
            self._slotted(self.side.frame)
            .join(fn.broadcast(planned), on, "left")
            .withColumn(BUCKET, fn.coalesce("block", _hashed(self.keys, shared)))
            .filter(fn.col(BUCKET) != NOWHERE)
            .drop(SLOT, PART, "block")
        )


def _cut(cutters: list[_Cutter], hot: DataFrame, bound: int) -> tuple[Chunks, Chunks]:
    """The chunks of both sides, from one histogram of slots, finer until all are in bounds."""
    while True:
        both = [cutter.histogram(hot, at) for at, cutter in enumerate(cutters)]
        rows = both[0].unionByName(both[1]).collect()
        mine = [[row for row in rows if row["side"] == at] for at in range(len(cutters))]
        most = [max((row["count"] for row in side), default=0) for side in mine]
        if max(most) <= bound:
            keys = cutters[0].keys
            return _packed(mine[0], keys, bound), _packed(mine[1], keys, bound)
        for cutter, rows_of_fullest in zip(cutters, most, strict=True):
            if rows_of_fullest > bound:
                cutter.refine(rows_of_fullest, bound)


def _packed(rows: Sequence[Any], keys: list[str], bound: int) -> Chunks:
    """Slots in their order, put together while they stay within `bound` (next fit)."""
    by_key: dict[Key, list[Any]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row[SLOT], row[PART])):
        by_key[tuple(row[key] for key in keys)].append(row)
    return {key: [_chunk(part) for part in _parted(mine, bound)] for key, mine in by_key.items()}


def _parted(rows: list[Any], bound: int) -> list[list[Any]]:
    parted: list[list[Any]] = []
    held = 0
    for row in rows:
        if not parted or held + row["count"] > bound:
            parted.append([])
            held = 0
        parted[-1].append(row)
        held += row["count"]
    return parted


def _chunk(rows: list[Any]) -> Chunk:
    slots = tuple((row[SLOT], row[PART]) for row in rows)
    return Chunk(slots, min(row["first"] for row in rows), max(row["last"] for row in rows))


@dataclass(frozen=True)
class _Blocks:
    """The blocks of each hot key's chunks, by (key, place of the chunk)."""

    records: dict[tuple[Key, int], list[int]]
    clues: dict[tuple[Key, int], list[int]]
    split_from: int
    split: tuple[Key, ...]

    @classmethod
    def of(
        cls,
        records: Chunks,
        clues: Chunks,
        hot: tuple[Key, ...],
        begin: int,
    ) -> _Blocks:
        """Number the pairs of chunks that can meet from `begin` on, keys with one chunk first.

        A chunk of clues that meets no record has a block too: its counts are 0, not missing.
        """
        split = tuple(key for key in hot if len(records.get(key, ())) > 1)
        whole = [key for key in hot if key not in set(split)]
        found = cls(defaultdict(list), defaultdict(list), begin, split)
        block = found._numbered(whole, records, clues, begin)
        found._numbered(list(split), records, clues, block)
        return cls(dict(found.records), dict(found.clues), block, split)

    def _numbered(
        self,
        keys: list[Key],
        records: Chunks,
        clues: Chunks,
        block: int,
    ) -> int:
        for key in keys:
            for j, asking in enumerate(clues.get(key, ())):
                meeting: list[int | None] = [
                    i
                    for i, held in enumerate(records.get(key, ()))
                    if held.first < asking.last and held.last >= asking.first
                ]
                for i in meeting or [None]:
                    self.clues[key, j].append(block)
                    if i is not None:
                        self.records[key, i].append(block)
                    block += 1
        return block


def _frame(
    session: SparkSession, keys: list[str], rows: list[Any], numbers: Sequence[str] = ()
) -> DataFrame:
    """Rows of key texts and numbers as a small frame."""
    columns = list(zip(*rows, strict=True)) or [()] * (len(keys) + len(numbers))
    kinds = [pa.string()] * len(keys) + [pa.int64()] * len(numbers)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds, strict=True)]
    return session.createDataFrame(pa.table(arrays, names=[*keys, *numbers]))
