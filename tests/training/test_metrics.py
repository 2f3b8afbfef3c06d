"""Figures of merit: ties count by their exact expectation, weights as repeated rows."""

from __future__ import annotations

import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from training.metrics import (
    average_precision,
    calibration_bins,
    calibration_error,
    evaluate_scores,
    figures_by_weight,
    hits_in_top,
    labelled_among_first,
    mean_figures,
)

rankings = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1)), min_size=1, max_size=6)
# score, label, tenths of probability, how often the row is there
repeated = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(0, 10), st.integers(0, 30)),
    min_size=2,
    max_size=12,
).filter(lambda rows: sum(row[3] for row in rows) > 0)


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


@settings(max_examples=150, deadline=None)
@given(repeated)
def test_a_row_of_weight_n_is_n_rows(rows: list[tuple[int, int, int, int]]) -> None:
    """Every figure, with ties and rows of weight 0, equals that of the rows written out."""
    score, label, tenths, often = (np.array(part, float) for part in zip(*rows, strict=True))
    many, count = [np.repeat(part, often.astype(int)) for part in (score, label)], often.sum()
    said = np.repeat(tenths / 10, often.astype(int))
    weighted = evaluate_scores(score, label, tenths / 10, often)
    plain = evaluate_scores(*many, said)
    assert weighted.pop("effective_sample_size") == pytest.approx(count**2 / (often**2).sum())
    del weighted["labelled"], plain["labelled"]
    for name, value in weighted.items():
        assert value == pytest.approx(plain[name], abs=1e-9), name


@settings(max_examples=60, deadline=None)
@given(repeated, st.randoms())
def test_no_figure_depends_on_the_order_of_the_rows(
    rows: list[tuple[int, int, int, int]], shuffle: Random
) -> None:
    """Ties of score and ties of probability alike."""
    moved = list(rows)
    shuffle.shuffle(moved)
    found = []
    for each in (rows, moved):
        score, label, tenths, often = (np.array(part, float) for part in zip(*each, strict=True))
        figures = figures_by_weight(score, label, often[None, :], tenths / 10)
        found.append({name: value[0] for name, value in figures.items()})
    assert found[0] == pytest.approx(found[1], abs=1e-9, nan_ok=True)


def test_figures_are_those_of_scikit_learn_with_weights() -> None:
    """AUC, average precision, log loss and Brier score, where scikit-learn has them."""
    draw = np.random.default_rng(4)
    probability = draw.uniform(0.02, 0.9, 500)
    label = (draw.random(500) < probability).astype(float)
    score, weight = np.round(probability, 1), draw.uniform(0.2, 5, 500)
    found = evaluate_scores(score, label, probability, weight)
    for name, value in (
        ("auc", roc_auc_score(label, score, sample_weight=weight)),
        ("average_precision", average_precision_score(label, score, sample_weight=weight)),
        ("log_loss", log_loss(label, probability, sample_weight=weight)),
        ("brier", brier_score_loss(label, probability, sample_weight=weight)),
    ):
        assert found[name] == pytest.approx(value), name


def test_each_draw_is_judged_alone() -> None:
    """A row of weights gives what it gives by itself."""
    draw = np.random.default_rng(5)
    score, label = draw.integers(0, 9, 80).astype(float), (draw.random(80) < 0.3).astype(float)
    probability, weights = draw.random(80), draw.integers(0, 4, (6, 80)).astype(float)
    together = figures_by_weight(score, label, weights, probability)
    for at in range(6):
        alone = figures_by_weight(score, label, weights[at : at + 1], probability)
        assert {name: value[at] for name, value in together.items()} == pytest.approx(
            {name: value[0] for name, value in alone.items()}, nan_ok=True
        )


def test_precision_and_recall_by_hand() -> None:
    """120 rows, 24 cases, of which 9 stand among the first 12 and 20 among the first 100."""
    label = np.zeros(120)
    label[[*range(9), *range(40, 51), *range(110, 114)]] = 1
    found = evaluate_scores(-np.arange(120.0), label)
    assert found["precision@10%"] == pytest.approx(9 / 12)
    assert found["recall@10%"] == pytest.approx(9 / 24)
    assert found["precision@100"] == pytest.approx(20 / 100)
    assert found["recall@100"] == pytest.approx(20 / 24)
    assert found["tail_recall_loss"] == pytest.approx(4 / 24)


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 240), st.integers(1, 50))
def test_places_are_counted_as_they_are_written(rows: int, values: int) -> None:
    """Tenths round down, the bottom half is the smaller one, parts round to the nearest."""
    draw = np.random.default_rng(rows)
    score, label = draw.integers(0, values, rows).astype(float), np.ones(rows)
    label[draw.random(rows) < 0.5] = 0
    label[0] = 1
    found, cases = evaluate_scores(score, label), label.sum()
    tenth = rows // 10
    if tenth:
        assert found["precision@10%"] == pytest.approx(hits_in_top(score, label, tenth) / tenth)
    else:
        assert found["precision@10%"] is None
    kept = hits_in_top(score, label, rows - rows // 2)
    assert found["tail_recall_loss"] == pytest.approx(1 - kept / cases)
    for part in ("10", "20", "30"):
        hits = hits_in_top(score, label, round(rows * int(part) / 100))
        assert found["cases_found"][part] == pytest.approx(hits / cases)


def test_labelled_rows_among_the_first_are_counted_in_the_whole_queue() -> None:
    """Figures are of the labelled rows; how many of the queue's first are labelled is told too."""
    draw = np.random.default_rng(6)
    score, label = draw.random(300), (draw.random(300) < 0.2).astype(float)
    label[draw.random(300) < 0.4] = np.nan
    known = ~np.isnan(label)
    found = evaluate_scores(score, label)
    alone = evaluate_scores(score[known], label[known])
    first = np.argsort(-score)[:30]
    assert found["labelled"]["@10%"] == pytest.approx(known[first].sum())
    assert found["labelled"]["all"] == known.sum()
    assert {**found, "labelled": None} == {**alone, "labelled": None}
    tied = labelled_among_first(np.zeros(300), known)
    assert tied["@100"] == pytest.approx(known.mean() * 100)


def test_a_constant_score_has_no_luck() -> None:
    """AUC one half, the base rate as precision, half of the cases in the bottom half."""
    label = np.array([1.0] * 30 + [0.0] * 170)
    figures = evaluate_scores(np.zeros(200), label, np.full(200, 0.15))
    assert figures["auc"] == 0.5
    assert figures["precision@100"] == pytest.approx(0.15)
    assert figures["tail_recall_loss"] == pytest.approx(0.5)
    assert figures["cases_found"]["20"] == pytest.approx(0.2)
    # All 30 cases stand first; still the one probability that is said comes true.
    assert figures["ece"] == pytest.approx(0)
    assert calibration_error(np.full(200, 0.25), label) == pytest.approx(0.1)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 137), st.integers(1, 20))
def test_calibration_bins_are_of_equal_size_and_add_up(rows: int, values: int) -> None:
    """Their rows are all rows, sizes differ by one at most, and the means give back the whole."""
    draw = np.random.default_rng(rows)
    probability = draw.integers(0, values, rows) / values
    label = (draw.random(rows) < probability).astype(float)
    bins = calibration_bins(probability, label)
    sizes = [size for _, _, size in bins]
    assert sum(sizes) == rows
    assert len(bins) == min(10, rows)
    assert max(sizes) - min(sizes) <= 1
    assert np.mean([said for said, _, _ in bins]) == pytest.approx(probability.mean())
    assert np.mean([came for _, came, _ in bins]) == pytest.approx(label.mean())
    error = np.mean([abs(said - came) for said, came, _ in bins])
    assert calibration_error(probability, label) == pytest.approx(error)


def test_what_is_undefined_is_none_not_a_number() -> None:
    """No case at all: no AUC, no recall; a mean over it is undefined too."""
    figures = evaluate_scores(np.arange(5.0), np.zeros(5))
    assert figures["auc"] is None
    assert figures["average_precision"] is None
    assert figures["log_loss"] is None
    assert figures["precision@10%"] is None
    assert mean_figures([figures, {**figures, "auc": 0.7}])["auc"] is None


@pytest.mark.parametrize("label", [[], [np.nan] * 4, [1.0] * 4, [0.0] * 4])
def test_no_label_or_one_class_gives_no_nan(label: list[float]) -> None:
    """None stands where nothing is known, whatever is asked."""
    rows = len(label)
    told = evaluate_scores(np.arange(float(rows)), np.array(label), np.full(rows, 0.5))
    flat = [value for name, value in told.items() if name not in ("cases_found", "labelled")]
    for value in (*flat, *told["cases_found"].values(), *told["labelled"].values()):
        assert value is None or np.isfinite(value)
    assert told["auc"] is None
