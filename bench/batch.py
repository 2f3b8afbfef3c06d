"""A million clues with ten reasons each, beside the way that asks `pred_contrib` row by row."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from base.bilingual import Bilingual
from base.settings import available_cores
from bench.explain import CATEGORIES, FEATURES, MISSING, WITHIN, clue_like_rows, trained
from bench.measure import Comparison
from scoring.batch import TOLD
from scoring.batch_workers import told_batches
from scoring.bundle import GoldenRow, Manifest, ScoredFeature, write_bundle
from scoring.calibration import SigmoidCalibrator
from scoring.explanation import explain
from scoring.matrix import to_matrix
from scoring.reasons import reasons_of
from scoring.scorer import Scorer

CLUES, ROWS_OF_A_BATCH, REASONS = 1_000_000, 20_000, 10
PEER_CLUES, PEER_BATCH = 4_000, 1_000
GOAL_GB = 3.0
CODES = tuple(f"kind {at}" for at in range(20))


def comparisons() -> Iterator[Comparison]:
    """batch.million: seconds for a million rows, from Parquet to Parquet; batch.million.peak_gb.

    The peer does what a careful program does without us: the same margins, flags and sentences,
    `pred_contrib` by as many threads, reasons row by row. It is timed on a stated part and told in
    proportion; its answers on that part are compared with ours first.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        digest = make_bundle(folder)
        source, output = folder / "clues.parquet", folder / "told.parquet"
        write_clues(source, CLUES)
        ours = in_a_process(folder, digest, source, output)
        scorer = Scorer.load(folder / digest, digest, available_cores())
        part = pq.ParquetFile(source).read_row_group(0).slice(0, PEER_CLUES)
        started = time.perf_counter()
        lines = [
            line
            for low in range(0, PEER_CLUES, PEER_BATCH)
            for line in by_pred_contrib(scorer, part.slice(low, PEER_BATCH))
        ]
        peer = (time.perf_counter() - started) * CLUES / PEER_CLUES
        require_same(pq.ParquetFile(output).read_row_group(0).slice(0, PEER_CLUES), lines)
    load, cores = os.getloadavg()[0], available_cores()
    seconds, peak = round(ours["seconds"], 2), round(ours["gb"], 2)
    ratio = round(peer / seconds, 3)
    yield Comparison("batch.million", seconds, round(peer, 1), ratio, "s", 1, load, cores)
    share = round(GOAL_GB / peak, 3)
    yield Comparison("batch.million.peak_gb", peak, GOAL_GB, share, "GB", 1, load, cores)


def in_a_process(folder: Path, digest: str, source: Path, output: Path) -> dict[str, float]:
    """Ours in a process of its own, so that its memory is its own (workers' added)."""
    command = [sys.executable, "-m", "bench.batch", str(folder), digest, str(source), str(output)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def tell_file(folder: Path, digest: str, source: Path, output: Path) -> dict[str, float]:
    """Feature rows of a Parquet file told into another, in their order."""
    started, workers = time.perf_counter(), available_cores()
    scorer = Scorer.load(folder / digest, digest)
    rows = (
        pa.Table.from_batches([batch])
        for batch in pq.ParquetFile(source).iter_batches(ROWS_OF_A_BATCH)
    )
    told = told_batches(
        scorer, folder / digest, rows, reasons=REASONS, language="zh", workers=workers
    )
    schema = pa.schema([("clue_id", pa.string()), *TOLD])
    with pq.ParquetWriter(output, schema) as writer:
        for batch in told:
            writer.write_table(batch.told.add_column(0, "clue_id", batch.rows["clue_id"]))
    seconds = time.perf_counter() - started
    here = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    each = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {"seconds": seconds, "gb": (here + workers * each) / 1024**2}


def by_pred_contrib(scorer: Scorer, rows: pa.Table) -> list[tuple[float, float, list[str]]]:
    """(margin, other, sentences) of each row, the usual way."""
    features = scorer.manifest.features
    scores = scorer.score(rows)
    matrix = to_matrix(features, rows)
    explanation = explain(scorer.booster, matrix, scorer.threads)
    columns = [rows[feature.name].to_pylist() for feature in features]
    lines = []
    for at in range(rows.num_rows):
        margin, base = float(scores.margin[at]), float(explanation.base[at])
        told = reasons_of(
            features,
            [column[at] for column in columns],
            explanation.contributions[at].tolist(),
            count=REASONS,
            language="zh",
            margin=margin,
            base=base,
        )
        lines.append((margin, told.other, [reason.sentence for reason in told.reasons]))
    return lines


def require_same(ours: pa.Table, lines: list[tuple[float, float, list[str]]]) -> None:
    """Margins to the bit; sentences unless two contributions differ in the last digits only."""
    otherwise = 0
    for line, row in zip(lines, ours.to_pylist(), strict=True):
        assert row["margin"] == line[0]
        if [reason["sentence"] for reason in row["reasons"]] != line[2]:
            otherwise += 1
        else:
            assert abs(row["other"] - line[1]) < WITHIN
    assert otherwise <= len(lines) / 1000, f"{otherwise} rows told otherwise"


def make_bundle(folder: Path) -> str:
    """The small scorer of bench.explain as a bundle; returns its digest."""
    matrix, label = clue_like_rows(10_000)
    booster = trained(matrix, label, 200, 31)
    margin = np.asarray(booster.predict(matrix, raw_score=True, num_threads=1))
    golden = tuple(
        GoldenRow(values=tuple(named(row)), margin=float(told))
        for row, told in zip(matrix[:4], margin[:4], strict=True)
    )
    manifest = Manifest(
        jurisdiction="bench", experiment="million", label={}, features=features(),
        features_fingerprint="0" * 64, training_set="0" * 64, versions={},
        trained_until="2024-01-01T00:00:00", trees=booster.num_trees(),
        lightgbm=lgb.__version__, golden=golden,
    )  # fmt: skip
    return write_bundle(folder, booster, manifest, SigmoidCalibrator.fit(margin, label))


def named(row: npt.NDArray[np.float64]) -> Iterator[float | str | None]:
    """A row's values as a manifest holds them."""
    for at, value in enumerate(row.tolist()):
        if value != value:
            yield None
        else:
            yield CODES[int(value)] if at < CATEGORIES else value


def features() -> tuple[ScoredFeature, ...]:
    """Eight categories, thirty-two counts, eighty amounts."""
    return tuple(
        ScoredFeature(
            name=f"feature_{at}",
            type="category" if at < CATEGORIES else "numeric",
            show="text" if at < CATEGORIES else "number",
            window_days=None if at % 2 else 365,
            sentence=Bilingual(zh=f"{{window}}第{at}项为{{value}}", en=f"{at} is {{value}}"),
            categories=CODES if at < CATEGORIES else (),
            missing_share=MISSING,
        )
        for at in range(FEATURES)
    )


def write_clues(path: Path, count: int) -> None:
    """`count` rows of features in Parquet, drawn some at a time."""
    writer = None
    for low in range(0, count, ROWS_OF_A_BATCH):
        size = min(ROWS_OF_A_BATCH, count - low)
        matrix, _ = clue_like_rows(size, seed=1_000 + low)
        columns = {"clue_id": pa.array([f"{low + at:016}" for at in range(size)])}
        for at, feature in enumerate(features()):
            values = pa.array(matrix[:, at], from_pandas=True)
            if feature.type == "category":
                values = pa.array(CODES).take(values.cast(pa.int64()))
            columns[feature.name] = values
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


if __name__ == "__main__":
    place, its_digest, source_file, output_file = sys.argv[1:]
    print(json.dumps(tell_file(Path(place), its_digest, Path(source_file), Path(output_file))))
