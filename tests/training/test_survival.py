"""Unripe clues teach: known labels count by one over the chance of having been followed so long."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.errors import Refused
from training.propensity import Estimate, weighted_ratio
from training.survival import Followed, censoring_weights, life_table, steps_of

Floats = npt.NDArray[np.float64]
HORIZON, STEP = 270, 30
WORLDS = 100

followed = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=19)


def one_stratum(rows: int) -> npt.NDArray[np.str_]:
    return np.full(rows, "m")


def test_days_become_whole_steps_and_the_last_may_be_shorter() -> None:
    """A step counts once it has passed; the horizon closes the last one; an end before the
    moment is one in the first step."""
    ended = np.array([-2.0, 29.9, 30.0, 99.9, 100.0, np.inf])
    lived = np.array([29.9, 30.0, 95.0, 99.9, 100.0, -3.0])
    found = steps_of(ended, lived, horizon_days=100, step_days=30)
    assert found.steps == 4
    assert found.ended.tolist() == [0, 0, 1, 3, 4, 4]
    assert found.lived.tolist() == [0, 1, 3, 3, 4, 0]
    assert found.known.tolist() == [False, True, True, False, True, False]


def test_a_step_longer_than_the_horizon_is_refused() -> None:
    """Nothing could ever be known early."""
    with pytest.raises(Refused, match=r"shorten survival\.step_days"):
        steps_of(np.array([1.0]), np.array([1.0]), horizon_days=20, step_days=21)


def test_weights_worked_out_by_hand() -> None:
    """Four clues, two steps: one leaves before the first, one of the three before the second."""
    found = Followed(np.array([2, 0, 2, 1]), np.array([0, 1, 1, 2]), 2)
    weight, notes = censoring_weights(found, one_stratum(4))
    # Lasting through step 0: 3/4. Before step 1 two are open, one leaves: 3/4 * 1/2.
    assert weight.tolist() == pytest.approx([0, 4 / 3, 0, 8 / 3])
    assert notes == ()


@settings(deadline=None)
@given(followed)
def test_who_was_followed_to_the_horizon_alone_counts_one(rows: list[tuple[int, int]]) -> None:
    """Nothing is censored: every label is known, every weight is 1."""
    ended = np.array([row[0] for row in rows])
    found = Followed(ended, np.full(len(rows), 5), 5)
    weight, _ = censoring_weights(found, one_stratum(len(rows)))
    assert found.known.all()
    assert np.array_equal(weight, np.ones(len(rows)))


@settings(deadline=None, max_examples=300)
@given(followed, st.integers(0, 2**19 - 1))
def test_the_weighted_share_of_cases_is_that_of_the_life_table(
    rows: list[tuple[int, int]], bits: int
) -> None:
    """Exactly (Satten and Datta, 2001); and weights never add up to more clues than there are."""
    ended, lived = (np.array(part) for part in zip(*rows, strict=True))
    case = np.array([bits >> at & 1 for at in range(len(rows))], bool)
    found = Followed(ended, lived, 5)
    weight, _ = censoring_weights(found, one_stratum(len(rows)))
    share = weight[case & found.known & (ended < 5)].sum() / len(rows)
    assert share == pytest.approx(life_table(found, case).incidence[-1])
    assert weight.sum() <= len(rows) + 1e-9
    assert np.array_equal(weight > 0, found.known)


def test_a_stratum_without_an_old_clue_is_named() -> None:
    """A new supervision model has its own follow-up, and no word beyond it."""
    ended = np.array([0, 0, 2, 0, 1, 3])
    lived = np.array([3, 3, 3, 1, 1, 1])
    strata = np.array(["old"] * 3 + ["new"] * 3)
    weight, notes = censoring_weights(Followed(ended, lived, 3), strata)
    assert weight[:3].tolist() == [1, 1, 1]
    assert weight[3:].tolist() == [1, 0, 0]
    assert len(notes) == 1
    assert notes[0].startswith("new: no clue was followed to the horizon")
    assert notes[0].endswith("within 1 of 3 steps")


def test_no_weight_is_without_bound() -> None:
    """A single old clue among hundreds of young ones does not decide a tree."""
    ended = np.full(500, 3)
    lived = np.append(np.zeros(499, int), 3)
    weight, _ = censoring_weights(Followed(ended, lived, 3), one_stratum(500))
    assert weight.tolist() == [0.0] * 499 + [20.0]


@dataclass(frozen=True)
class Drawn:
    """Clues of 24 months seen at the end of the last, whose cases take longer than other ends."""

    sign: npt.NDArray[np.int64]
    case: npt.NDArray[np.bool_]
    pursued: npt.NDArray[np.bool_]
    followed: Followed


RATE = np.array([0.15, 0.45])


def drawn_clues(seed: int, count: int = 2_000, growth: float = 2.0) -> Drawn:
    """Volume grows towards the cut, so that many clues are unripe there. 60 % are pursued."""
    draw = np.random.default_rng(seed)
    raised = np.floor(24 * draw.random(count) ** (1 / growth)) * 30.0
    sign = draw.integers(0, 2, count)
    case = draw.random(count) < RATE[sign]
    pursued = draw.random(count) < 0.6
    days = np.exp(draw.normal(np.log(np.where(case, 110.0, 40.0)), 0.5)).clip(2, HORIZON - 1)
    lived = 24 * 30 - raised - 30
    ended = np.where(pursued, days, np.inf)
    return Drawn(sign, case, pursued, steps_of(ended, lived, HORIZON, STEP))


def share_of_cases(world: Drawn, chosen: npt.NDArray[np.bool_], weight: Floats) -> Estimate:
    known = world.followed.known & world.pursued & chosen
    cases = world.case[known].astype(float)
    found = weighted_ratio(cases, np.ones(len(cases)), weight[known])
    assert found is not None
    return found


def test_taking_known_labels_alike_is_biased_and_weighing_them_is_not() -> None:
    """Over 100 worlds: mean and coverage of the share of cases among pursued clues (30 %).

    Ripe clues alone are right too, but fewer: their intervals are wider.
    """
    told: dict[str, list[Estimate]] = {"alike": [], "weighed": [], "ripe": []}
    for seed in range(WORLDS):
        world = drawn_clues(seed)
        everyone = np.ones(len(world.case), bool)
        ripe = world.followed.lived == world.followed.steps
        weight, _ = censoring_weights(world.followed, one_stratum(len(world.case)))
        told["alike"].append(share_of_cases(world, everyone, np.ones(len(world.case))))
        told["weighed"].append(share_of_cases(world, everyone, weight))
        told["ripe"].append(share_of_cases(world, ripe, np.ones(len(world.case))))
    truth = float(RATE.mean())
    bias = {name: np.mean([each.value for each in all_]) - truth for name, all_ in told.items()}
    covered = {
        name: sum(each.low <= truth <= each.high for each in all_) for name, all_ in told.items()
    }
    width = {name: np.mean([each.high - each.low for each in all_]) for name, all_ in told.items()}
    assert bias["alike"] < -0.02
    assert abs(bias["weighed"]) < 0.005
    assert abs(bias["ripe"]) < 0.005
    assert covered["weighed"] >= 90
    assert covered["alike"] < 50
    assert width["weighed"] < width["ripe"]


def test_one_booster_learns_the_true_rates_from_weighed_labels() -> None:
    """LightGBM with the weights says what each sign is worth; without, it says too little."""
    world = drawn_clues(seed=1, count=20_000)
    known = world.followed.known & world.pursued
    weight, _ = censoring_weights(world.followed, one_stratum(len(world.case)))
    options = {"objective": "binary", "num_leaves": 2, "verbose": -1, "num_threads": 1}
    error = {}
    for name, counts in (("alike", np.ones(len(weight))), ("weighed", weight)):
        data = lgb.Dataset(
            world.sign[known, None].astype(float), world.case[known], weight=counts[known]
        )
        booster = lgb.train({**options, "seed": 1, "deterministic": True}, data, 100)
        said = np.asarray(booster.predict(np.array([[0.0], [1.0]])))
        error[name] = np.abs(said - RATE).max()
    assert error["weighed"] < 0.02
    assert error["alike"] > 0.03
