"""getML FastProp as a peer, in a process and an environment of its own.

    .venv-fastprop/bin/python bench/peers/fastprop_peer.py FOLDER THREADS

FOLDER has records.parquet and clues.parquet of bench.worlds; the engine's home and the values go
there too. Each line on stdin is one job, `fit WAY`, `transform WAY` or `write WAY`, answered
by one line of JSON. The data is in the engine before the first answer.

One join per window, for a join has one `memory`. FastProp applies every aggregation to every column
that fits, so there are two ways to ask it:

one  one pipeline, six aggregations: it also counts distinct cents, which nobody asked for;
two  a pipeline for the amounts and one for the distinct agencies: the least work it can be given.

Time stamps have units of their own and serve for comparison only; otherwise their differences are
aggregated as well. AVG_TIME_BETWEEN, once per join, cannot be turned off.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import getml
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from getml.feature_learning import FastProp, aggregations, loss_functions

WINDOWS = {"30d": 30, "90d": 90, "365d": 365, "all": None}
AMOUNTS = (
    aggregations.COUNT,
    aggregations.SUM,
    aggregations.MIN,
    aggregations.MAX,
    aggregations.LAST,
)
DISTINCT = (aggregations.COUNT_DISTINCT,)
# Every feature that the aggregations give is kept: none is dropped for a weak correlation.
MOST_FEATURES = 1_000
ASKED = {
    "count": "COUNT( * )",
    "sum_cents": 'SUM( t2."cents" )',
    "min_cents": 'MIN( t2."cents" )',
    "max_cents": 'MAX( t2."cents" )',
    "last_cents": 'LAST( t2."cents" ORDER BY t2."happened_at" )',
    "distinct_agency": 'COUNT( DISTINCT t2."agency" )',
}


@dataclass
class Asked:
    """One pipeline and the data it is asked of."""

    pipeline: getml.Pipeline
    data: getml.data.Container

    def fit(self) -> None:
        self.pipeline.fit(self.data.full, check=False)

    def transform(self) -> np.ndarray:
        return self.pipeline.transform(self.data.full)

    def columns(self) -> list[tuple[str, str] | None]:
        """(window, kind) of each feature, read from its SQL; None for what nobody asked for."""
        return [_asked_for(feature.sql) for feature in self.pipeline.features]


def main(folder: Path, threads: int) -> None:
    """Answer jobs until stdin ends."""
    with contextlib.redirect_stdout(sys.stderr):
        getml.engine.launch(launch_browser=False, in_memory=True, home_directory=str(folder))
        getml.set_project("bench")
        ways = _ways(folder, threads)
    _answer({"ready": sorted(ways)})
    for line in sys.stdin:
        job, way = line.split()
        with contextlib.redirect_stdout(sys.stderr):
            told = _done(job, ways[way], folder)
        _answer(told)
    with contextlib.redirect_stdout(sys.stderr):
        getml.engine.shutdown()


def _answer(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def _done(job: str, asked: list[Asked], folder: Path) -> dict[str, Any]:
    if job == "fit":
        for each in asked:
            each.fit()
        return {"features": sum(len(each.pipeline.features) for each in asked)}
    values = [each.transform() for each in asked]
    if job == "write":
        columns = {
            f"{found[1]}_{found[0]}": values[at][:, place]
            for at, each in enumerate(asked)
            for place, found in enumerate(each.columns())
            if found is not None
        }
        pq.write_table(pa.table(columns), folder / "values.parquet")
    return {"rows": len(values[0])}


def _ways(folder: Path, threads: int) -> dict[str, list[Asked]]:
    clues = pq.read_table(folder / "clues.parquet").to_pandas()
    records = pq.read_table(folder / "records.parquet").to_pandas()
    # Fitting wants a target to rank features by; all are kept, so that any will do.
    clues["target"] = np.random.default_rng(0).integers(0, 2, len(clues)).astype(float)
    records["agency"] = records["agency"].astype(str)

    def asked(name: str, chosen: tuple[str, ...], *columns: str) -> Asked:
        kept = records[["person", "happened_at", *columns]]
        return _pipeline(name, (clues, kept), chosen, threads)

    return {
        "one": [asked("one", AMOUNTS + DISTINCT, "cents", "agency")],
        "two": [asked("amounts", AMOUNTS, "cents"), asked("distinct", DISTINCT, "agency")],
    }


def _pipeline(
    name: str, frames: tuple[pd.DataFrame, pd.DataFrame], chosen: tuple[str, ...], threads: int
) -> Asked:
    population = getml.DataFrame.from_pandas(
        frames[0],
        f"clues_{name}",
        roles={"join_key": ["person"], "time_stamp": ["raised_at"], "target": ["target"]},
    )
    roles = {"join_key": ["person"], "time_stamp": ["happened_at"]}
    if "cents" in frames[1]:
        roles["numerical"] = ["cents"]
    if "agency" in frames[1]:
        roles["categorical"] = ["agency"]
    past = getml.DataFrame.from_pandas(frames[1], f"records_{name}", roles=roles)
    population.set_unit("raised_at", "moment", comparison_only=True)
    past.set_unit("happened_at", "past", comparison_only=True)
    clue = population.to_placeholder("clue")
    for window, days in WINDOWS.items():
        clue.join(
            past.to_placeholder(f"past_{window}"),
            on="person",
            time_stamps=("raised_at", "happened_at"),
            memory=None if days is None else getml.data.time.days(days),
        )
    data = getml.data.Container(population=population)
    data.add(**{f"past_{window}": past for window in WINDOWS})
    data.freeze()
    learner = FastProp(
        aggregation=chosen,
        loss_function=loss_functions.CrossEntropyLoss,
        num_features=MOST_FEATURES,
        num_threads=threads,
    )
    pipeline = getml.Pipeline(data_model=getml.data.DataModel(clue), feature_learners=[learner])
    return Asked(pipeline, data)


def _asked_for(sql: str) -> tuple[str, str] | None:
    selected = re.search(r'^SELECT (.+) AS "feature_', sql, re.MULTILINE)
    joined = re.search(r'JOIN "PAST_(\w+?)__STAGING', sql)
    assert selected is not None, sql
    assert joined is not None, sql
    kinds = [kind for kind, call in ASKED.items() if call == selected[1]]
    return (joined[1].lower(), kinds[0]) if kinds else None


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
