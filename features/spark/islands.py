"""Exact distinct counts where the records of a key are in several buckets.

Distinct counts of parts do not add up, but these do. For each value, the moments at which any of
its records is active are a union of intervals (entry, leave]; merged into its maximal intervals,
at most one of them holds a given moment. Hence the distinct count at a moment is the number of
maximal intervals of all values that hold it: a plain count of pseudo-records, which may be cut
anywhere. For window `all` a value has one interval unless retractions interrupt it, so that few
rows remain of many records.

Method: gaps and islands by a running maximum (Snodgrass, "Developing Time-Oriented Database
Applications in SQL", 2000, on coalescing). One value's records are sorted by one task, which
spills to disk: slow for a value that holds most of a hot key, but bounded in memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as fn

from features.definition import Feature
from features.slices import MICROS_PER_DAY
from features.spark.buckets import Key


def only_keys(frame: DataFrame, keys: list[str], wanted: Sequence[Key]) -> DataFrame:
    """The rows of a keyed frame whose key is one of `wanted`."""
    columns = [pa.array(texts, pa.string()) for texts in zip(*wanted, strict=True)]
    listed = frame.sparkSession.createDataFrame(pa.table(columns, names=keys))
    return frame.join(fn.broadcast(listed), keys, "left_semi")


def islands(records: DataFrame, keys: list[str], feature: Feature) -> DataFrame:
    """Maximal intervals of each value of the feature's column, in the shape of keyed records.

    entry_us is where one begins and retracted_us its last moment; happened_us repeats entry_us,
    and record_no is a hash that tells intervals of one key apart.
    """
    leave = fn.col("retracted_us")
    if feature.window_days is not None:
        span = fn.lit(feature.window_days * MICROS_PER_DAY)
        leave = fn.least(leave, fn.col("happened_us") + span)
    active = records.select(
        *keys, fn.col(str(feature.column)).alias("value"), "entry_us", leave.alias("leave")
    ).filter(fn.col("value").isNotNull() & (fn.col("leave") > fn.col("entry_us")))
    in_order = Window.partitionBy(*keys, "value").orderBy("entry_us")
    before = in_order.rowsBetween(Window.unboundedPreceding, -1)
    upto = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    reach = fn.max("leave").over(before)
    begins = fn.when(reach.isNull() | (fn.col("entry_us") > reach), 1).otherwise(0)
    numbered = active.withColumn("begins", begins).withColumn("island", fn.sum("begins").over(upto))
    merged = numbered.groupBy(*keys, "value", "island").agg(
        fn.min("entry_us").alias("entry_us"), fn.max("leave").alias("retracted_us")
    )
    return merged.select(
        *keys,
        fn.xxhash64("value", "island").alias("record_no"),
        "entry_us",
        fn.col("entry_us").alias("happened_us"),
        "retracted_us",
    )
