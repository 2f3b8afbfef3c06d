"""Baselines: each order is what its name says, and the plain scorers find a plain signal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from training_worlds import asked, drawn_rows, scored

from training.baselines import Ranking, rank_by
from training.experiment import Baseline
from training.metrics import evaluate_scores
from training.rows import Rows

FEATURES = scored(6, categories=(2,))
TRAIN, TEST = drawn_rows(1_200, seed=1), drawn_rows(900, seed=2)


def order(
    name: Baseline, rows: Rows = TRAIN, test: Rows = TEST, threads: int = 1, seed: int = 7
) -> Ranking:
    """A baseline's ranking of the drawn test rows."""
    clues = pa.table(
        {
            "severity": np.arange(len(test.label)) % 3,
            "raised_at": pa.array(test.moment, pa.timestamp("us")),
        }
    )
    experiment = asked(past_cases={"feature": "x1"}, seed=seed)
    learned = (rows.matrix, rows.label)
    return rank_by(
        name, experiment, FEATURES, learned, test.matrix, clues, weight=rows.weight, threads=threads
    )


def auc(ranking: Ranking) -> float:
    return float(evaluate_scores(ranking.score, TEST.label)["auc"])


def test_orders_without_learning_are_what_their_names_say() -> None:
    """Severity as declared, the earliest first, the column of past cases, one rate for all."""
    assert order("severity").score[:4].tolist() == [0, 1, 2, 0]
    assert np.all(np.diff(order("first_come").score) <= 0)
    assert np.array_equal(order("past_cases").score, TEST.matrix[:, 1])
    rate = order("base_rate")
    assert set(rate.score) == {TRAIN.label.mean()}
    assert rate.probability is rate.score


@pytest.mark.parametrize("name", ["logistic_regression", "random_forest"])
def test_plain_scorers_find_the_signal_and_say_probabilities(name: Baseline) -> None:
    """Better than any single column, with probabilities whose mean is the share of cases."""
    ranking = order(name)
    assert auc(ranking) > auc(order("past_cases")) + 0.05
    assert ranking.probability is not None
    assert ranking.probability.mean() == pytest.approx(TEST.label.mean(), abs=0.04)


@pytest.mark.parametrize("name", ["logistic_regression", "random_forest"])
def test_a_category_counts_by_value_not_by_number(name: Baseline) -> None:
    """Only the middle one of three codes raises the share of cases, and that is found."""
    test = replace(TEST, matrix=np.tile(np.zeros(6), (3, 1)), label=np.zeros(3))
    test.matrix[:, 2] = [0, 1, 2]
    test = replace(test, moment=TEST.moment[:3])
    said = order(name, test=test).score
    assert said[1] > max(said[0], said[2]) + 0.05


@pytest.mark.parametrize("name", ["logistic_regression", "random_forest"])
def test_missing_values_and_empty_columns_do_not_stop_a_baseline(name: Baseline) -> None:
    """Gaps are filled and flagged: where the gap itself tells, it is found."""
    train, test = (replace(rows, matrix=rows.matrix.copy()) for rows in (TRAIN, TEST))
    for rows in (train, test):
        rows.matrix[:, 4] = np.nan
        rows.matrix[:, 5] = np.where(rows.label > 0, np.nan, rows.matrix[:, 5])
        rows.matrix[::7, 2] = np.nan
    ranking = order(name, train, test)
    assert np.isfinite(ranking.score).all()
    assert auc(ranking) > 0.9


def test_the_forest_is_the_same_for_a_seed_whatever_the_threads() -> None:
    """Bit for bit; another seed draws another forest."""
    one, four = order("random_forest"), order("random_forest", threads=4)
    assert np.array_equal(one.score, four.score)
    assert not np.array_equal(one.score, order("random_forest", seed=8).score)


@pytest.mark.parametrize("name", ["base_rate", "logistic_regression", "random_forest"])
def test_weights_move_the_baselines(name: Baseline) -> None:
    """Cases that stand for four clues each raise every probability."""
    weight = np.where(TRAIN.label > 0, 4.0, 1.0)
    plain, weighed = order(name), order(name, replace(TRAIN, weight=weight))
    assert weighed.score.mean() > plain.score.mean() + 0.1
