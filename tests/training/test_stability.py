"""Overlap of the top of two queues: laws, and scorers one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_worlds import judged_splits, question
from scipy.stats import spearmanr

from base.errors import Refused
from scoring.matrix import to_matrix
from training.fit import margins
from training.stability import consecutive_scorers, overlap_of_top, rank_correlation, top_rows

pairs = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=40)


@given(pairs)
def test_overlap_is_that_of_two_sets_and_the_same_both_ways(rows: list[tuple[int, int]]) -> None:
    """Counted with sets; swapping the orders swaps who has what alone."""
    one, other = np.array(rows, float).T
    label = np.arange(len(rows)) % 2 * 1.0
    there, back = overlap_of_top(one, other, label=label), overlap_of_top(other, one, label=label)
    for top, swapped in zip(there, back, strict=True):
        k = round(len(rows) * top.share)
        ours = set(sorted(range(len(rows)), key=lambda i: (-one[i], i))[:k])
        theirs = set(sorted(range(len(rows)), key=lambda i: (-other[i], i))[:k])
        assert (top.rows, top.shared) == (k, len(ours & theirs))
        assert top.only_one == sum(label[i] for i in ours - theirs) == swapped.only_other
        assert top.overlap == (len(ours & theirs) / k if k else None)


@given(pairs)
def test_a_scorer_agrees_with_itself_and_with_any_rising_change(
    rows: list[tuple[int, int]],
) -> None:
    """Whatever ties there are."""
    score = np.array(rows, float)[:, 0]
    for top in overlap_of_top(score, np.exp(score)):
        assert top.shared == top.rows
    assert rank_correlation(score, np.exp(score)) in (None, pytest.approx(1.0))


@given(pairs)
def test_rank_correlation_is_that_of_scipy(rows: list[tuple[int, int]]) -> None:
    """None, not NaN, where an order is one tie."""
    one, other = np.array(rows, float).T
    found = rank_correlation(one, other)
    if len(rows) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        assert found is None
    else:
        assert found == pytest.approx(spearmanr(one, other).statistic)


def test_orders_of_different_rows_are_refused() -> None:
    """Neither another number of rows nor a missing score is compared."""
    with pytest.raises(Refused, match="3 and 2 rows"):
        overlap_of_top(np.zeros(3), np.zeros(2))
    with pytest.raises(Refused, match="1 missing"):
        rank_correlation(np.array([0.0, np.nan]), np.zeros(2))


def test_consecutive_scorers_meet_on_the_later_test() -> None:
    """The earlier split's trees score the later split's rows; order is that of tests."""
    one, two = judged_splits(question(), tested=300)
    (step,) = consecutive_scorers([two, one])
    assert (step.earlier, step.later, step.rows) == (2, 1, 300)
    theirs = margins(one.fitted.booster, to_matrix(one.features, two.test_rows))
    ours = two.scores["score_scorer"].to_numpy()
    assert step.correlation == pytest.approx(spearmanr(ours, theirs).statistic)
    assert 0.5 < step.correlation < 1
    shared = int((top_rows(ours, 0.2) & top_rows(theirs, 0.2)).sum())
    assert next(top.shared for top in step.overlaps if top.share == 0.2) == shared
    assert consecutive_scorers([one]) == ()
