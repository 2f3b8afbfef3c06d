"""The feature table through Spark: the values of `features.table.build_features`, bit for bit.

spark_features -> per grouping and per step of a ladder:
                      keyed records and clues (DuckDB in Arrow batches: filter, key)
                      -> buckets (hash of the key; hot keys cut)
                      -> partial values (the batch engine's sweep in cogroup.applyInArrow)
                      -> merged, one row per clue
               -> joined on clue_id, final values

Slower than `build_features` wherever one machine holds the records; meant for where none does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as fn
from pyspark.sql import types as spark_types

from base.errors import Refused
from clues.clue import RAISING
from features.as_raised import REGISTER, as_raised
from features.definition import Feature, FeatureSet, Grouping
from features.spark.buckets import BUCKET, Placed, clues_side, place, records_side
from features.spark.islands import islands, only_keys
from features.spark.keyed import key_names, keyed_clues, keyed_records, naive
from features.spark.partials import Task, final, merged, swept
from features.table import NEEDS_VALUES, assembled, plain

ROWS_PER_BUCKET, BUCKETS = 2_000_000, 64
LEAST_ROWS, PLANNED_AT_ONCE = 100, 4
Tables = Mapping[str, DataFrame]


@dataclass(frozen=True)
class Work:
    """One grouping: its features, and the frames to sweep with the tasks of each."""

    keys: list[str]
    tasks: list[Task]
    placed: list[tuple[Placed, list[Task]]]


def spark_features(
    definitions: FeatureSet,
    clues: DataFrame,
    tables: Tables,
    session: SparkSession,
    *,
    rows_per_bucket: int = ROWS_PER_BUCKET,
    buckets: int = BUCKETS,
) -> DataFrame:
    """Every feature of every clue, strictly before its moment, as a lazy frame.

    `clues` has clue_id (each once), raised_at and the columns the definitions use; `tables` maps
    record set -> frame with record_no, happened_at, known_at, retracted_at and its own columns
    (features.spark.session.record_frames). Gives clue_id, moment, then the features as double or
    string, null = missing; rows in no order (`collected` gives the batch engine's table).

    No bucket holds more than `rows_per_bucket` records or clues. Buckets are planned at once, by a
    few Spark jobs per grouping; values are computed when the frame is used. Raises Refused where
    the session's time zone is not UTC, a clue_id comes twice, a plain column is no number, or a
    bucket is to hold fewer than 100 rows.
    """
    return SparkPlan.of(
        definitions, clues, tables, session, rows_per_bucket=rows_per_bucket, buckets=buckets
    ).features()


@dataclass(frozen=True)
class Load:
    """How full the buckets of one sweep are. `salted` keys have their records in several."""

    group: str
    buckets: int
    salted: int
    most_records: int
    most_clues: int


@dataclass(frozen=True)
class SparkPlan:
    """What `spark_features` will do: which rows go to which bucket, for each grouping."""

    definitions: FeatureSet
    clues: DataFrame
    works: tuple[Work, ...]

    @classmethod
    def of(
        cls,
        definitions: FeatureSet,
        clues: DataFrame,
        tables: Tables,
        session: SparkSession,
        *,
        rows_per_bucket: int = ROWS_PER_BUCKET,
        buckets: int = BUCKETS,
    ) -> SparkPlan:
        """Check what is given and place every row; see `spark_features`."""
        _check_bounds(rows_per_bucket, buckets)
        _check_clues(clues, session)
        works = _Planner(clues, tables, rows_per_bucket, buckets).works(definitions)
        return cls(definitions, clues, tuple(works))

    def features(self) -> DataFrame:
        """The feature table, as `spark_features` gives it."""
        table = _plain_frame(self.definitions, self.clues)
        features: dict[str, Column] = {}
        ratios: dict[str, list[Task]] = defaultdict(list)
        for work in self.works:
            partials = [swept(placed, work.keys, tasks) for placed, tasks in work.placed]
            table = table.join(merged(partials, work.tasks), "clue_id", "left")
            for task in work.tasks:
                if task.feature.kind == "ratio":
                    ratios[task.feature.name].append(task)
                else:
                    features[task.feature.name] = final(task)
        features |= {name: _ratio(tasks) for name, tasks in ratios.items()}
        names = self.definitions.names
        listed = [features.get(name, fn.col(name)).alias(name) for name in names]
        return table.select("clue_id", fn.col("raised_at").alias("moment"), *listed)

    def loads(self) -> list[Load]:
        """The greatest bucket of each sweep, counted row by row."""
        return [
            _load(tasks[0].feature.name, placed)
            for work in self.works
            for placed, tasks in work.placed
        ]


def collected(features: DataFrame, definitions: FeatureSet, clues: pa.Table) -> pa.Table:
    """The frame of `spark_features` as the table that `build_features` gives for `clues`.

    Everything comes to this machine; larger results are written from the frame itself.
    """
    told = features.drop("moment").toArrow()
    order = pc.index_in(clues["clue_id"], told["clue_id"].combine_chunks())
    told = told.take(order)
    columns = {name: told[name].combine_chunks() for name in definitions.names}
    return assembled(definitions, clues, columns)


def _load(group: str, placed: Placed) -> Load:
    records = placed.records.select(BUCKET, fn.lit(1).alias("r"), fn.lit(0).alias("c"))
    asking = placed.clues.select(BUCKET, fn.lit(0).alias("r"), fn.lit(1).alias("c"))
    each = records.unionByName(asking).groupBy(BUCKET).agg(fn.sum("r"), fn.sum("c")).toArrow()
    most = [pc.max(each[name]).as_py() or 0 for name in ("sum(r)", "sum(c)")]
    return Load(group, each.num_rows, len(placed.split), *most)


@dataclass(frozen=True)
class _Planner:
    """What every grouping is planned from."""

    clues: DataFrame
    tables: Tables
    bound: int
    buckets: int

    def works(self, definitions: FeatureSet) -> list[Work]:
        """All groupings, several at a time: planning waits for Spark more than it computes."""
        with ThreadPoolExecutor(PLANNED_AT_ONCE) as pool:
            return list(pool.map(lambda each: self._work(*each), _groupings(definitions)))

    def _work(self, grouping: Grouping, tasks: list[Task], computed: Sequence[str]) -> Work:
        keys, features = key_names(grouping), [task.feature for task in tasks]
        columns = [str(f.column) for f in features if f.kind in NEEDS_VALUES]
        own = [str(f.of) for f in features if f.of is not None]
        source, clues = self.tables[grouping.source], _looking(self.clues, grouping)
        records = keyed_records(source, grouping, columns, computed)
        slim_asking = keyed_clues(clues, grouping)
        main = place(
            records_side(
                records, keyed_records(source, grouping), [f.window_days for f in features]
            ),
            clues_side(keyed_clues(clues, grouping, own), slim_asking),
            keys,
            self.bound,
            self.buckets,
        )
        placed = [(main, tasks)]
        for task in tasks if main.split else []:
            if task.feature.kind == "distinct":
                found = islands(only_keys(records, keys, main.split), keys, task.feature)
                asking = only_keys(slim_asking, keys, main.split)
                sides = records_side(found, found, [None]), clues_side(asking, asking)
                counting = replace(task.feature, kind="count", column=None, window_days=None)
                part = place(*sides, keys, self.bound, self.buckets)
                placed.append((part, [Task(task.name, counting)]))
        return Work(keys, tasks, placed)


def _looking(clues: DataFrame, grouping: Grouping) -> DataFrame:
    """The clues with the moment at which they look at the grouping as their `raised_at`."""
    if grouping.source != REGISTER or RAISING not in clues.columns:
        return clues
    return clues.withColumn("raised_at", fn.least("raised_at", RAISING))


def _groupings(definitions: FeatureSet) -> Iterator[tuple[Grouping, list[Task], list[str]]]:
    """Each grouping, each step of each ladder: its tasks, and what is computed per record."""
    groups: dict[Grouping, list[Task]] = defaultdict(list)
    for at, feature in enumerate(definitions.features):
        if feature.grouping is not None and feature.ratio is None:
            groups[feature.grouping].append(Task(f"f{at}", feature))
    for grouping, tasks in groups.items():
        yield grouping, tasks, []
    for ratio in definitions.declared.ratios:
        hit = f"CASE WHEN {ratio.numerator} THEN 1 ELSE 0 END"
        mine = [(i, f) for i, f in enumerate(definitions.features) if f.ratio == ratio]
        for step, ladder in enumerate(ratio.ladder):
            grouping = Grouping(ratio.source, tuple(ladder.items()), ratio.where)
            yield grouping, [Task(f"f{at}s{step}", feature) for at, feature in mine], [hit]


def _ratio(tasks: list[Task]) -> Column:
    """Shares shrunk from the root of the ladder upwards: p = (k + s * p_parent) / (n + s)."""
    ratio = tasks[0].feature.ratio
    assert ratio is not None
    share, strength = fn.lit(ratio.prior), fn.lit(ratio.strength)
    for task in reversed(tasks):
        count, hits = (
            fn.coalesce(fn.col(task.part(part)).cast("double"), fn.lit(0.0))
            for part in ("n", "hits")
        )
        share = (hits + strength * share) / (count + strength)
    return share


def _plain_frame(definitions: FeatureSet, clues: DataFrame) -> DataFrame:
    """clue_id, raised_at, the moment in microseconds, and the features that need no records.

    They are computed by the batch engine's own function, in Arrow batches.
    """
    features = [feature for feature in definitions.features if feature.grouping is None]
    used = {str(f.column) for f in features if f.kind == "column"} - {"clue_id", "raised_at"}
    raisings = {RAISING} & set(clues.columns)
    given = clues.select("clue_id", "raised_at", *sorted(used | raisings))
    nothing = given.limit(0).toArrow()
    for feature in features:
        plain(feature, nothing)  # a column that is no number is refused here, not in a worker
    times = ["clues__moment_us", "clues__as_raised_us"]
    names = ["clue_id", "raised_at", *times, *(f.name for f in features)]

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            table = pa.Table.from_batches([naive(batch)])
            looked = [_micros(table), _micros(as_raised(table))]
            arrays = [plain(feature, table) for feature in features]
            yield pa.RecordBatch.from_arrays(
                [batch["clue_id"], batch["raised_at"], *looked, *arrays], names
            )

    schema = spark_types.StructType([given.schema["clue_id"], given.schema["raised_at"]])
    for name in times:
        schema.add(name, spark_types.LongType())
    for feature in features:
        schema.add(feature.name, _spark_type(feature))
    return given.mapInArrow(run, schema)


def _micros(clues: pa.Table) -> pa.Array:
    moments = clues["raised_at"].combine_chunks()
    return moments.cast(pa.timestamp("us")).cast(pa.int64())


def _spark_type(feature: Feature) -> spark_types.DataType:
    category = feature.type == "category"
    return spark_types.StringType() if category else spark_types.DoubleType()


def _check_clues(clues: DataFrame, session: SparkSession) -> None:
    zone = session.conf.get("spark.sql.session.timeZone")
    if zone not in ("UTC", "Etc/UTC", "Z"):
        raise Refused(
            wanted="a Spark session whose time zone is UTC",
            got=str(zone),
            cure="set spark.sql.session.timeZone to UTC; moments are kept without a zone",
        )
    told = clues.agg(fn.count(fn.lit(1)), fn.countDistinct("clue_id")).first()
    rows, different = tuple(told) if told else (0, 0)
    if rows != different:
        raise Refused(
            wanted="each clue_id once",
            got=f"{rows} rows, {different} clue_ids",
            cure="drop the clues that come twice, or have no id",
        )


def _check_bounds(rows_per_bucket: int, buckets: int) -> None:
    if rows_per_bucket < LEAST_ROWS or buckets < 1:
        raise Refused(
            wanted=f"at least {LEAST_ROWS} rows per bucket, and a bucket",
            got=f"{rows_per_bucket} rows, {buckets} buckets",
            cure="give what one worker can hold, some 100,000 to some millions of rows",
        )
