"""One clue now, out of 20 million records: the online store beside DuckDB, question by question.

DuckDB has a table for each key, sorted by key and time as its performance guide advises (zone maps
then skip what another key holds), with an index on it, all in memory, all cores; its statement is
prepared. Both answer the same questions in alternating rounds, and the answers have to be equal.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from base.settings import available_cores
from bench.measure import Comparison
from bench.worlds import DAYS, KINDS, START, WINDOWS, WORDS
from features.definition import FeatureSet, load_features
from features.online.arrivals import NONE_RETRACTED
from features.online.catching_up import Arrivals, catch_up
from features.online.manifest import SourceNote, only_writer, read_manifest
from features.online.store import StoreReader, View, online_features, online_values
from features.slices import micros
from governance.engine import connect, file_list
from governance.reading import Records

RECORDS, SUBJECTS, MODELS, HOTTEST_SHARE = 20_000_000, 1_000_000, 60, 0.19
QUESTIONS, ROUNDS, GOAL_MS = 300, 3, 2.0
SHARES = (50, 99)
KEYS = {"subject": "person", "model": "model", "hottest": "model"}


@dataclass(frozen=True)
class Timed:
    """Milliseconds at each of `SHARES`, ours and DuckDB's."""

    ours: npt.NDArray[np.float64]
    theirs: npt.NDArray[np.float64]


def comparisons() -> Iterator[Comparison]:
    """features.online.{subject,model,hottest}.p50_ms, .p99_ms, beside the goal, and .vs_duckdb."""
    draw = np.random.default_rng(11)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_records(folder / "records.parquet", draw)
        started = time.perf_counter()
        views = {key: _store(folder, key) for key in ("person", "model")}
        yield _told("features.online.build_seconds", time.perf_counter() - started, 0, "s")
        peer = _duckdb(folder)
        for who, key in KEYS.items():
            asked = _questions(who, draw)
            timed = _in_rounds(key, asked, views[key], peer)
            for share, ours, theirs in zip(SHARES, timed.ours, timed.theirs, strict=True):
                yield _told(f"features.online.{who}.p{share}_ms", ours, GOAL_MS, "ms")
                if share == 99:
                    yield _told(f"features.online.{who}.vs_duckdb", ours, theirs, "ms p99")


def store_engine(definitions: FeatureSet, clues: pa.Table, records: Records) -> pa.Table:
    """The store as an engine like the others: taken in whole, then asked clue by clue.

    Processes of their own ask for a part of the clues each, as serving workers do.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arrivals = []
        for source in records.record_sets:
            note = SourceNote(version=0, records=0, last_record=0)
            arrivals.append(Arrivals(source, note, f"SELECT * FROM {source}", NONE_RETRACTED))
        with only_writer(folder):
            connection = records.connection().cursor()
            catch_up(folder, definitions, connection, arrivals, read_manifest(folder))
        cores = available_cores()
        size = -(-clues.num_rows // cores)
        parts = [clues.slice(at * size, size) for at in range(cores)]
        with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
            jobs = [pool.submit(_asked, folder, definitions, part) for part in parts]
            tables = [job.result() for job in jobs]
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def _asked(folder: Path, definitions: FeatureSet, clues: pa.Table) -> pa.Table:
    return online_features(definitions, clues, StoreReader(folder, definitions).view())


def definitions(key: str) -> FeatureSet:
    """Each kind in four windows, for one key."""
    features = [{**kind, "sentence": _words(kind)} for kind in KINDS]
    group = {"group": "own", "source": "payments", "key": {key: key}, "windows": list(WINDOWS)}
    types = {"person": "integer", "model": "integer"}
    return load_features(
        {"history": [{**group, "features": features}]},
        sources={"payments": {**types, "cents": "integer", "agency": "integer"}},
        clue_columns=types,
    )


def _words(kind: dict[str, str]) -> dict[str, str]:
    return {language: f"{kind['kind']} {text}" for language, text in WORDS.items()}


def _write_records(path: Path, draw: np.random.Generator) -> None:
    happened = pa.array(START + draw.integers(0, DAYS * 86_400_000_000, RECORDS))
    weights = np.full(MODELS, (1 - HOTTEST_SHARE) / (MODELS - 1))
    weights[0] = HOTTEST_SHARE
    table = pa.table(
        {
            "record_no": np.arange(1, RECORDS + 1),
            "person": draw.integers(0, SUBJECTS, RECORDS),
            "model": np.searchsorted(np.cumsum(weights)[:-1], draw.random(RECORDS)),
            "cents": draw.integers(0, 100_000, RECORDS),
            "agency": draw.integers(0, 200, RECORDS),
            "happened_at": happened,
            "known_at": happened,
            "retracted_at": pa.nulls(RECORDS, pa.timestamp("us")),
        }
    )
    pq.write_table(table, path)


def _store(folder: Path, key: str) -> View:
    defined, place = definitions(key), folder / f"store_{key}"
    rows = f"SELECT * FROM {file_list([str(folder / 'records.parquet')])}"
    note = SourceNote(version=0, records=RECORDS, last_record=RECORDS)
    with only_writer(place), connect(folder / "scratch") as connection:
        arrivals = [Arrivals("payments", note, rows, NONE_RETRACTED)]
        catch_up(place, defined, connection, arrivals, read_manifest(place))
    return StoreReader(place, defined).view()


def _duckdb(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": available_cores()})
    source = file_list([str(folder / "records.parquet")])
    for key in ("person", "model"):
        connection.execute(
            f"CREATE TABLE by_{key} AS SELECT {key}, cents, agency, happened_at, known_at"
            f" FROM {source} ORDER BY {key}, happened_at"
        )
    connection.execute("CREATE INDEX persons ON by_person (person)")
    return connection


def _statement(key: str) -> str:
    columns = []
    for window in WINDOWS:
        since = "" if window == "all" else f"AND happened_at >= $t - INTERVAL {window} DAY"
        kept = f"FILTER (happened_at < $t {since})"
        columns += [
            f"count(*) {kept}",
            f"coalesce(sum(cents) {kept}, 0)",
            f"min(cents) {kept}",
            f"max(cents) {kept}",
            f"arg_max(cents, happened_at) {kept}",
            f"count(DISTINCT agency) {kept}",
        ]
    return (
        f"SELECT {', '.join(columns)} FROM by_{key}"
        f" WHERE {key} = $key AND known_at < $t AND happened_at < $t"
    )


def _questions(who: str, draw: np.random.Generator) -> pa.Table:
    """Clues of the last thirty days, as a service is asked about them."""
    keys = {
        "subject": lambda: draw.integers(0, SUBJECTS, QUESTIONS),
        "model": lambda: draw.integers(1, MODELS, QUESTIONS),
        "hottest": lambda: np.zeros(QUESTIONS, np.int64),
    }[who]()
    moment = START + draw.integers((DAYS - 30) * 86_400_000_000, DAYS * 86_400_000_000, QUESTIONS)
    return pa.table(
        {
            "clue_id": pa.array(np.arange(QUESTIONS).astype(str)),
            KEYS[who]: keys,
            "raised_at": pa.array(moment),
        }
    )


def _in_rounds(key: str, asked: pa.Table, view: View, peer: duckdb.DuckDBPyConnection) -> Timed:
    """Percentiles of each engine's questions, the median of the rounds; every answer compared.

    A round asks one engine all questions, then the other, as each would be asked in service:
    question by question in turns, DuckDB's scan empties the processor's caches before each of ours.
    """
    defined, statement = definitions(key), _statement(key)
    questions = [
        ({key: one[key], "t": one["raised_at"]}, {key: one[key]}, moment)
        for one, moment in zip(asked.to_pylist(), micros(asked["raised_at"]).tolist(), strict=True)
    ]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        told, mine = _timed(
            [partial(online_values, defined, clue, moment, view) for _, clue, moment in questions]
        )
        rows, its = _timed(
            [
                partial(_row, peer, statement, {"key": parameters[key], "t": parameters["t"]})
                for parameters, _, _ in questions
            ]
        )
        for values, row, question in zip(told, rows, questions, strict=True):
            _require_equal(values, row, question[0])
        ours.append(np.percentile(mine, SHARES))
        theirs.append(np.percentile(its, SHARES))
    return Timed(np.median(ours, axis=0), np.median(theirs, axis=0))


def _row(peer: duckdb.DuckDBPyConnection, statement: str, given: dict[str, Any]) -> tuple[Any, ...]:
    row = peer.execute(statement, given).fetchone()
    assert row is not None
    return row


def _timed(jobs: list[Callable[[], Any]]) -> tuple[list[Any], list[float]]:
    """What each job gave, and its milliseconds."""
    results, times = [], []
    for job in jobs:
        started = time.perf_counter()
        results.append(job())
        times.append(1000 * (time.perf_counter() - started))
    return results, times


def _require_equal(told: dict[str, Any], row: tuple[Any, ...], asked: dict[str, Any]) -> None:
    names = [
        f"own__{kind['kind']}{'_' + kind['column'] if 'column' in kind else ''}_{window}"
        for window in ("30d", "90d", "365d", "all")
        for kind in KINDS
    ]
    for name, theirs in zip(names, row, strict=True):
        mine = told[name]
        assert mine == (None if theirs is None else float(theirs)), (name, mine, theirs, asked)


def _told(name: str, ours: float, peer: float, unit: str) -> Comparison:
    ratio = round(float(peer / ours), 2)
    load = os.getloadavg()[0]
    return Comparison(
        name,
        round(float(ours), 4),
        round(float(peer), 3),
        ratio,
        unit,
        ROUNDS,
        load,
        available_cores(),
    )
