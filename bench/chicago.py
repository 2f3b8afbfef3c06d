"""Chicago's food inspections, from records to matrices on disk, beside dssg/triage 6.0.0.

Six as-of dates, every facility known at each, 188 features, imputation, and the training and test
matrices of five splits, as csv.gz. Both sides are asked for the same features of the same records,
and every value is compared. Not timed on either side: taking records in, the cohort, the labels.

Where there is no .venv-triage (`make bench-peers`), the peer's figure is the one that was measured
elsewhere, and the unit says so.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from base.moment import WallClock
from base.settings import available_cores
from bench.chicago_features import TABLES, feature_set, triage_experiment, triage_names
from bench.chicago_matrices import write_matrices
from bench.measure import Comparison, median_seconds
from bench.peers.process import ROOT, Peer, interpreter, peer
from features.definition import FeatureSet
from features.table import build_features
from governance.home import Home
from governance.intake import admit
from governance.jurisdiction import load_jurisdiction
from governance.reading import Records

DATA = ROOT.parent / "shared" / "data" / "chicago"
DATES = tuple(np.arange("2012-01", "2014-08", 6, dtype="datetime64[M]").astype("datetime64[us]"))
RUNS = 3
# Features 3.4 s, imputation 2.0 s, matrices 12.9 s: triage 6.0.0 with 184 features and 12,493
# facilities at six as-of dates, on 4 cores of another machine.
MEASURED_ELSEWHERE = 3.4 + 2.0 + 12.9
WAYS = ("single", "multi")
TIMED = ("features", "imputation", "matrices")
# triage imputes means as 32-bit floats.
SAME = {"rtol": 1e-6, "atol": 1e-6}


@dataclass(frozen=True)
class Job:
    """What is built: features of `clues`, beside `labels`, which has the same rows."""

    home: Home
    defined: FeatureSet
    clues: pa.Table
    labels: pa.Table
    folder: Path

    def run(self, ending: str) -> list[Path]:
        """From the records on disk to the matrices on disk."""
        cores = available_cores()
        with Records(self.home) as records:
            built = build_features(self.defined, self.clues, records, threads=cores)
        return write_matrices(built, self.labels, DATES, self.folder / "ours", ending, cores)


def comparisons() -> Iterator[Comparison]:
    """features.chicago_vs_triage (csv.gz, as triage writes) and .parquet (ours as Parquet)."""
    if not DATA.is_dir():
        print("features.chicago_vs_triage: NOT MEASURED, the data of Chicago is not there")
        return
    python = interpreter(".venv-triage")
    with tempfile.TemporaryDirectory() as name:
        job = _job(Path(name))
        print(f"  {len(job.defined.features)} features of {job.clues.num_rows} rows")
        if python is None:
            print("  triage is NOT run, there is no .venv-triage: its figure was taken elsewhere")
            theirs, unit = MEASURED_ELSEWHERE, "s, peer measured elsewhere"
            ours = {end: median_seconds(_call(job, end), RUNS) for end in ("csv.gz", "parquet")}
        else:
            (job.folder / "experiment.json").write_text(json.dumps(triage_experiment()), "utf-8")
            with ExitStack() as stack:
                # A process for each way: triage reads with polars, whose threads do not survive the
                # fork of triage's own pool, which would wait for ever.
                ways = {way: stack.enter_context(_triage(python, job, way)) for way in WAYS}
                _require_equal(job, ways["single"]("run single")["matrices"])
                theirs, ours = _in_turns(job, ways)
            unit = "s"
        for ending, word in (("csv.gz", ""), ("parquet", ".parquet")):
            yield Comparison(
                f"features.chicago_vs_triage{word}", round(ours[ending], 4), round(theirs, 3),
                round(theirs / ours[ending], 2), unit, RUNS, os.getloadavg()[0], available_cores(),
            )  # fmt: skip


def _triage(python: Path, job: Job, way: str) -> AbstractContextManager[Peer]:
    folder = job.folder / way
    folder.mkdir()
    for name in ("tables", "experiment.json"):
        (folder / name).symlink_to(job.folder / name)
    return peer(python, "triage_peer.py", folder, str(available_cores()))


def _call(job: Job, ending: str) -> Callable[[], object]:
    return lambda: job.run(ending)


def _job(folder: Path) -> Job:
    """The record sets under their contracts, the cohort of each date, and its labels."""
    home = Home.create(folder / "home", load_jurisdiction("chicago"))
    clock = WallClock(home.jurisdiction.timezone)
    (folder / "tables").mkdir()
    for name in TABLES:
        admit(home, name, [DATA / f"{name}.parquet"], clock)
    with Records(home) as records:
        for name in TABLES:
            own = ["entity_id", *home.jurisdiction.contract(name).types]
            columns = list(dict.fromkeys(own))
            pq.write_table(records.arrow(name, columns), folder / "tables" / f"{name}.parquet")
        connection = records.connection()
        connection.register("dates", pa.table({"as_of": pa.array(DATES)}))
        # Failed within six months of the date; null where nobody looked.
        labels = connection.sql("""
            SELECT e.entity_id, d.as_of, max((i.result = 'fail')::INTEGER) AS outcome
            FROM entities e JOIN dates d ON e.start_time <= d.as_of
            LEFT JOIN inspections i ON i.entity_id = e.entity_id
             AND i.date >= d.as_of AND i.date < d.as_of + INTERVAL 6 MONTH
            GROUP BY ALL ORDER BY ALL
        """).to_arrow_table()
        clues = connection.sql("""
            SELECT entity_id || '@' || as_of::DATE AS clue_id, entity_id::VARCHAR AS subject_id,
                as_of AS raised_at
            FROM labels
        """).to_arrow_table()
    return Job(home, feature_set(home.jurisdiction), clues, labels, folder)


def _in_turns(job: Job, triage: dict[str, Peer]) -> tuple[float, dict[str, float]]:
    """Median seconds of triage the faster of its two ways, and of ours by ending."""
    theirs: dict[str, list[float]] = {way: [] for way in triage}
    ours: dict[str, list[float]] = {"csv.gz": [], "parquet": []}
    for ending in ours:
        job.run(ending)
    for _ in range(RUNS):
        for ending, seconds in ours.items():
            started = time.perf_counter()
            job.run(ending)
            seconds.append(time.perf_counter() - started)
        for way, seconds in theirs.items():
            told = triage[way](f"run {way}")["seconds"]
            print(f"  triage, {way}:", {step: round(told[step], 2) for step in told})
            seconds.append(sum(told[step] for step in TIMED))
    best = min(statistics.median(seconds) for seconds in theirs.values())
    return best, {ending: statistics.median(seconds) for ending, seconds in ours.items()}


def _require_equal(job: Job, theirs: list[dict[str, Any]]) -> None:
    """The same matrices with the same rows, and in each the same features and labels."""
    ours = {path.name.removesuffix(".parquet"): path for path in job.run("parquet")}
    names = triage_names()
    assert {f.name for f in job.defined.features} == set(names)
    values = 0
    assert len(theirs) == len(ours)
    for matrix in theirs:
        mine = pq.read_table(ours[f"{matrix['kind']}_{matrix['dates'][-1]}"]).to_pandas()
        told = pd.read_csv(matrix["file"], parse_dates=["as_of_date"])
        keys = ["entity_id", "as_of_date"]
        mine, told = (frame.sort_values(keys).reset_index(drop=True) for frame in (mine, told))
        assert (mine[keys].to_numpy() == told[keys].to_numpy()).all(), matrix
        pairs = {**names, "outcome": told.columns[-1]}
        for name, other in pairs.items():
            same = np.isclose(mine[name], told[other], equal_nan=True, **SAME)
            assert same.all(), (matrix["kind"], matrix["dates"], name, int((~same).sum()))
            values += len(same)
    print(f"  {len(ours)} matrices, {values:,} values, none differs")
