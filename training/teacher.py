"""A teacher: a plain scorer that trees repeat, where few cases bear few freedoms.

With hundreds of cases a logistic regression under a strong ridge ranks better than trees that learn
labels. Its log-odds are a sum of one function per feature; each becomes one tree, its staircase, so
that all else here takes the scorer as any other: one text model, exact contributions. Learning from
another scorer is known as distillation (Hinton, Vinyals and Dean, 2015).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning

from scoring.bundle import ScoredFeature
from training.baselines import COLUMNS, LEARNER, logistic
from training.experiment import Teacher
from training.rows import Rows

Floats = npt.NDArray[np.float64]
# Fits that may be needed until no coefficient points against its declared direction.
FITS = 20
# A term of the log-odds that moves less than this says nothing.
STILL = 1e-9
# A stair is the mean of its rows, nothing is shrunk or left out.
EXACT = {
    "objective": "none",
    "boost_from_average": False,
    "learning_rate": 1.0,
    "min_sum_hessian_in_leaf": 0.0,
    "cat_smooth": 0.0,
    "cat_l2": 0.0,
    "min_data_per_group": 1,
}


def taught_terms(
    teacher: Teacher,
    features: tuple[ScoredFeature, ...],
    rows: Rows,
    directions: list[int],
) -> Floats:
    """The teacher's log-odds of the rows it learned from, (n, features): a row adds up to them.

    `directions`: per feature 1, -1 or 0 (free). A number that would point against its direction
    is left out, and the regression fitted again without it.
    """
    learner = logistic(features, teacher.c)
    columns, regression = learner.named_steps[COLUMNS], learner.named_steps[LEARNER]
    design = columns.fit_transform(rows.matrix)
    design = design.toarray() if issparse(design) else np.asarray(design, np.float64)
    owner, plain = _owners(columns, features)
    wanted = np.where(plain, np.array(directions)[owner], 0)
    used = np.ones(len(owner), bool)
    coefficients = np.zeros(len(owner))
    for _ in range(FITS):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.fit(design[:, used], rows.label, sample_weight=rows.weight)
        coefficients[:] = 0.0
        coefficients[used] = regression.coef_[0]
        against = coefficients * wanted < 0
        if not against.any():
            break
        used &= ~against
    coefficients[against] = 0.0
    terms = np.zeros((len(design), len(features)))
    np.add.at(terms.T, owner, (design * coefficients).T)
    terms[:, 0] += float(regression.intercept_[0])
    return terms


def staircases(
    terms: Floats, rows: Rows, binned: lgb.Dataset, options: Mapping[str, Any]
) -> lgb.Booster:
    """One tree per term, that term's mean on each of its stairs; `binned` holds the same rows.

    The best first cut of a function of one feature is a cut of that feature; no tree mixes two.
    Margins of these rows have mean 0 and deviation 1: the same ridge leaves log-odds of few rows
    flatter than those of many, and a calibrator that learns on the former would mistake the latter.
    """
    terms = _on_one_scale(terms)
    alone = {"interaction_constraints": [[at] for at in range(terms.shape[1])]}
    booster = lgb.Booster({**options, **EXACT, **alone}, binned)
    weight = np.ones(len(terms)) if rows.weight is None else rows.weight / rows.weight.mean()
    for at in range(terms.shape[1]):
        term = terms[:, at]
        if at == 0 or np.ptp(term) > STILL:
            booster.update(fobj=partial(_towards, -term * weight, weight))
    return lgb.Booster(model_str=booster.model_to_string())


def _towards(
    gradient: Floats, weight: Floats, _margins: Floats, _rows: lgb.Dataset
) -> tuple[Floats, Floats]:
    """What LightGBM asks before each tree: a step to the term itself, whatever stands already."""
    return gradient, weight


def _on_one_scale(terms: Floats) -> Floats:
    margin = terms.sum(axis=1)
    deviation = margin.std()
    scaled = terms / (deviation if deviation > STILL else 1.0)
    scaled[:, 0] -= scaled.sum(axis=1).mean()
    return scaled


def _owners(
    columns: ColumnTransformer, features: tuple[ScoredFeature, ...]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Per column of the design: the feature it is made of, and whether it is the number itself."""
    numbers = [at for at, feature in enumerate(features) if feature.type == "numeric"]
    codes = [at for at, feature in enumerate(features) if feature.type == "category"]
    owner = list(numbers)
    if numbers:
        flags = columns.named_transformers_["numeric"][0].indicator_.features_
        owner += [numbers[at] for at in flags]
    if codes:
        names = columns.named_transformers_["category"].get_feature_names_out()
        owner += [codes[int(name.split("_", 1)[0].removeprefix("x"))] for name in names]
    return np.array(owner, np.int64), np.arange(len(owner)) < len(numbers)
