"""Probabilities per supervision model: shifts that few outcomes cannot make, and order kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_worlds import scored

from base.errors import Refused
from scoring.calibration import SigmoidCalibrator
from training.calibrate import calibrated
from training.experiment import Calibration
from training.rows import Rows

Floats = npt.NDArray[np.float64]
PER_X1 = Calibration(cross_fit=3, per="x1")
FEATURES = scored(2, categories=(1,))
# What each of three groups converts beyond what the margin says, in log-odds.
TRUE = np.array([0.9, -0.9, 0.0])


def world(
    count: int, seed: int, shares: tuple[float, ...] = (0.45, 0.45, 0.1)
) -> tuple[Rows, Floats]:
    """Rows of column x1 (a category) and margins; labels follow margin and TRUE."""
    draw = np.random.default_rng(seed)
    margin = draw.normal(-2, 1, count)
    group = draw.choice(3, count, p=shares)
    label = (draw.random(count) < 1 / (1 + np.exp(-(margin + TRUE[group])))).astype(float)
    matrix = np.column_stack([margin, group.astype(float)])
    return Rows(matrix, label, np.arange(count), np.arange(count).astype(str)), margin


def log_loss(probability: Floats, label: Floats) -> float:
    return float(-np.log(np.where(label == 1, probability, 1 - probability)).mean())


def test_shifts_come_near_the_truth_and_later_rows_are_told_better() -> None:
    """Beside one curve for all, in every one of 10 worlds of 1,500 rows."""
    for seed in range(10):
        rows, margin = world(1_500, seed)
        later, said = world(20_000, 100 + seed)
        one = calibrated(Calibration(cross_fit=3, per=None), FEATURES, margin, rows)
        per = calibrated(PER_X1, FEATURES, margin, rows)
        assert one.per is None
        assert per.per == "x1"
        told = log_loss(per.probability(said, later.matrix), later.label)
        assert told < log_loss(one.probability(said), later.label)
        apart = per.shifts["a"] - per.shifts["b"]
        assert apart == pytest.approx(TRUE[0] - TRUE[1], abs=0.6)


def test_few_outcomes_move_a_supervision_model_little() -> None:
    """Five rows, all cases, of a third group: nearer to no shift than to certainty; a hundred
    rows of the same are believed."""
    shifts = {}
    for extra in (5, 100):
        rows, _ = world(1_000, 1, shares=(0.5, 0.5, 0.0))
        matrix = np.vstack(
            [rows.matrix, np.column_stack([np.full(extra, -2.0), np.full(extra, 2)])]
        )
        label = np.concatenate([rows.label, np.ones(extra)])
        count = len(label)
        whole = Rows(matrix, label, np.arange(count), np.arange(count).astype(str))
        shifts[extra] = calibrated(PER_X1, FEATURES, matrix[:, 0], whole).shifts["c"]
    assert 0 < shifts[5] < 3.0
    assert shifts[100] > shifts[5] + 1


def test_weights_tell_what_the_chosen_rows_hide() -> None:
    """Group a was looked at mostly where it became a case; weighted by one over the chance its
    shift is nearer the truth than without."""
    draw = np.random.default_rng(5)
    rows, margin = world(30_000, 3)
    chance = np.where((rows.matrix[:, 1] == 0) & (rows.label == 0), 0.3, 0.9)
    taken = draw.random(len(chance)) < chance
    seen = rows.where(taken)
    plain = calibrated(PER_X1, FEATURES, margin[taken], seen)
    weighed = Rows(seen.matrix, seen.label, seen.moment, seen.subject, 1 / chance[taken])
    fair = calibrated(PER_X1, FEATURES, margin[taken], weighed)

    def error(found: SigmoidCalibrator) -> float:
        true = 1 / (1 + np.exp(-(margin + TRUE[rows.matrix[:, 1].astype(int)])))
        return float(np.abs(found.probability(margin, rows.matrix) - true).mean())

    assert error(fair) < 0.3 * error(plain)
    assert error(fair) < 0.01


@settings(max_examples=100, deadline=None)
@given(
    margins=st.lists(st.floats(-30, 30), min_size=2, max_size=30),
    slope=st.floats(1e-3, 10),
    shift=st.floats(-5, 5),
)
def test_within_a_supervision_model_the_order_is_that_of_the_margins(
    margins: list[float], slope: float, shift: float
) -> None:
    """And of two that differ in their shift alone, the higher one has the higher probability."""
    calibrator = SigmoidCalibrator(
        slope=slope, intercept=0.1, fitted_on=9, per="x1", column=1, shifts={"a": 0.0, "b": shift}
    )
    margin = np.sort(np.array(margins))
    told = [
        calibrator.probability(margin, np.column_stack([margin, np.full(len(margin), code)]))
        for code in (0.0, 1.0)
    ]
    for each in told:
        assert (np.diff(each) >= 0).all()
    assert ((told[1] - told[0]) * np.sign(shift) >= 0).all()


def test_a_category_that_was_never_seen_has_no_shift() -> None:
    """Nor has a missing one: what is said is what one curve says."""
    shifted = SigmoidCalibrator(
        slope=1.5, intercept=-0.2, fitted_on=9, per="x1", column=0, shifts={"a": 1.0, "b": -1.0}
    )
    plain = SigmoidCalibrator(slope=1.5, intercept=-0.2, fitted_on=9)
    margin = np.linspace(-3, 3, 4)
    odd = np.array([np.nan, 2.0, 9.0, -1.0])[:, None]
    assert np.array_equal(shifted.probability(margin, odd), plain.probability(margin))
    assert np.array_equal(shifted.probability_in(margin, "z"), plain.probability(margin))
    known = shifted.probability(margin, np.zeros((4, 1)))
    assert np.array_equal(shifted.probability_in(margin, "a"), known)
    assert (known > plain.probability(margin)).all()


def test_a_calibrator_of_an_earlier_version_still_loads() -> None:
    """JSON without shifts says what it said."""
    old = SigmoidCalibrator.model_validate_json(
        '{"kind": "sigmoid", "slope": 1.25, "intercept": -0.5, "fitted_on": 100}'
    )
    assert old.probability(np.array([0.0, 2.0])).tolist() == [0.377541, 0.880797]
    again = SigmoidCalibrator.model_validate_json(old.model_dump_json())
    assert again == old


def test_what_per_may_name() -> None:
    """A category of the experiment; a bundle without `supervision_model` has one curve."""
    rows, margin = world(300, 1)
    usual = calibrated(Calibration(cross_fit=3), FEATURES, margin, rows)
    assert (usual.per, usual.shifts) == (None, {})
    with pytest.raises(Refused, match=r"calibration\.per.*write 'x1'"):
        calibrated(Calibration(cross_fit=3, per="x"), FEATURES, margin, rows)
    with pytest.raises(Refused, match=r"calibration\.per"):
        calibrated(Calibration(cross_fit=3, per="x0"), FEATURES, margin, rows)
