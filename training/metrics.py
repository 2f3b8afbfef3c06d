"""Figures of merit on labelled rows. Ties count by their expectation over random orders, exactly.

A constant score therefore gets AUC 1/2 and the base rate as its precision, never luck, and no
figure depends on the order in which the rows come.

Rows may have weights: a row of weight 2 counts as two rows. With weights of one over the chance of
having been pursued (Horvitz and Thompson, 1952) the same figures are estimates for all clues; with
the counts of a resample they are one draw of a bootstrap. Naive, weighted and redrawn figures are
therefore one computation, `figures_by_weight`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
CAPACITIES = ("10", "20", "30")
FIRST = 100
BINS = 10
# Nobody is promised certainty: one wrong promise costs at most 13.8 in log loss.
SURE = 1e-6
# What sums of weights may be off by, in rows.
ROUNDING = 1e-9


def evaluate_scores(
    score: Floats,
    label: Floats,
    probability: Floats | None = None,
    weight: Floats | None = None,
    capacities: Sequence[str] = CAPACITIES,
) -> dict[str, Any]:
    """All figures for one ranking; `score`, `label` (1, 0, NaN: unknown), the others: (n,).

    Figures are of the labelled rows alone. `labelled` tells how many there are, and how many stand
    among the first of all rows. What is undefined is None; with weights there is also Kish's
    effective sample size. `capacities`: as in figures_by_weight.
    """
    known = ~np.isnan(label)
    counted = np.ones(len(label)) if weight is None else np.asarray(weight, np.float64)
    said = None if probability is None else probability[known]
    found = figures_by_weight(score[known], label[known], counted[known][None, :], said, capacities)
    figures: dict[str, Any] = {"cases_found": {}}
    for name, values in found.items():
        value = None if np.isnan(values[0]) else float(values[0])
        place = figures["cases_found"] if name.startswith("cases_found/") else figures
        place[name.removeprefix("cases_found/")] = value
    for name in ("log_loss", "brier", "ece"):
        figures.setdefault(name, None)
    figures["labelled"] = labelled_among_first(score, known)
    if weight is not None:
        squares = float((counted[known] ** 2).sum())
        size = float(counted[known].sum()) ** 2 / squares if squares else 0.0
        figures["effective_sample_size"] = size
    return figures


def labelled_among_first(score: Floats, known: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Labelled rows in all, in the first tenth and among the first 100 of the whole queue (n,)."""
    told = known.astype(np.float64)
    n = len(score)
    return {
        "all": float(told.sum()),
        "@10%": hits_in_top(score, told, n // 10),
        f"@{FIRST}": hits_in_top(score, told, FIRST),
    }


def figures_by_weight(
    score: Floats,
    label: Floats,
    weights: Floats,
    probability: Floats | None = None,
    capacities: Sequence[str] = CAPACITIES,
) -> dict[str, Floats]:
    """Figure name -> (draws,), NaN where undefined; a figure per row of `weights` (draws, n).

    `score`, `label` (0 or 1) and `probability` are (n,). `capacities` are per cent of the rows:
    `cases_found/20` is the share of the cases in the first 20 %.
    """
    if not len(score):
        names = ["auc", "average_precision", *(f"cases_found/{part}" for part in capacities)]
        names += [f"{what}@{top}" for what in ("precision", "recall") for top in ("10%", FIRST)]
        return dict.fromkeys([*names, "tail_recall_loss"], np.full(len(weights), np.nan))
    queue = _Queue(score, label, weights)
    tenth = np.floor(queue.total * 0.1 + ROUNDING)
    first = np.where(queue.total + ROUNDING >= FIRST, float(FIRST), 0.0)
    half = np.ceil(queue.total / 2 - ROUNDING)
    parts = [np.rint(queue.total * int(part) / 100) for part in capacities]
    in_tenth, in_first, in_half, *found = queue.hits_in_top(np.array([tenth, first, half, *parts]))
    cases = queue.cases
    figures = {
        "auc": queue.auc(),
        "average_precision": queue.average_precision(),
        "precision@10%": _ratio(in_tenth, tenth),
        f"precision@{FIRST}": _ratio(in_first, first),
        "recall@10%": _ratio(in_tenth, np.where(tenth > 0, cases, 0.0)),
        f"recall@{FIRST}": _ratio(in_first, np.where(first > 0, cases, 0.0)),
        "tail_recall_loss": np.maximum(0.0, 1 - _ratio(in_half, cases)),
        **{
            f"cases_found/{part}": _ratio(hits, cases)
            for part, hits in zip(capacities, found, strict=True)
        },
    }
    if probability is not None:
        sure = np.clip(probability, SURE, 1 - SURE)
        loss = -(label * np.log(sure) + (1 - label) * np.log(1 - sure))
        figures["log_loss"] = _ratio(weights @ loss, queue.total)
        figures["brier"] = _ratio(weights @ (probability - label) ** 2, queue.total)
        figures["ece"] = _calibration_errors(probability, label, weights)
    return figures


class _Queue:
    """A ranking cut where its score changes: what counts (draws, groups), best first, summed up."""

    def __init__(self, score: Floats, label: Floats, weights: Floats) -> None:
        order = np.argsort(-score, kind="stable")
        starts = _starts(score[order])
        ranked = weights[:, order]
        self.rows = np.add.reduceat(ranked, starts, axis=1)
        self.hits = np.add.reduceat(ranked * label[order], starts, axis=1)
        self.rows_until = np.cumsum(self.rows, axis=1)
        self.hits_until = np.cumsum(self.hits, axis=1)
        self.total = self.rows_until[:, -1]
        self.cases = self.hits_until[:, -1]

    def hits_in_top(self, k: Floats) -> Floats:
        """Expected cases among the first `k` (places, draws); within a tie they are spread."""
        return _at(k, self.rows_until, self.hits_until)

    def auc(self) -> Floats:
        """Chance that a case stands before another row, ties counting half."""
        others = self.rows - self.hits
        behind = (self.total - self.cases)[:, None] - np.cumsum(others, axis=1) + others / 2
        return _ratio((self.hits * behind).sum(axis=1), self.cases * (self.total - self.cases))

    def average_precision(self) -> Floats:
        """Sum over thresholds of (recall step) x precision; tied rows enter together."""
        precision = np.divide(
            self.hits_until,
            self.rows_until,
            out=np.zeros_like(self.hits_until),
            where=self.rows_until > 0,
        )
        return _ratio((self.hits * precision).sum(axis=1), self.cases)


def hits_in_top(score: Floats, label: Floats, k: int) -> float:
    """Expected cases among the first `k` rows, highest score first, ties in random order."""
    if k <= 0 or not len(score):
        return 0.0
    queue = _Queue(score, label, np.ones((1, len(score))))
    return float(queue.hits_in_top(np.array([[float(k)]]))[0, 0])


def average_precision(score: Floats, label: Floats) -> float:
    """Sum over thresholds of (recall step) x precision; tied rows enter together."""
    return float(_Queue(score, label, np.ones((1, len(score)))).average_precision()[0])


def calibration_bins(
    probability: Floats, label: Floats, weight: Floats | None = None
) -> list[tuple[float, float, int]]:
    """Mean probability, share of cases and rows, in ten bins of equal size; fewer for fewer rows.

    Rows of equal probability share their cases evenly, and a row on an edge lies in both bins; the
    third figure is rounded so that the bins add up to the rows.
    """
    if not len(probability):
        return []
    weights = (np.ones(len(label)) if weight is None else weight)[None, :]
    edges, said, came = _bins(probability, label, weights)
    rows = np.diff(edges[:, 0])
    ends = np.floor(edges[:, 0] + 0.5)
    return [
        (float(p / mass), float(c / mass), int(count))
        for p, c, mass, count in zip(said[:, 0], came[:, 0], rows, np.diff(ends), strict=True)
        if mass > 0
    ]


def calibration_error(probability: Floats, label: Floats, weight: Floats | None = None) -> float:
    """Expected calibration error over equal-mass bins (Naeini, Cooper and Hauskrecht, 2015)."""
    weights = (np.ones(len(label)) if weight is None else weight)[None, :]
    return float(_calibration_errors(probability, label, weights)[0])


def mean_figures(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The mean of each figure over splits; None where any split has none."""
    means: dict[str, Any] = {}
    for name in figures[0]:
        values: list[Any] = [each.get(name) for each in figures]
        if isinstance(values[0], Mapping):
            means[name] = mean_figures(values)
        else:
            defined = all(value is not None for value in values)
            means[name] = float(np.mean(values)) if defined else None
    return means


def _calibration_errors(probability: Floats, label: Floats, weights: Floats) -> Floats:
    edges, said, came = _bins(probability, label, weights)
    return _ratio(np.abs(said - came).sum(axis=0), edges[-1])


def _bins(probability: Floats, label: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Edges (bins + 1, draws) in rows; sums of probability and of cases per bin (bins, draws)."""
    order = np.argsort(probability, kind="stable")
    starts = _starts(probability[order])
    ranked = weights[:, order]
    until = np.cumsum(np.add.reduceat(ranked, starts, axis=1), axis=1)
    said = np.cumsum(np.add.reduceat(ranked * probability[order], starts, axis=1), axis=1)
    came = np.cumsum(np.add.reduceat(ranked * label[order], starts, axis=1), axis=1)
    total = until[:, -1]
    count = np.clip(np.floor(total + ROUNDING), 1, BINS)
    steps = np.minimum(np.arange(BINS + 1)[:, None] / count, 1.0)
    edges = steps * total
    return edges, np.diff(_at(edges, until, said), axis=0), np.diff(_at(edges, until, came), axis=0)


def _starts(ranked: Floats) -> npt.NDArray[np.int64]:
    """Where a sorted column takes another value."""
    return np.append(0, np.flatnonzero(ranked[1:] != ranked[:-1]) + 1)


def _at(places: Floats, until: Floats, summed: Floats) -> Floats:
    """`summed` (draws, groups) at `places` (any, draws) of `until`, evenly spread in a group."""
    found = np.empty(places.shape)
    for draw in range(len(until)):
        across = np.append(0.0, until[draw])
        found[:, draw] = np.interp(places[:, draw], across, np.append(0.0, summed[draw]))
    return found


def _ratio(above: Floats, below: Floats) -> Floats:
    """NaN where there is nothing below the line."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)
