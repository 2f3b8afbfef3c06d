"""A teacher: a plain scorer whose log-odds trees repeat, where few cases bear few freedoms.

With hundreds of cases a logistic regression under a strong ridge ranks better than trees that learn
labels. Trees that learn its log-odds rank as it does (distillation: Hinton, Vinyals and Dean,
"Distilling the Knowledge in a Neural Network", 2015), and stay what everything else here takes:
one text model, exact contributions. With two leaves a tree, they are a curve per feature.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning

from scoring.bundle import ScoredFeature
from training.baselines import LEARNER, logistic
from training.experiment import Teacher
from training.rows import Rows

Floats = npt.NDArray[np.float64]


def taught_margins(teacher: Teacher, features: tuple[ScoredFeature, ...], rows: Rows) -> Floats:
    """The teacher's log-odds (n,) of the rows it learned from; no other row is read."""
    learner = logistic(features, teacher.c)
    weights = {} if rows.weight is None else {f"{LEARNER}__sample_weight": rows.weight}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        learner.fit(rows.matrix, rows.label, **weights)
    return np.asarray(learner.decision_function(rows.matrix), np.float64)
