"""Spark on this one machine beside the batch engine: equal values first, then how much slower.

Spark is there for records that one machine cannot hold; here it pays for processes, shuffles and
Parquet without any of the gain. Once with every key whole, once with the hottest key cut, as it
would be at scale.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from base.settings import available_cores
from bench.measure import Comparison, compare
from bench.worlds import KINDS, SIZES, WINDOWS, WORDS, make_world
from features.definition import FeatureSet, load_features
from features.spark.session import local_session
from features.spark.table import SparkPlan, collected, spark_features
from features.table import build_features
from governance.reading import Records

RUNS = 3
# Below the 570,000 records of the hottest key of size m, so that it has to be cut.
CUT = {"rows_per_bucket": 400_000}
WHOLE = {"rows_per_bucket": 2_000_000}
MORE_KINDS = (
    {"kind": "exists"},
    {"kind": "mean", "column": "cents"},
    {"kind": "days_since_last"},
    {"kind": "rank", "column": "cents", "of": "cents"},
)


def comparisons() -> Iterator[Comparison]:
    """features.spark_vs_batch, .spark_vs_batch_cut: 100,000 clues, 3,000,000 records, ten kinds.

    Ours is Spark, the peer our own batch engine; a ratio below 1 says how much slower Spark is.
    """
    cores, defined = available_cores(), _definitions()
    records, clues = make_world(SIZES["m"])
    cents = np.random.default_rng(6).integers(0, 100_000, len(clues))
    clues = clues.append_column("cents", pa.array(cents))
    with (
        tempfile.TemporaryDirectory() as folder,
        Records.of_tables({"payments": records}) as held,
        local_session(cores, memory="4g") as session,
    ):
        paths = [str(Path(folder) / name) for name in ("payments.parquet", "clues.parquet")]
        pq.write_table(held.arrow("payments"), paths[0])
        pq.write_table(clues, paths[1])
        payments, asked = (session.read.parquet(path) for path in paths)
        given = (defined, asked, {"payments": payments}, session)

        def in_batch() -> pa.Table:
            return build_features(defined, clues, held, threads=cores)

        batch = in_batch()
        for name, bound in (("spark_vs_batch", WHOLE), ("spark_vs_batch_cut", CUT)):

            def in_spark() -> pa.Table:
                return collected(spark_features(*given, **bound), defined, clues)  # noqa: B023

            require_equal(in_spark(), batch)
            _show(SparkPlan.of(*given, **bound), bound["rows_per_bucket"])
            yield compare(f"features.{name}", in_spark, in_batch, runs=RUNS)


def spark_engine(definitions: FeatureSet, clues: pa.Table, records: Records) -> pa.Table:
    """Spark as an engine like the others, its hottest key cut."""
    with (
        tempfile.TemporaryDirectory() as folder,
        local_session(available_cores(), memory="4g") as session,
    ):
        frames = {}
        for name in records.record_sets:
            path = str(Path(folder) / f"{name}.parquet")
            pq.write_table(records.arrow(name), path)
            frames[name] = session.read.parquet(path)
        pq.write_table(clues, Path(folder) / "asked.parquet")
        asked = session.read.parquet(str(Path(folder) / "asked.parquet"))
        frame = spark_features(definitions, asked, frames, session, **CUT)
        return collected(frame, definitions, clues)


def _show(plan: SparkPlan, bound: int) -> None:
    """The greatest bucket of each sweep; none may exceed `bound`."""
    for load in plan.loads():
        print("  greatest bucket:", asdict(load))
        assert max(load.most_records, load.most_clues) <= bound


def _definitions() -> FeatureSet:
    """bench.worlds' kinds and those it leaves out, all but plain columns, in four windows."""
    kinds = [{**kind, "sentence": WORDS} for kind in (*KINDS, *MORE_KINDS)]
    group = {"group": "own", "source": "payments", "key": {"person": "person"}}
    return load_features(
        {"history": [{**group, "windows": list(WINDOWS), "features": kinds}]},
        sources={"payments": {"person": "integer", "cents": "integer", "agency": "integer"}},
        clue_columns={"person": "integer", "cents": "integer"},
    )


def require_equal(ours: pa.Table, theirs: pa.Table) -> None:
    """No value of any column may differ, nor be missing on one side only."""
    differing = 0
    features = theirs.column_names[2:]  # after clue_id and moment
    for name in features:
        same = pc.equal(ours[name], theirs[name])
        both_missing = pc.and_(pc.is_null(ours[name]), pc.is_null(theirs[name]))
        differing += len(same) - pc.sum(pc.or_(pc.fill_null(same, False), both_missing)).as_py()
    values = theirs.num_rows * len(features)
    print(f"  {differing} of {values:,} values differ")
    assert differing == 0
    assert ours.equals(theirs)


if __name__ == "__main__":
    for comparison in comparisons():
        print(comparison)
