"""A scorer's curves from the test it was judged by: cases found by share of the queue, calibration.

Read from `test_scores.parquet` beside its report. Labelled clues count; each split is ranked apart
and splits are averaged, as in the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

Floats = npt.NDArray[np.float64]
STEPS, BINS = 50, 10
# A drawing's own units: a square of this size, the origin below on the left.
SIZE = 200.0


@dataclass(frozen=True)
class Curves:
    """`found`: share of all cases in the first 0, 2, ... 100 % of the queue; `perfect`: the same in
    a perfect order. `bins`: mean probability, share of cases, clues, by tenths of the test."""

    found: tuple[float, ...]
    perfect: tuple[float, ...]
    bins: tuple[tuple[float, float, int], ...]

    def found_in(self, percent: int) -> float:
        """Share of cases in the first so many (even) percent."""
        return self.found[percent * STEPS // 100]


def curves_of(report: Path) -> Curves | None:
    """The curves of a report's folder; None where no test is kept that had cases and others."""
    path = report / "test_scores.parquet"
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=16)
def _read(path: Path, _: int) -> Curves | None:
    columns = ["split", "label", "probability", "score_scorer"]
    table = pq.read_table(path, columns=columns)
    split, label, probability, score = (
        table[name].to_numpy().astype(np.float64) for name in columns
    )
    known = ~np.isnan(label) & ~np.isnan(score)
    parts = [
        (score[rows], label[rows])
        for each in np.unique(split)
        if 0 < label[rows := known & (split == each)].sum() < rows.sum()
    ]
    if not parts:
        return None
    found = np.mean([gain(*part) for part in parts], axis=0)
    perfect = np.mean([gain(each, each) for _, each in parts], axis=0)
    told = known & ~np.isnan(probability)
    return Curves(
        tuple(map(float, found)),
        tuple(map(float, perfect)),
        tuple(calibration(probability[told], label[told])),
    )


def gain(score: Floats, label: Floats) -> Floats:
    """Share of cases in the first k of STEPS parts of an order, k = 0..STEPS, (n,) each; rows of
    equal score share their cases evenly."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1) + 1
    cases = np.append(0.0, np.cumsum(label[order])[ends - 1])
    places = np.linspace(0, len(ranked), STEPS + 1)
    told: Floats = np.interp(places, np.append(0, ends), cases) / label.sum()
    return told


def calibration(probability: Floats, label: Floats) -> list[tuple[float, float, int]]:
    """Mean probability, share of cases and clues in tenths by probability, (n,) each."""
    order = np.argsort(probability, kind="stable")
    parts = np.array_split(order, min(BINS, len(order)) or 1)
    return [
        (float(probability[part].mean()), float(label[part].mean()), len(part))
        for part in parts
        if len(part)
    ]


def drawn(values: tuple[float, ...]) -> str:
    """Shares at even steps as the points of a polyline."""
    last = len(values) - 1
    return " ".join(
        f"{SIZE * at / last:.1f},{SIZE * (1 - value):.1f}" for at, value in enumerate(values)
    )
