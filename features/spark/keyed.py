"""Records and clues with their key as text, filtered: DuckDB inside Spark's Arrow batches.

Filters (`where`, `numerator`) and keys are DuckDB SQL. They are evaluated by DuckDB itself, on the
Arrow batches of each partition and before anything is shuffled, rather than transpiled: engines
differ in what 60609::VARCHAR, '1.5' = 1.5, integer division or a regular expression mean, and a
translation that is right today would have to be proved again for every function and release. A
condition reads one row (features.condition), so that it does not matter which rows come together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import types as spark_types

from base.errors import Refused
from features.condition import columns_used
from features.definition import Grouping
from features.kernel import FOREVER
from governance.checks import quoted
from governance.engine import connect

ROWS_PER_BATCH = 50_000
SYSTEM = ("record_no", "happened_at", "known_at", "retracted_at")
LONG, TEXT = spark_types.LongType(), spark_types.StringType()
MOMENT = spark_types.TimestampNTZType()


def key_names(grouping: Grouping) -> list[str]:
    """Names of the key's text columns; a grouping of everything has one, always ''."""
    return [f"clues__k{i}" for i in range(max(1, len(grouping.key)))]


def keyed_records(
    frame: DataFrame,
    grouping: Grouping,
    columns: Sequence[str] = (),
    computed: Sequence[str] = (),
) -> DataFrame:
    """Records that pass the filter and have a whole key.

    Gives the key's texts, record_no, entry_us, happened_us and retracted_us (microseconds since
    1970; FOREVER where never retracted), `columns` as they are, and `computed` (SQL, bigint) as
    c0, c1, ... Raises Refused where a system column is missing.
    """
    missing = sorted(set(SYSTEM) - set(frame.columns))
    if missing:
        raise Refused(
            wanted=f"record set {grouping.source} with {', '.join(SYSTEM)}",
            got=f"none named {', '.join(missing)}",
            cure="give the frames of features.spark.session.record_frames",
        )
    listed = list(dict.fromkeys(columns))
    used = set(listed).union(*(columns_used(sql) for sql in (grouping.where, *computed)))
    used |= {theirs for _, theirs in grouping.key}
    keys, whole = _key_sql([theirs for _, theirs in grouping.key])
    given = frame.select(*SYSTEM, *sorted(used - set(SYSTEM)))
    select = [
        *keys,
        "record_no::BIGINT AS record_no",
        "epoch_us(greatest(known_at, happened_at)) AS entry_us",
        "epoch_us(happened_at) AS happened_us",
        f"coalesce(epoch_us(retracted_at), {FOREVER}) AS retracted_us",
        *(quoted(name) for name in listed),
        *(f"({sql})::BIGINT AS c{i}" for i, sql in enumerate(computed)),
    ]
    where = f"{whole} AND ({grouping.where})" if grouping.where else whole
    schema = spark_types.StructType(
        [spark_types.StructField(name, TEXT) for name in key_names(grouping)]
        + [spark_types.StructField(name, LONG) for name in ("record_no", "entry_us")]
        + [spark_types.StructField(name, LONG) for name in ("happened_us", "retracted_us")]
        + [spark_types.StructField(name, zoneless(given, name)) for name in listed]
        + [spark_types.StructField(f"c{i}", LONG) for i in range(len(computed))]
    )
    return through_duckdb(given, f"SELECT {', '.join(select)} FROM given WHERE {where}", schema)


def keyed_clues(frame: DataFrame, grouping: Grouping, columns: Sequence[str] = ()) -> DataFrame:
    """Clues that have a whole key: its texts, clue_id, raised_at, moment_us and `columns`."""
    listed = list(dict.fromkeys(columns))
    used = {ours for ours, _ in grouping.key} | set(listed)
    keys, whole = _key_sql([ours for ours, _ in grouping.key])
    given = frame.select("clue_id", "raised_at", *sorted(used - {"clue_id", "raised_at"}))
    select = [
        *keys,
        "clue_id",
        "raised_at::TIMESTAMP AS raised_at",
        "epoch_us(raised_at) AS moment_us",
        *(quoted(name) for name in listed),
    ]
    schema = spark_types.StructType(
        [spark_types.StructField(name, TEXT) for name in key_names(grouping)]
        + [spark_types.StructField("clue_id", given.schema["clue_id"].dataType)]
        + [spark_types.StructField("raised_at", MOMENT)]
        + [spark_types.StructField("moment_us", LONG)]
        + [spark_types.StructField(name, zoneless(given, name)) for name in listed]
    )
    return through_duckdb(given, f"SELECT {', '.join(select)} FROM given WHERE {whole}", schema)


def _key_sql(listed: Sequence[str]) -> tuple[list[str], str]:
    """The key's columns as text, and the condition that none is missing."""
    texts = [f"{quoted(name)}::VARCHAR AS clues__k{i}" for i, name in enumerate(listed)]
    whole = " AND ".join(f"{quoted(name)} IS NOT NULL" for name in listed)
    return texts or ["'' AS clues__k0"], whole or "true"


def zoneless(frame: DataFrame, name: str) -> spark_types.DataType:
    """A column's Spark type after `naive`."""
    kind = frame.schema[name].dataType
    return MOMENT if isinstance(kind, spark_types.TimestampType) else kind


def naive(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with its moments as microseconds of UTC, without a zone, as Delta files have them."""
    arrays = [
        column.cast(pa.timestamp("us")) if pa.types.is_timestamp(column.type) else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def through_duckdb(frame: DataFrame, sql: str, schema: spark_types.StructType) -> DataFrame:
    """`sql` over the relation `given`, streamed: each partition's batches go in, and come out."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        first = next(batches, None)
        if first is None:
            return
        first = naive(first)
        every = chain([first], (naive(batch) for batch in batches))
        connection = connect(threads=1)
        try:
            connection.register("given", pa.RecordBatchReader.from_batches(first.schema, every))
            yield from connection.sql(sql).to_arrow_reader(ROWS_PER_BATCH)
        finally:
            connection.close()

    return frame.mapInArrow(run, schema)
