"""Figures of merit: ties count by their exact expectation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from training.metrics import (
    average_precision,
    calibration_error,
    evaluate_scores,
    hits_in_top,
    mean_figures,
)

rankings = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(rankings, st.integers(0, 7))
def test_hits_in_top_is_the_mean_over_every_order_of_the_tied(
    ranked: list[tuple[int, int]], k: int
) -> None:
    """All permutations of the rows, sorted stably by score: their mean is the figure."""
    found = []
    for order in itertools.permutations(ranked):
        first = sorted(order, key=lambda row: -row[0])[: min(k, len(order))]
        found.append(sum(label for _, label in first))
    score, label = (np.array(part, float) for part in zip(*ranked, strict=True))
    assert hits_in_top(score, label, k) == pytest.approx(np.mean(found))


@settings(max_examples=60, deadline=None)
@given(rankings.filter(lambda rows: any(label for _, label in rows)))
def test_average_precision_is_that_of_scikit_learn(ranked: list[tuple[int, int]]) -> None:
    """Same definition, ties together."""
    score, label = (np.array(part, float) for part in zip(*ranked, strict=True))
    assert average_precision(score, label) == pytest.approx(average_precision_score(label, score))


def test_a_constant_score_has_no_luck() -> None:
    """AUC one half, the base rate as precision, half of the cases in the bottom half."""
    label = np.array([1.0] * 30 + [0.0] * 170)
    figures = evaluate_scores(np.zeros(200), label, np.full(200, 0.15))
    assert figures["auc"] == 0.5
    assert figures["precision@100"] == pytest.approx(0.15)
    assert figures["tail_recall_loss"] == pytest.approx(0.5)
    assert figures["cases_found"]["20"] == pytest.approx(0.2)
    assert figures["ece"] == pytest.approx(calibration_error(np.full(200, 0.15), label))


def test_what_is_undefined_is_none_not_a_number() -> None:
    """No case at all: no AUC, no recall; a mean over it is undefined too."""
    figures = evaluate_scores(np.arange(5.0), np.zeros(5))
    assert figures["auc"] is None
    assert figures["average_precision"] is None
    assert mean_figures([figures, {**figures, "auc": 0.7}])["auc"] is None
