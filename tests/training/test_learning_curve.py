"""The learning curve: which rows teach, and what is said where none can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_worlds import asked, drawn_rows, scored

from base.errors import Refused
from training.fit import fit, margins
from training.learning_curve import latest_share, learning_curve
from training.metrics import evaluate_scores

moments = st.lists(st.integers(0, 9), min_size=1, max_size=50)


@given(moments, st.floats(0.01, 1.0))
def test_the_latest_rows_teach_and_no_moment_is_cut(given_moments: list[int], share: float) -> None:
    """At least the share, no earlier row while a later one is out, and not one moment too many."""
    moment = np.array(given_moments)
    chosen = latest_share(moment, share)
    assert chosen.sum() >= max(1, round(len(moment) * share))
    if not chosen.all():
        assert moment[chosen].min() > moment[~chosen].max()
    first = moment[chosen].min()
    assert (moment > first).sum() < max(1, round(len(moment) * share))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    """With an example of one that is."""
    with pytest.raises(Refused, match=r"0\.25 for a quarter"):
        latest_share(np.arange(4), share)


def test_more_history_teaches_more() -> None:
    """A known signal: points rise with the rows, and the last is the scorer that had them all."""
    experiment, features = asked(), scored(6, categories=(2,))
    rows, test = drawn_rows(1_600, 1), drawn_rows(3_000, 2)

    def teach(chosen: np.ndarray) -> Mapping[str, Any]:
        booster = fit(experiment, features, rows.where(chosen), 1).booster
        return evaluate_scores(margins(booster, test.matrix), test.label)

    whole = teach(np.ones(len(rows.label), bool))
    points = learning_curve(rows.moment, rows.label, (0.5, 0.1, 1.0), teach, whole)
    assert [point.share for point in points] == [0.1, 0.5, 1.0]
    assert [point.rows for point in points] == sorted(point.rows for point in points)
    assert points[-1].figures is whole
    auc = [float((point.figures or {})["auc"]) for point in points]
    assert auc[0] + 0.02 < auc[2]
    assert auc[0] < auc[1] < auc[2] + 0.02


def test_a_share_that_cannot_teach_says_why() -> None:
    """One class only: no figures, the reason, and the other points stand."""
    rows = drawn_rows(600, 3)
    label = rows.label.copy()
    label[latest_share(rows.moment, 0.1)] = 0.0
    experiment, features = asked(), scored(6, categories=(2,))
    taught = type(rows)(rows.matrix, label, rows.moment, rows.subject)

    def teach(chosen: np.ndarray) -> Mapping[str, Any]:
        fit(experiment, features, taught.where(chosen), 1)
        return {"auc": 0.5}

    bare, full = learning_curve(rows.moment, label, (0.1, 0.9), teach)
    assert (bare.figures, bare.cases) == (None, 0)
    assert bare.why
    assert full.figures == {"auc": 0.5}
    assert full.why == ""
