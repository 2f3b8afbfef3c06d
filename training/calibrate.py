"""The calibrator of a scorer: Platt's sigmoid, then a shift per supervision model, shrunk.

The trees see a supervision model as one category among many and regularise it away; what it
converts beyond what they say is told by its own outcomes, as far as these reach.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from base.errors import Refused, nearest
from scoring.bundle import ScoredFeature
from scoring.calibration import SigmoidCalibrator
from training.experiment import Calibration
from training.rows import Rows, has_both_classes
from training.shifts import group_shifts

Floats = npt.NDArray[np.float64]
SUPERVISION_MODEL = "supervision_model"
# A calibrator keeps the order of the margins: its slope stays above 0, as scoring's own does.
SLOPES = (float(np.exp(-7)), float(np.exp(7)))


def calibrated(
    asked: Calibration, features: tuple[ScoredFeature, ...], margin: Floats, rows: Rows
) -> SigmoidCalibrator:
    """Fitted on `margin` (n,) of `rows` that the trees have not seen.

    Raises Refused where one class only is there, or `calibration.per` names no category.
    """
    plain = _sigmoid(margin, rows)
    at = _place_of(asked.per, features)
    if at is None or len(features[at].categories) < 2:
        return plain
    codes = rows.matrix[:, at]
    known = np.isfinite(codes)
    found = group_shifts(
        plain.probability(margin)[known],
        rows.label[known],
        codes[known].astype(np.int64),
        len(features[at].categories),
        None if rows.weight is None else rows.weight[known],
    )
    shifts = dict(zip(features[at].categories, found.value.tolist(), strict=True))
    return plain.model_copy(update={"per": features[at].name, "column": at, "shifts": shifts})


def _place_of(per: str | None, features: tuple[ScoredFeature, ...]) -> int | None:
    """Where the feature stands; None where nothing is asked for or the usual one is not there."""
    names = [feature.name for feature in features if feature.type == "category"]
    if per is None or (per == SUPERVISION_MODEL and per not in names):
        return None
    if per not in names:
        raise Refused(
            wanted="a category among the features of the experiment",
            got=repr(per),
            cure=nearest(per, names),
            where="calibration.per",
        )
    return next(at for at, feature in enumerate(features) if feature.name == per)


def _sigmoid(margin: Floats, rows: Rows) -> SigmoidCalibrator:
    """Platt's sigmoid; weighted rows count in it as they do in the trees.

    With weights: each row as a case with its smoothed target and as another clue with the rest of
    it, which makes of Platt's loss a weighted logistic regression.
    """
    if rows.weight is None:
        return SigmoidCalibrator.fit(margin, rows.label)
    weight = rows.weight / rows.weight.mean()
    cases = float((weight * rows.label).sum())
    others = float(weight.sum()) - cases
    if not has_both_classes(rows.label):
        return SigmoidCalibrator.fit(margin, rows.label)  # which refuses, and says why
    target = np.where(rows.label > 0, (cases + 1) / (cases + 2), 1 / (others + 2))
    learned = LogisticRegression(C=np.inf, tol=1e-9, max_iter=1_000).fit(
        np.concatenate([margin, margin])[:, None],
        np.repeat([1, 0], len(margin)),
        np.concatenate([weight * target, weight * (1 - target)]),
    )
    slope, intercept = float(learned.coef_[0, 0]), float(learned.intercept_[0])
    if not SLOPES[0] <= slope <= SLOPES[1]:
        slope = float(np.clip(slope, *SLOPES))
        intercept = float(np.log(cases / others) - slope * np.average(margin, weights=weight))
    return SigmoidCalibrator(slope=slope, intercept=intercept, fitted_on=len(margin))
