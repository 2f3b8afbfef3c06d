"""One bucket swept, and what its values become: partial values, merged, then final.

In each bucket the batch engine's own sweep (features.sweep over features.slices) runs over the
bucket's Arrow tables. It gives partial values that add up over disjoint sets of records, so that a
hot key may be cut anywhere:

    count, exists, sum, mean, ratio   integers: counts and sums of cents
    rank                              how many lie below the clue's own, of how many
    min, max                          the extreme of extremes
    last, days_since_last             of the last records the last, by the sweep's own order:
                                      happened, entry, record_no
    distinct                          does not add up; see features.spark.islands
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as fn
from pyspark.sql import types as spark_types

from features.as_raised import REGISTER
from features.definition import Feature
from features.slices import MICROS_PER_DAY, Ints, Slices, cut
from features.spark.buckets import BUCKET, Placed
from features.sweep import Sweep

AT, VALUED = "clues__at", "clues__valued_"
PARTS = {
    "count": ("n",),
    "exists": ("n",),
    "sum": ("s",),
    "mean": ("n", "s"),
    "min": ("v",),
    "max": ("v",),
    "last": ("happened", "entry", "number", "v"),
    "days_since_last": ("happened",),
    "distinct": ("n",),
    "rank": ("below", "n"),
    "ratio": ("hits", "n"),
}
Partial = dict[str, pa.Array]


@dataclass(frozen=True)
class Task:
    """A feature to be swept in one grouping; its partial columns are `name`_part."""

    name: str
    feature: Feature

    @property
    def parts(self) -> dict[str, spark_types.DataType]:
        """Part -> its Spark type."""
        value = spark_types.StringType() if self.feature.type == "category" else None
        return {
            part: (value or spark_types.DoubleType()) if part == "v" else spark_types.LongType()
            for part in PARTS[self.feature.kind]
        }

    def part(self, part: str) -> str:
        """The name of a partial column."""
        return f"{self.name}_{part}"


def swept(placed: Placed, keys: list[str], tasks: Sequence[Task]) -> DataFrame:
    """clue_id and every task's partial columns: one row per clue and bucket it is in.

    In buckets of a split key `distinct` is null. A Refused of the sweep (sums beyond 2^62) is told
    within Spark's own PythonException.
    """
    tasks, split_from = tuple(_bare(task) for task in tasks), placed.split_from

    def block(key: tuple[pa.Scalar, ...], records: pa.Table, clues: pa.Table) -> pa.Table:
        bucket = Bucket(records, clues, keys, tasks)
        whole = key[0].as_py() < split_from
        columns = {"clue_id": clues["clue_id"]}
        for task in tasks:
            parts = bucket.partial(task.feature, whole)
            columns |= {task.part(part): parts[part] for part in task.parts}
        return pa.table(columns)

    schema = spark_types.StructType([placed.clues.schema["clue_id"]])
    for task in tasks:
        for part, kind in task.parts.items():
            schema.add(task.part(part), kind)
    pairs = placed.records.groupBy(BUCKET).cogroup(placed.clues.groupBy(BUCKET))
    return pairs.applyInArrow(block, schema)


def _bare(task: Task) -> Task:
    """Without what a worker has no need of."""
    return replace(task, feature=replace(task.feature, grouping=None, ratio=None))


class Bucket:
    """Records and clues of one bucket, sorted for the sweep."""

    def __init__(
        self, records: pa.Table, clues: pa.Table, keys: list[str], tasks: Sequence[Task]
    ) -> None:
        code, asked = _codes(records, clues, keys)
        number, entry, happened = (
            records[name].to_numpy() for name in ("record_no", "entry_us", "happened_us")
        )
        order = np.lexsort((number, happened, entry, code))
        rows = records.drop_columns([*keys, BUCKET]).combine_chunks().take(pa.array(order))
        rows = rows.append_column("key_code", pa.array(code[order]))
        rows = rows.append_column(AT, pa.array(np.arange(len(order))))
        for column in {str(task.feature.column) for task in tasks if task.feature.kind == "rank"}:
            # 0 where there is a value: counting it needs no arithmetic on the value itself.
            valued = pc.if_else(pc.is_valid(rows[column]), 0, pa.scalar(None, pa.int64()))
            rows = rows.append_column(VALUED + column, valued)
        self.number: Ints = number[order]
        self.slices: Slices = cut(rows, asked, clues)
        self.sweep = Sweep(self.slices, clues, threads=1)

    def partial(self, feature: Feature, whole: bool) -> Partial:
        """A feature's partial values, one per clue; `whole`: all records of the keys are here."""
        kinds: dict[str, Callable[[Feature], Partial]] = {
            "count": lambda f: {"n": self._count(None, f)},
            "exists": lambda f: {"n": self._count(None, f)},
            "sum": self._sum,
            "mean": self._sum,
            "min": lambda f: {"v": self.sweep.column(f)},
            "max": lambda f: {"v": self.sweep.column(f)},
            "last": self._last,
            "days_since_last": self._last,
            "distinct": lambda f: {"n": self._distinct(f, whole)},
            "rank": self._rank,
            "ratio": self._ratio,
        }
        return kinds[feature.kind](feature)

    def _count(self, column: str | None, feature: Feature) -> pa.Array:
        return pa.array(self.sweep.counts(column, feature.window_days)[0])

    def _sum(self, feature: Feature) -> Partial:
        count, total = self.sweep.counts(feature.column, feature.window_days)
        return {"n": pa.array(count), "s": pa.array(total)}

    def _ratio(self, feature: Feature) -> Partial:
        count, hits = self.sweep.counts("c0", feature.window_days)
        return {"n": pa.array(count), "hits": pa.array(hits)}

    def _last(self, feature: Feature) -> Partial:
        """The value of the last record, and where it stands in the order of all buckets' last."""
        of_place = replace(feature, kind="last", column=AT, type="numeric")
        place = self.sweep.column(of_place).cast(pa.int64())
        found: Partial = {
            part: pa.array(values).take(place)
            for part, values in (
                ("happened", self.slices.happened),
                ("entry", self.slices.entry),
                ("number", self.number),
            )
        }
        if feature.kind == "last":
            found["v"] = self.sweep.column(feature)
        return found

    def _distinct(self, feature: Feature, whole: bool) -> pa.Array:
        if not whole:
            return pa.nulls(self.sweep.clues.num_rows, pa.int64())
        return self.sweep.column(feature).cast(pa.int64())

    def _rank(self, feature: Feature) -> Partial:
        """Counts again from the share: lower / n * n is within 2^-52 of lower, hence rounds to it.

        Null where the clue has no value of its own, 0 of 0 where no record has one.
        """
        count = self.sweep.counts(f"{VALUED}{feature.column}", feature.window_days)[0]
        share = self.sweep.column(feature).fill_null(0).to_numpy(zero_copy_only=False)
        missing = self.sweep.clues[str(feature.of)].is_null().to_numpy()
        below = np.rint(share * count).astype(np.int64)
        return {"below": pa.array(below, mask=missing), "n": pa.array(count, mask=missing)}


def _codes(records: pa.Table, clues: pa.Table, keys: list[str]) -> tuple[Ints, Ints]:
    """One number per key for records and for clues, the same for equal texts."""
    both = np.zeros(records.num_rows + clues.num_rows, np.int64)
    for name in keys:
        texts = pa.chunked_array([*records[name].chunks, *clues[name].chunks], pa.string())
        encoded = texts.combine_chunks().dictionary_encode()
        part = encoded.indices.to_numpy().astype(np.int64)
        both = np.unique(both * max(1, len(encoded.dictionary)) + part, return_inverse=True)[1]
    both = both.astype(np.int64)
    return both[: records.num_rows], both[records.num_rows :]


def merged(partials: Sequence[DataFrame], tasks: Sequence[Task]) -> DataFrame:
    """One row per clue: the partial values of all its buckets put together."""
    every = partials[0]
    for other in partials[1:]:
        every = every.unionByName(other, allowMissingColumns=True)
    columns = [
        _merge(task, part).alias(task.part(part))
        for task in tasks
        for part in task.parts
        if task.feature.kind != "last" or part == "v"
    ]
    return every.groupBy("clue_id").agg(*columns)


def _merge(task: Task, part: str) -> Column:
    column, kind = fn.col(task.part(part)), task.feature.kind
    if kind in ("min", "max"):
        return fn.min(column) if kind == "min" else fn.max(column)
    if kind == "days_since_last":
        return fn.max(column)
    if kind == "last":
        listed = [fn.col(task.part(name)) for name in ("happened", "entry", "number")]
        order = fn.when(listed[0].isNotNull(), fn.struct(*listed))
        return fn.max_by(column, order)
    # Wide enough that no number of buckets can overflow it, whatever the session's SQL mode.
    return fn.sum(column.cast("decimal(20,0)"))


def final(task: Task) -> Column:
    """A feature's value from its merged partial columns, in the sweep's own arithmetic."""
    feature = task.feature
    part = {name: fn.col(task.part(name)) for name in task.parts}
    double = {name: column.cast("double") for name, column in part.items()}
    kinds: dict[str, Callable[[], Column]] = {
        "count": lambda: double["n"],
        "exists": lambda: (part["n"] > 0).cast("double"),
        "sum": lambda: double["s"],
        "mean": lambda: _share(double["s"], double["n"]),
        "min": lambda: part["v"],
        "max": lambda: part["v"],
        "last": lambda: part["v"],
        "days_since_last": lambda: _days(feature, part["happened"]),
        "distinct": lambda: double["n"],
        "rank": lambda: _share(double["below"], double["n"]),
    }
    return kinds[feature.kind]()


def _share(part: Column, whole: Column) -> Column:
    return fn.when(whole > 0, part / whole)


def _days(feature: Feature, happened: Column) -> Column:
    """Whole days before the clue's moment, in integers as the sweep does."""
    looked = "clues__as_raised_us" if feature.source == REGISTER else "clues__moment_us"
    elapsed = fn.col(looked) - happened
    days = (elapsed - fn.pmod(elapsed, fn.lit(MICROS_PER_DAY))) / fn.lit(MICROS_PER_DAY)
    return days.cast("double")
