"""The sweep beside other ways to point-in-time aggregates. Equal values first, then speed.

The peers are spared what they do worst: no exact distinct and no last value is asked of the SQL
and pandas forms, while ours computes all six kinds in the same time that is shown.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from base.settings import available_cores
from bench.measure import Comparison, compare, median_seconds
from bench.worlds import SIZES, WINDOWS, definitions, make_world
from features.table import build_features
from governance.reading import Records

DATES_MEASURED = 41
RUNS = 3
GROWTH_GOAL, SECONDS_GOAL, GIGABYTES_GOAL = 1.05, 8.0, 2.5


def medium() -> Iterator[Comparison]:
    """features.m.*: 100,000 clues, 3,000,000 records, one key, six kinds in four windows."""
    records, clues = make_world(SIZES["m"])
    cores, defined = available_cores(), definitions()
    with Records.of_tables({"payments": records}) as held:
        connection = _with_clues(held, clues, cores)

        def ours() -> pa.Table:
            return build_features(defined, clues, held, threads=cores)

        swept = ours()
        frames = connection.sql(RANGE_FRAMES).to_arrow_table()
        require_equal(swept, frames, WINDOWS)
        yield compare(
            "features.m.range_frames",
            ours,
            lambda: connection.sql(RANGE_FRAMES).to_arrow_table(),
            runs=RUNS,
        )
        yield _as_of_dates(ours, connection, clues, swept)
        frame, asked = records.to_pandas(), clues.to_pandas()
        yield compare(
            "features.m.pandas_rolling", ours, lambda: _pandas_rolling(frame, asked), runs=RUNS
        )


def large() -> Iterator[Comparison]:
    """features.l.seconds, .l.peak_gb, .growth_exponent: 1M clues, 20M records, beside the goals.

    Each size runs in a process of its own on Parquet files, DuckDB with 600 MB before it spills.
    """
    told = {name: _in_own_process(name) for name in ("s", "m", "l")}
    growth = np.log(told["l"]["seconds"] / told["s"]["seconds"]) / np.log(
        SIZES["l"].records / SIZES["s"].records
    )
    yield _goal("features.l.seconds", told["l"]["seconds"], SECONDS_GOAL, "s")
    yield _goal("features.l.peak_gb", told["l"]["peak_gb"], GIGABYTES_GOAL, "GB")
    yield _goal("features.growth_exponent", float(growth), GROWTH_GOAL, "exponent")


def _in_own_process(name: str) -> dict[str, float]:
    """Make the world in one process, sweep it in another, so that the peak is the sweep's own."""
    with tempfile.TemporaryDirectory() as folder:
        for step in ("make", "sweep"):
            command = [sys.executable, "-m", "bench.large", step, name, folder]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        return dict(json.loads(done.stdout))


def _goal(name: str, ours: float, goal: float, unit: str) -> Comparison:
    """A figure without a peer stands beside the goal stated for it."""
    load = os.getloadavg()[0]
    return Comparison(
        name, round(ours, 4), goal, round(goal / ours, 3), unit, RUNS, load, available_cores()
    )


def _with_clues(held: Records, clues: pa.Table, cores: int) -> duckdb.DuckDBPyConnection:
    connection = held.connection()
    connection.execute(f"SET threads = {cores}")
    connection.register("given", clues)
    connection.execute("CREATE TABLE asked AS FROM given")
    connection.unregister("given")
    return connection


AGGREGATES = (("n", "count"), ("s", "sum"), ("lo", "min"), ("hi", "max"))
# Window frames over records and clues in one relation.
_FRAMES = ", ".join(
    f"{call}(cents) OVER (PARTITION BY person ORDER BY t RANGE BETWEEN "
    f"{'UNBOUNDED' if window == 'all' else f'INTERVAL {window} DAY'} PRECEDING"
    f" AND INTERVAL 1 MICROSECOND PRECEDING) AS {short}_{window}"
    for window in WINDOWS
    for short, call in AGGREGATES
)
RANGE_FRAMES = f"""
    SELECT * FROM (
        SELECT clue_id, {_FRAMES}
        FROM (SELECT person, happened_at AS t, cents, NULL AS clue_id FROM payments
              UNION ALL SELECT person, raised_at, NULL, clue_id FROM asked)
    ) WHERE clue_id IS NOT NULL ORDER BY clue_id::BIGINT
"""
_FILTERED = ", ".join(
    f"{call}(p.cents) "
    + ("" if window == "all" else f"FILTER (p.happened_at >= $moment - INTERVAL {window} DAY)")
    + f" AS {short}_{window}"
    for window in WINDOWS
    for short, call in AGGREGATES
)
ONE_DATE = f"""
    SELECT a.clue_id, {_FILTERED}
    FROM (SELECT * FROM asked WHERE raised_at = $moment) a
    LEFT JOIN payments p
        ON p.person = a.person AND p.known_at < $moment AND p.happened_at < $moment
    GROUP BY a.clue_id ORDER BY a.clue_id::BIGINT
"""


def _as_of_dates(
    ours: object, connection: duckdb.DuckDBPyConnection, clues: pa.Table, swept: pa.Table
) -> Comparison:
    """One GROUP BY per as-of date, as triage does it: 41 dates measured, the rest in proportion."""
    moments = np.unique(clues["raised_at"].to_numpy())
    chosen = moments[np.linspace(0, len(moments) - 1, DATES_MEASURED).astype(int)]
    for moment in (chosen[7], chosen[33]):
        told = connection.sql(ONE_DATE, params={"moment": moment.item()}).to_arrow_table()
        places = np.flatnonzero(clues["raised_at"].to_numpy() == moment)
        require_equal(swept.take(places), told, WINDOWS)

    def peer() -> None:
        for moment in chosen:
            connection.sql(ONE_DATE, params={"moment": moment.item()}).to_arrow_table()

    assert callable(ours)
    mine = median_seconds(ours, RUNS)
    theirs = median_seconds(peer, RUNS) * len(moments) / DATES_MEASURED
    load = os.getloadavg()[0]
    name = "features.m.as_of_groupby"
    ratio = round(theirs / mine, 2)
    return Comparison(name, mine, round(theirs, 3), ratio, "s", RUNS, load, available_cores())


def require_equal(ours: pa.Table, theirs: pa.Table, windows: tuple[object, ...]) -> None:
    """A comparison of speed is worth nothing where the answers differ."""
    for window in windows:
        word = window if window == "all" else f"{window}d"
        for short, kind in (("n", "count"), *((s, f"{c}_cents") for s, c in AGGREGATES[1:])):
            mine = ours[f"own__{kind}_{word}"].to_pandas().fillna(0).to_numpy()
            other = theirs[f"{short}_{window}"].to_pandas().fillna(0).to_numpy(float)
            assert np.array_equal(mine, other), (kind, window, int((mine != other).sum()))


def _pandas_rolling(records: pd.DataFrame, clues: pd.DataFrame) -> pd.DataFrame:
    """groupby().rolling() per window, then merge_asof strictly before the moment.

    It gives the window before the last record, not before the clue: the usual approximation.
    """
    frame = records.sort_values(["person", "happened_at"]).set_index("happened_at")
    group = frame.groupby("person")["cents"]
    rolled = pd.DataFrame({"person": frame["person"].to_numpy(), "happened_at": frame.index})
    for window in WINDOWS[:-1]:
        rolling = frame.groupby("person")["cents"].rolling(f"{window}D")
        for call in ("count", "sum", "min", "max"):
            rolled[f"{call}_{window}"] = getattr(rolling, call)().to_numpy()
    rolled["count"], rolled["sum"] = group.cumcount().to_numpy() + 1, group.cumsum().to_numpy()
    rolled["min"], rolled["max"] = group.cummin().to_numpy(), group.cummax().to_numpy()
    return pd.merge_asof(
        clues.sort_values("raised_at"),
        rolled.sort_values("happened_at"),
        left_on="raised_at",
        right_on="happened_at",
        by="person",
        allow_exact_matches=False,
    )
