"""Fitting: constraints hold, trees stop by later rows, weights count, nothing is left to chance."""

from __future__ import annotations

from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from training_worlds import asked, drawn_rows, scored

from base.errors import Refused
from scoring.calibration import SigmoidCalibrator
from training.calibrate import _sigmoid
from training.experiment import Experiment
from training.fit import (
    bin_rows,
    earlier_share,
    fit,
    grow_binned,
    grow_trees,
    margins,
    monotone_constraints,
)
from training.rows import Rows

FEATURES = scored(6, categories=(2,))


def text_of(booster: lgb.Booster) -> str:
    return booster.model_to_string(num_iteration=-1)


def test_the_same_rows_give_the_same_trees_whatever_the_threads() -> None:
    """One thread and four, twice: one text, also above the rows a second thread needs."""
    rows = drawn_rows(25_000)
    experiment = asked(early_stopping={"rounds": 5})
    grown = [text_of(grow_trees(experiment, FEATURES, rows, threads)) for threads in (1, 4, 4)]
    without = [text.replace("[num_threads: 2]", "[num_threads: 1]") for text in grown]
    assert without[0] == without[1] == without[2]


@pytest.mark.parametrize("threads", [1, 3])
def test_bins_and_trees_name_the_same_number_of_threads(threads: int) -> None:
    """LightGBM has one number for the whole process: a call that names none takes whatever another
    thread's call has set meanwhile, beside buffers that were sized before."""
    experiment = asked(early_stopping={"rounds": 5})
    binned = bin_rows(experiment, FEATURES, drawn_rows(), threads)
    assert binned.later is not None
    for part in (binned.growing, binned.later):
        assert part.params["num_threads"] == threads
    assert f"[num_threads: {threads}]" in text_of(
        grow_binned(experiment, FEATURES, binned, threads)
    )


def test_trees_are_cut_after_the_best_one_and_saved_so() -> None:
    """Far more trees than gain: what is kept is the best count, by rows that grew none of them."""
    rows = drawn_rows()
    experiment = asked(
        early_stopping={"rounds": 10, "share": 0.25},
        scorer={"n_estimators": 2_000, "learning_rate": 0.2},
    )
    booster = grow_trees(experiment, FEATURES, rows, 1)
    trees = booster.num_trees()
    assert 1 <= trees < 200
    assert lgb.Booster(model_str=text_of(booster)).num_trees() == trees
    early = earlier_share(rows.moment, 0.75)
    declared = {"n_estimators": trees, "learning_rate": 0.2}
    alone = grow_trees(asked(scorer=declared), FEATURES, rows.where(early), 1)
    assert np.array_equal(margins(booster, rows.matrix), margins(alone, rows.matrix))

    def loss(count: int) -> float:
        margin = margins(
            grow_trees(
                asked(scorer={**declared, "n_estimators": count}), FEATURES, rows.where(early), 1
            ),
            rows.matrix[~early],
        )
        sign = 2 * rows.label[~early] - 1
        return float(np.logaddexp(0, -sign * margin).mean())

    assert loss(trees) <= min(loss(max(1, trees - 1)), loss(trees + 1), loss(trees + 9)) + 1e-12


def test_one_moment_cannot_tell_when_to_stop_and_says_so() -> None:
    """Every tree is kept, with a note."""
    rows = replace(drawn_rows(), moment=np.zeros(1_200, np.int64))
    fitted = fit(asked(early_stopping={}), FEATURES, rows, 1)
    assert fitted.booster.num_trees() == 40
    assert any("not stopped early" in note for note in fitted.notes)


def test_a_weight_of_two_is_a_row_twice() -> None:
    """Integer weights and repeated rows give the same margins, up to the leaf's least rows."""
    rows = drawn_rows(600)
    times = np.random.default_rng(5).integers(1, 4, 600)
    experiment = asked(
        scorer={"n_estimators": 10, "num_leaves": 4, "min_child_samples": 1, "min_data_in_bin": 1}
    )
    weighed = grow_trees(experiment, FEATURES, replace(rows, weight=times.astype(float)), 1)
    again = np.repeat(np.arange(600), times)
    repeated = Rows(rows.matrix[again], rows.label[again], rows.moment[again], rows.subject[again])
    same = margins(grow_trees(experiment, FEATURES, repeated, 1), rows.matrix)
    assert np.corrcoef(margins(weighed, rows.matrix), same)[0, 1] > 0.97
    plain = margins(grow_trees(experiment, FEATURES, rows, 1), rows.matrix)
    assert not np.allclose(margins(weighed, rows.matrix), plain)


def test_the_scale_of_the_weights_does_not_matter() -> None:
    """A regularisation means the same with weights of 1 and of 8."""
    rows = drawn_rows(600)
    weight = np.random.default_rng(5).integers(1, 5, 600).astype(float)
    experiment = asked(scorer={"n_estimators": 10, "lambda_l2": 20.0})
    one, other = (
        text_of(grow_trees(experiment, FEATURES, replace(rows, weight=weight * scale), 1))
        for scale in (1.0, 8.0)
    )
    assert one == other


@pytest.mark.parametrize("direction", [1, -1])
def test_a_monotone_feature_never_turns_the_score(direction: int) -> None:
    """Moving x0 up, all else equal, never moves the margin the other way, whatever the data say."""
    rows = drawn_rows()
    experiment = asked(monotone={"x[01]": direction})
    booster = fit(experiment, FEATURES, rows, 1).booster
    moved = np.repeat(rows.matrix[:100], 41, axis=0)
    moved[:, 0] = np.tile(np.linspace(-4, 4, 41), 100)
    steps = np.diff(margins(booster, moved).reshape(100, 41), axis=1) * direction
    assert steps.min() >= 0
    assert monotone_constraints(experiment, FEATURES) == [direction, direction, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("monotone", "told"),
    [
        ({"y0": 1}, "use one of x0"),
        ({"x2": 1}, "a numeric feature"),
        ({"x0": 1, "x*": -1}, "two for x0"),
    ],
)
def test_a_constraint_on_nothing_is_refused(monotone: dict[str, int], told: str) -> None:
    """A misspelt name, a category, two directions at once: each with its cure."""
    with pytest.raises(Refused, match="monotone") as refusal:
        fit(asked(monotone=monotone), FEATURES, drawn_rows(), 1)
    assert told in str(refusal.value)


def test_an_unknown_category_is_a_missing_one() -> None:
    """NaN, what the matrix holds for both, goes its own way and gives a finite margin."""
    rows = drawn_rows()
    booster = fit(asked(), FEATURES, rows, 1).booster
    asked_of = np.tile(rows.matrix[:1], (4, 1))
    asked_of[:, 2] = [0, 1, 2, np.nan]
    margin = margins(booster, asked_of)
    assert np.isfinite(margin).all()
    assert margin[1] > margin[[0, 2]].max()


def test_constant_features_are_named_not_refused() -> None:
    """One value everywhere, or none at all; one value with gaps says something and stays."""
    rows = drawn_rows()
    rows.matrix[:, 3] = 5.0
    rows.matrix[:, 4] = np.nan
    rows.matrix[:, 5] = np.where(rows.matrix[:, 0] > 0, 1.0, np.nan)
    notes = fit(asked(), FEATURES, rows, 1).notes
    assert [note for note in notes if "constant" in note] == [
        "constant in training, so never used: x3, x4"
    ]


@pytest.mark.parametrize("rows", [0, 50])
def test_one_class_only_is_refused(rows: int) -> None:
    """No row at all, and rows without a case."""
    drawn = drawn_rows()
    chosen = np.flatnonzero(drawn.label == 0)[:rows]
    with pytest.raises(Refused, match=f"0 cases among {rows} rows"):
        fit(asked(), FEATURES, drawn.where(np.isin(np.arange(1_200), chosen)), 1)


def test_early_stopping_with_dart_is_refused() -> None:
    """Its later trees change the earlier ones, so there is nothing to cut."""
    with pytest.raises(Refused, match="dart"):
        fit(asked(early_stopping={}, scorer={"boosting": "dart"}), FEATURES, drawn_rows(), 1)


def test_chosen_parameters_win_over_declared_ones() -> None:
    """What tuning chose is what grows, and is told."""
    fitted = fit(asked(), FEATURES, drawn_rows(), 1, {"n_estimators": 7})
    assert fitted.booster.num_trees() == 7
    assert fitted.parameters["n_estimators"] == 7
    assert fitted.parameters["num_leaves"] == 7


def test_a_weighted_calibrator_is_that_of_rows_repeated() -> None:
    """Whole weights: each row as often as it weighs gives the same sigmoid, priors apart."""
    draw = np.random.default_rng(4)
    margin = draw.normal(size=3_000)
    label = (draw.random(3_000) < 1 / (1 + np.exp(0.5 - 0.7 * margin))).astype(np.float64)
    weight = np.where(label > 0, 1.0, draw.integers(1, 4, 3_000))
    moment, subject = np.zeros(3_000, np.int64), np.full(3_000, "p")
    found = _sigmoid(margin, Rows(margin[:, None], label, moment, subject, weight))
    often = np.repeat(np.arange(3_000), weight.astype(int))
    wanted = SigmoidCalibrator.fit(margin[often], label[often])
    assert found.slope == pytest.approx(wanted.slope, abs=2e-3)
    assert found.intercept == pytest.approx(wanted.intercept, abs=2e-3)
    plain = SigmoidCalibrator.fit(margin, label)
    assert found.intercept < plain.intercept - 0.3
    assert found.fitted_on == 3_000


def test_a_calibrator_never_turns_the_order_round() -> None:
    """Where higher margins meant fewer cases, the slope stays above 0 and the mean is kept."""
    margin = np.linspace(-2, 2, 400)
    label = (margin < 0).astype(np.float64)
    moment, subject = np.zeros(400, np.int64), np.full(400, "p")
    found = _sigmoid(margin, Rows(margin[:, None], label, moment, subject, np.ones(400)))
    said = found.probability(margin)
    assert (np.diff(said) >= 0).all()
    assert said.mean() == pytest.approx(0.5, abs=0.01)


def test_margins_that_calibrate_come_from_trees_that_saw_a_fair_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four folds: the first fifth of the moments only teaches, and each later fold sees it all."""
    rows, seen = drawn_rows(), []

    def spy(experiment: Experiment, features: object, taught: Rows, *rest: object) -> lgb.Booster:
        seen.append(taught.moment)
        return grow_trees(experiment, FEATURES, taught, 1)

    monkeypatch.setattr("training.fit.grow_trees", spy)
    fit(asked(calibration={"method": "sigmoid", "cross_fit": 4}), FEATURES, rows, 1)
    moments = np.unique(rows.moment)
    parts = np.array_split(moments, 5)
    assert [moment.max() for moment in seen] == [part[-1] for part in parts[:4]] + [moments[-1]]
