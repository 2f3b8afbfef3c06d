"""The feature sweep beside what else computes point-in-time aggregates; results must be equal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from base.settings import available_cores
from bench.measure import Comparison, compare
from features.definition import load_features
from features.table import build_features
from governance.reading import Records

CLUES, RECORDS, KEYS, DAYS = 20_000, 400_000, 5_000, 1_500
WINDOWS = (30, 90, 365)
WORDS = {"zh": "{value}", "en": "{value}"}
DEFINITIONS = load_features(
    {
        "history": [
            {
                "group": "own",
                "source": "payments",
                "key": {"person": "person"},
                "windows": [*WINDOWS, "all"],
                "features": [
                    {"kind": "count", "sentence": WORDS},
                    *({"kind": k, "column": "cents", "sentence": WORDS} for k in ("sum", "max")),
                ],
            }
        ]
    },
    sources={"payments": {"person": "integer", "cents": "integer"}},
    clue_columns={"person": "integer"},
)


def comparisons() -> Iterator[Comparison]:
    """features.m.*: 20,000 clues, 400,000 records, 12 features."""
    records, clues = _world()
    cores = available_cores()
    with Records.of_tables({"payments": records}) as held:
        connection = held.connection()
        connection.execute(f"SET threads = {cores}")
        connection.register("given", clues)
        connection.execute("CREATE TABLE asked AS FROM given")

        def ours() -> pa.Table:
            return build_features(DEFINITIONS, clues, held, threads=cores)

        _require_equal(ours(), connection.sql(RANGE_FRAMES).to_arrow_table())
        _require_equal(ours(), connection.sql(AS_OF_GROUPBY).to_arrow_table())
        yield compare(
            "features.m.range_frames", ours, lambda: connection.sql(RANGE_FRAMES).to_arrow_table()
        )
        yield compare(
            "features.m.as_of_groupby", ours, lambda: connection.sql(AS_OF_GROUPBY).to_arrow_table()
        )
        frame, asked = records.to_pandas(), clues.to_pandas()
        yield compare(
            "features.m.pandas_rolling", ours, lambda: _pandas_rolling(frame, asked), runs=3
        )


def _world() -> tuple[pa.Table, pa.Table]:
    draw = np.random.default_rng(5)
    start = np.datetime64("2020-01-01", "us")

    def moments(count: int) -> npt.NDArray[np.datetime64]:
        return np.asarray(start + draw.integers(0, DAYS * 86_400_000_000, count))

    records = pa.table(
        {
            "person": draw.zipf(1.3, RECORDS) % KEYS,
            "cents": draw.integers(0, 100_000, RECORDS),
            "happened_at": pa.array(moments(RECORDS)),
        }
    )
    clues = pa.table(
        {
            "clue_id": [f"c{number:06d}" for number in range(CLUES)],
            "person": draw.integers(0, KEYS, CLUES),
            "raised_at": pa.array(moments(CLUES)),
        }
    )
    return records, clues


def _aggregates(window: str) -> str:
    """count, sum and max over the frame of one window."""
    frame = "UNBOUNDED" if window == "all" else f"INTERVAL {window} DAY"
    parts = [
        f"{call} OVER (PARTITION BY person ORDER BY t RANGE BETWEEN {frame} PRECEDING AND"
        f" INTERVAL 1 MICROSECOND PRECEDING) AS {name}_{window}"
        for name, call in (("n", "count(cents)"), ("s", "sum(cents)"), ("m", "max(cents)"))
    ]
    return ", ".join(parts)


ALL_WINDOWS = [*(str(window) for window in WINDOWS), "all"]
# DuckDB's own window frames over records and clues in one relation.
RANGE_FRAMES = f"""
    SELECT * FROM (
        SELECT clue_id, {", ".join(_aggregates(window) for window in ALL_WINDOWS)}
        FROM (SELECT person, happened_at AS t, cents, NULL AS clue_id FROM payments
              UNION ALL SELECT person, raised_at, NULL, clue_id FROM asked)
    ) WHERE clue_id IS NOT NULL ORDER BY clue_id
"""
# The join on key and time, then one pass of filtered aggregates per clue.
AS_OF_GROUPBY = f"""
    SELECT a.clue_id, {
    ", ".join(
        f"count(p.cents) {f} AS n_{w}, sum(p.cents) {f} AS s_{w}, max(p.cents) {f} AS m_{w}"
        for w in ALL_WINDOWS
        for f in ["" if w == "all" else f"FILTER (p.happened_at >= a.raised_at - INTERVAL {w} DAY)"]
    )
}
    FROM asked a LEFT JOIN payments p ON p.person = a.person AND p.happened_at < a.raised_at
    GROUP BY a.clue_id ORDER BY a.clue_id
"""


def _require_equal(ours: pa.Table, theirs: pa.Table) -> None:
    """A comparison of speed is worth nothing where the answers differ."""
    for window in ALL_WINDOWS:
        word = window if window == "all" else f"{window}d"
        for short, kind in (("n", "count"), ("s", "sum_cents"), ("m", "max_cents")):
            mine = np.nan_to_num(ours[f"own__{kind}_{word}"].to_numpy())
            other = theirs[f"{short}_{window}"].to_pandas().fillna(0).to_numpy(float)
            assert np.array_equal(mine, other), (kind, window)


def _pandas_rolling(records: pd.DataFrame, clues: pd.DataFrame) -> pd.DataFrame:
    """groupby().rolling() per window, then merge_asof strictly before the moment.

    It gives the window before the last record, not before the clue: the usual approximation.
    """
    frame = records.sort_values(["person", "happened_at"]).set_index("happened_at")
    parts = {}
    for window in WINDOWS:
        rolling = frame.groupby("person")["cents"].rolling(f"{window}D")
        parts[f"n{window}"], parts[f"s{window}"] = rolling.count(), rolling.sum()
        parts[f"m{window}"] = rolling.max()
    group = frame.groupby("person")["cents"]
    rolled = pd.DataFrame({name: part.to_numpy() for name, part in parts.items()})
    rolled["person"], rolled["happened_at"] = frame["person"].to_numpy(), frame.index
    rolled["n"], rolled["s"] = group.cumcount().to_numpy() + 1, group.cumsum().to_numpy()
    rolled["m"] = group.cummax().to_numpy()
    return pd.merge_asof(
        clues.sort_values("raised_at"),
        rolled.sort_values("happened_at"),
        left_on="raised_at",
        right_on="happened_at",
        by="person",
        allow_exact_matches=False,
    )
