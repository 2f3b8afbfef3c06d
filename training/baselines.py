"""Baselines: the orders an office would have without a scorer, and one plain scorer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from features.slices import micros
from scoring.bundle import ScoredFeature
from training.experiment import Baseline, Experiment

Floats = npt.NDArray[np.float64]


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
) -> Ranking:
    """The baseline's order of the test rows; `train` is (matrix, label)."""
    matrix, label = train
    if baseline == "base_rate":
        rate = np.full(len(test), label.mean())
        return Ranking(rate, rate)
    if baseline == "severity":
        return Ranking(test_clues["severity"].to_numpy().astype(np.float64))
    if baseline == "first_come":
        return Ranking(-micros(test_clues["raised_at"]).astype(np.float64))
    if baseline == "past_cases":
        names = [feature.name for feature in features]
        column = test[:, names.index(str(experiment.past_cases and experiment.past_cases.feature))]
        return Ranking(np.nan_to_num(column, nan=-1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        probability = _logistic(features).fit(matrix, label).predict_proba(test)[:, 1]
    return Ranking(probability, probability)


def _logistic(features: tuple[ScoredFeature, ...]) -> Pipeline:
    """Median and flag for the missing, standard scale, one-hot categories, C = 0.01."""
    numeric = [i for i, feature in enumerate(features) if feature.type == "numeric"]
    category = [i for i, feature in enumerate(features) if feature.type == "category"]
    filled = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    columns = ColumnTransformer(
        [
            ("numeric", make_pipeline(filled, StandardScaler()), numeric),
            ("category", OneHotEncoder(handle_unknown="ignore", min_frequency=10), category),
        ]
    )
    return make_pipeline(columns, LogisticRegression(C=0.01, max_iter=500))
