"""Baselines: the orders an office would have without a scorer, and two plain scorers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from features.slices import micros
from scoring.bundle import ScoredFeature
from training.experiment import Baseline, Experiment

Floats = npt.NDArray[np.float64]
COLUMNS, LEARNER = "columns", "learner"


@dataclass(frozen=True)
class Ranking:
    """A score per test row and, where the baseline has one, a probability."""

    score: Floats
    probability: Floats | None = None


def rank_by(
    baseline: Baseline,
    experiment: Experiment,
    features: tuple[ScoredFeature, ...],
    train: tuple[Floats, Floats],
    test: Floats,
    test_clues: pa.Table,
    *,
    weight: Floats | None = None,
    threads: int = 1,
) -> Ranking:
    """The baseline's order of the test rows; `train` is (matrix, label), `weight` its rows' (n,).

    Whatever the threads, the order is the same.
    """
    matrix, label = train
    if baseline == "base_rate":
        rate = np.full(len(test), np.average(label, weights=weight))
        return Ranking(rate, rate)
    if baseline == "severity":
        return Ranking(test_clues["severity"].to_numpy().astype(np.float64))
    if baseline == "first_come":
        return Ranking(-micros(test_clues["raised_at"]).astype(np.float64))
    if baseline == "past_cases":
        names = [feature.name for feature in features]
        column = test[:, names.index(str(experiment.past_cases and experiment.past_cases.feature))]
        return Ranking(np.nan_to_num(column, nan=-1.0))
    if baseline == "random_forest":
        learner = _forest(features, experiment.seed, threads)
    else:
        learner = logistic(features)
    weights = {} if weight is None else {f"{LEARNER}__sample_weight": weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        learner.fit(matrix, label, **weights)
    if baseline == "random_forest":
        # Threads would add up the trees' probabilities in another order every time.
        learner.set_params(**{f"{LEARNER}__n_jobs": 1})
    probability = np.asarray(learner.predict_proba(test)[:, 1], np.float64)
    return Ranking(probability, probability)


def logistic(features: tuple[ScoredFeature, ...], c: float = 0.01) -> Pipeline:
    """Median and flag for the missing, standard scale, one-hot categories; `c`: 1 / ridge."""
    columns = _columns(
        features,
        make_pipeline(_filled(), StandardScaler()),
        OneHotEncoder(handle_unknown="ignore", min_frequency=10),
    )
    learner = LogisticRegression(C=c, max_iter=500)
    return Pipeline([(COLUMNS, columns), (LEARNER, learner)])


def _forest(features: tuple[ScoredFeature, ...], seed: int, threads: int) -> Pipeline:
    """500 trees with at least 20 rows a leaf (Breiman, 2001); median and flag for the missing.

    Categories stay the numbers they are in the matrix, with one of their own for the missing: a
    forest cuts them as often as it needs, and a column per value would fill the memory.
    """
    codes = SimpleImputer(strategy="constant", fill_value=-1.0, keep_empty_features=True)
    learner = RandomForestClassifier(
        n_estimators=500, min_samples_leaf=20, n_jobs=threads, random_state=seed
    )
    return Pipeline([("columns", _columns(features, _filled(), codes)), (LEARNER, learner)])


def _filled() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def _columns(
    features: tuple[ScoredFeature, ...], numeric: BaseEstimator, category: BaseEstimator
) -> ColumnTransformer:
    """`numeric` for the columns that are numbers, `category` for the others."""
    numbers = [i for i, feature in enumerate(features) if feature.type == "numeric"]
    codes = [i for i, feature in enumerate(features) if feature.type == "category"]
    return ColumnTransformer([("numeric", numeric, numbers), ("category", category, codes)])
