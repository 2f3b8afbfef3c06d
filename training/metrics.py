"""Figures of merit on labelled rows. Ties count by their expectation over random orders, exactly.

A constant score therefore gets AUC 1/2 and the base rate as its precision, never luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

Floats = npt.NDArray[np.float64]
CAPACITIES = ("10", "20", "30")
BINS = 10


def evaluate_scores(
    score: Floats, label: Floats, probability: Floats | None = None
) -> dict[str, Any]:
    """All figures for one ranking; `score`, `label` (0/1), `probability` (n,). Undefined = None."""
    cases = float(label.sum())
    both = 0 < cases < len(label)
    return {
        "auc": float(roc_auc_score(label, score)) if both else None,
        "average_precision": average_precision(score, label) if cases else None,
        "precision@10%": hits_in_top(score, label, int(len(label) * 0.1)) / k
        if (k := int(len(label) * 0.1))
        else None,
        "precision@100": hits_in_top(score, label, 100) / 100 if len(label) >= 100 else None,
        "tail_recall_loss": 1 - hits_in_top(score, label, len(label) // 2 + len(label) % 2) / cases
        if cases
        else None,
        "ece": None if probability is None else calibration_error(probability, label),
        "cases_found": {
            part: hits_in_top(score, label, round(len(label) * int(part) / 100)) / cases
            if cases
            else None
            for part in CAPACITIES
        },
    }


def hits_in_top(score: Floats, label: Floats, k: int) -> float:
    """Expected cases among the first `k` rows, highest score first, ties in random order."""
    if k <= 0:
        return 0.0
    k = min(k, len(score))
    order = np.argsort(-score, kind="stable")
    edge = score[order[k - 1]]
    above, tied = score > edge, score == edge
    room = k - int(above.sum())
    return float(label[above].sum() + label[tied].sum() * room / tied.sum())


def average_precision(score: Floats, label: Floats) -> float:
    """Sum over thresholds of (recall step) x precision; tied rows enter together."""
    order = np.argsort(-score, kind="stable")
    ranked, hit = score[order], label[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    hits = np.cumsum(hit)[ends]
    precision = hits / (ends + 1)
    return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hit.sum())


def calibration_bins(probability: Floats, label: Floats) -> list[tuple[float, float, int]]:
    """Mean probability, share of cases and rows, in ten bins of (nearly) equal size."""
    order = np.argsort(probability, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return [(float(probability[p].mean()), float(label[p].mean()), len(p)) for p in parts]


def calibration_error(probability: Floats, label: Floats) -> float:
    """Expected calibration error over equal-mass bins (Naeini, Cooper and Hauskrecht, 2015)."""
    bins = calibration_bins(probability, label)
    return float(sum(abs(said - came) * n for said, came, n in bins) / len(label))


def mean_figures(figures: list[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of each figure over splits; None where any split has none."""
    means: dict[str, Any] = {}
    for name in figures[0]:
        values = [each[name] for each in figures]
        if isinstance(values[0], Mapping):
            means[name] = mean_figures(values)
        else:
            defined = all(value is not None for value in values)
            means[name] = float(np.mean(values)) if defined else None
    return means
