"""Contributions are those of the shap library, add up, and find what decides."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_worlds import judged_splits, question
from training_worlds import scored

from training.contributions import contributions, drawn_rows, strongest_partner
from training.evaluate import Judged
from training.fit import margins
from training.inputs_told import input_warnings
from training.shap_plots import dependence_plot, round_steps, summary_plot


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judged_splits(question(), tested=300)[-1]


def test_base_and_contributions_add_up_to_the_margin(judged: Judged) -> None:
    """Within 1e-9 (P-6), on every row drawn; LightGBM's own contributions are the same."""
    told = contributions(judged.fitted.booster, judged.features, judged.test_rows, 7)
    margin = margins(judged.fitted.booster, told.matrix)
    assert told.base + told.values.sum(axis=1) == pytest.approx(margin, abs=1e-9)
    own = np.asarray(judged.fitted.booster.predict(told.matrix, pred_contrib=True))
    assert told.values == pytest.approx(own[:, :-1], abs=1e-9)


def test_what_decides_comes_first(judged: Judged) -> None:
    """x0 decides most in the drawn world; shares add up to one."""
    told = contributions(judged.fitted.booster, judged.features, judged.test_rows, 7)
    assert told.features[told.order[0]].name == "x0"
    assert {told.features[at].name for at in told.order[:3]} == {"x0", "x1", "x2"}
    assert sum(told.shares.values()) == pytest.approx(1.0)


@given(st.integers(0, 300), st.integers(1, 100), st.integers(0, 99))
def test_rows_are_drawn_once_and_by_seed(rows: int, at_most: int, seed: int) -> None:
    """In order, without doubles, all of them where there are few."""
    drawn = drawn_rows(rows, at_most, seed)
    assert len(drawn) == min(rows, at_most)
    assert (np.diff(drawn) > 0).all()
    assert np.array_equal(drawn, drawn_rows(rows, at_most, seed))
    assert set(drawn.tolist()) <= set(range(rows))


def test_the_partner_is_the_feature_it_works_with() -> None:
    """Where x0 counts only together with x1, x1 is named."""
    draw = np.random.default_rng(1)
    matrix = draw.normal(size=(3_000, 3))
    label = (matrix[:, 0] * (matrix[:, 1] > 0) + 0.1 * draw.normal(size=3_000) > 0.3) * 1.0
    parameters = {"objective": "binary", "num_threads": 1, "verbosity": -1, "seed": 1}
    booster = lgb.train(parameters, lgb.Dataset(matrix, label), 40)
    table = pa.table({f"x{at}": matrix[:, at] for at in range(3)})
    told = contributions(booster, scored(3), table, 7)
    assert strongest_partner(told, 0) == 1


def test_a_scorer_that_learned_nothing_moves_nothing() -> None:
    """Labels without a pattern to split on: no order, no picture, no NaN."""
    matrix = np.zeros((200, 2))
    label = np.arange(200) % 2 * 1.0
    parameters = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    booster = lgb.train(parameters, lgb.Dataset(matrix, label), 5)
    told = contributions(booster, scored(2), pa.table({"x0": np.zeros(9), "x1": np.zeros(9)}), 7)
    assert told.order == []
    assert set(told.shares.values()) == {0.0}
    assert summary_plot(told) is None


def test_pictures_have_a_dot_per_row_and_no_nan(judged: Judged) -> None:
    """Missing values are drawn aside, all-missing columns too."""
    table = judged.test_rows
    x0 = pa.array([None if at % 3 == 0 else float(at) for at in range(table.num_rows)])
    table = table.set_column(0, "x0", x0)
    table = table.set_column(1, "x1", pa.nulls(table.num_rows, pa.float64()))
    told = contributions(judged.fitted.booster, judged.features, table, 7)
    for at in range(6):
        drawn = dependence_plot(told, at)
        assert "nan" not in drawn
        assert drawn.count("h0") == table.num_rows
    missing = sum(at % 3 == 0 for at in range(table.num_rows))
    assert f"missing at the left: {missing}" in dependence_plot(told, 0)
    summary = summary_plot(told)
    assert summary is not None
    assert "nan" not in summary
    assert summary.count("h0") == table.num_rows * len(told.order)


def test_inputs_that_changed_are_named(judged: Judged) -> None:
    """Gone missing, beyond what training saw, an unknown category, constant in training."""
    rows = judged.test_rows.num_rows
    features = tuple(
        feature.model_copy(update={"minimum": -5.0, "maximum": 5.0})
        if feature.name != "x5"
        else feature.model_copy(update={"minimum": 1.0, "maximum": 1.0})
        for feature in judged.features
    )
    table = judged.test_rows
    table = table.set_column(0, "x0", pa.nulls(rows, pa.float64()))
    table = table.set_column(1, "x1", pa.array(np.full(rows, 9.0)))
    table = table.set_column(2, "x2", pa.array(["new"] * rows))
    told = {each.words.en.split(" ")[0]: each.features for each in input_warnings(features, table)}
    assert told["missing"] == ("x0 (0% → 100%)",)
    assert told["values"] == ("x1 (100%)",)
    assert told["categories"] == (f"x2 ({rows})",)
    assert told["constant"] == ("x5",)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_numbers_within(low: float, span: float) -> None:
    """Two to six, evenly apart by 1, 2 or 5 times a power of ten, and multiples of that."""
    high = low + span
    ticks = round_steps(low, high)
    assert 2 <= len(ticks) <= 6
    step = float(ticks[1] - ticks[0])
    assert np.diff(ticks) == pytest.approx(step)
    assert low - 1e-6 * span <= ticks[0]
    assert ticks[-1] <= high + 1e-6 * span
    leading = step / 10.0 ** np.floor(np.log10(step) + 1e-6)
    assert min(abs(leading - size) for size in (1, 2, 5)) < 1e-3


def test_a_small_count_has_whole_ticks() -> None:
    """0 to 5 is told at 0, 1, 2, 3, 4, 5 and nowhere between."""
    assert round_steps(0.0, 5.0).tolist() == [0, 1, 2, 3, 4, 5]
