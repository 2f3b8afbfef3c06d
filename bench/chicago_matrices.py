"""Imputation as triage does it, and the matrices of its splits, written in parallel."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from bench.chicago_features import AMOUNTS, IMPUTED, WINDOWS


@dataclass(frozen=True)
class Matrix:
    """Rows of one training or test matrix: those of its dates, labelled ones only in training."""

    kind: str
    dates: tuple[np.datetime64, ...]
    rows: npt.NDArray[np.int64]

    @property
    def name(self) -> str:
        return f"{self.kind}_{self.dates[-1].astype('datetime64[D]')}"


def matrices_of(dates: tuple[np.datetime64, ...], labels: pa.Table) -> Iterator[Matrix]:
    """For each date but the first a test matrix, and the training matrix of the dates before it."""
    moment = labels["as_of"].to_numpy()
    labelled = labels["outcome"].is_valid().to_numpy()
    for at in range(1, len(dates)):
        before = np.isin(moment, dates[:at]) & labelled
        yield Matrix("train", dates[:at], np.flatnonzero(before))
        yield Matrix("test", dates[at : at + 1], np.flatnonzero(moment == dates[at]))


def imputed(features: pa.Table) -> dict[str, pa.Array]:
    """Feature or flag -> values without a gap.

    A mean, least or greatest value that is missing becomes the mean of its date, and one flag per
    column and window says so; a count or sum that is missing becomes 0.
    """
    dates, at = np.unique(features["moment"].to_numpy(), return_inverse=True)
    values = {
        name: pc.fill_null(features[name].combine_chunks(), 0.0)
        for name in features.column_names[2:]
    }
    for column in AMOUNTS:
        for window in WINDOWS:
            word = window if window == "all" else f"{window}d"
            for kind in IMPUTED:
                name = f"found__{kind}_{column}_{word}"
                given = features[name].to_numpy()
                missing = np.isnan(given)
                values[name] = pa.array(_mean_of_date(given, missing, at, len(dates)))
            values[f"{column}_{word}_imputed"] = pa.array(missing.astype(np.int8))
    return values


def _mean_of_date(
    given: npt.NDArray[np.float64],
    missing: npt.NDArray[np.bool_],
    at: npt.NDArray[np.int64],
    dates: int,
) -> npt.NDArray[np.float64]:
    known = ~missing
    count = np.bincount(at[known], minlength=dates)
    total = np.bincount(at[known], weights=given[known], minlength=dates)
    return np.where(missing, (total / np.maximum(count, 1))[at], given)


def write_matrices(
    features: pa.Table,
    labels: pa.Table,
    dates: tuple[np.datetime64, ...],
    folder: Path,
    ending: str,
    threads: int,
) -> list[Path]:
    """Impute, then write facility, date, features, flags and label of each matrix.

    `features` and `labels` have the same rows in the same order; `ending` is csv.gz or parquet.
    """
    identity = {"entity_id": labels["entity_id"], "as_of_date": labels["as_of"]}
    whole = pa.table({**identity, **imputed(features), "outcome": labels["outcome"]})
    folder.mkdir(exist_ok=True)

    def write(matrix: Matrix) -> Path:
        path = folder / f"{matrix.name}.{ending}"
        part = whole.take(pa.array(matrix.rows))
        if ending == "parquet":
            pq.write_table(part, path)
        else:
            # gzip at level 9, its default here as in Python's gzip, which triage uses.
            with pa.CompressedOutputStream(str(path), "gzip") as stream:
                pyarrow.csv.write_csv(part, stream)
        return path

    # The largest first, so that no thread is left with it at the end.
    planned = sorted(matrices_of(dates, labels), key=lambda matrix: -len(matrix.rows))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(write, planned))
