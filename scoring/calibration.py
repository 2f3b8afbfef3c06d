"""Margin to probability: monotone, so that the order of the queue is the order of the margins."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict
from scipy.optimize import minimize

from base.errors import Refused

Floats = npt.NDArray[np.float64]
PROBABILITY_DIGITS = 6


class SigmoidCalibrator(BaseModel):
    """p = 1 / (1 + exp(-(slope * margin + intercept))), slope > 0.

    Fitted with the smoothed targets of Platt, "Probabilistic Outputs for Support Vector Machines
    and Comparisons to Regularized Likelihood Methods" (1999).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "sigmoid"
    slope: float
    intercept: float
    fitted_on: int

    @classmethod
    def fit(cls, margin: Floats, label: Floats) -> SigmoidCalibrator:
        """`margin` and `label` (0/1) of rows the trees have not seen, both (n,).

        Raises Refused where only one class is there.
        """
        positives = float(label.sum())
        negatives = len(label) - positives
        if positives == 0 or negatives == 0:
            raise Refused(
                wanted="both cases and other clues to calibrate on",
                got=f"{int(positives)} cases among {len(label)} clues",
                cure="widen the calibration share, or use cross_fit",
            )
        target = np.where(label > 0, (positives + 1) / (positives + 2), 1 / (negatives + 2))

        def loss(parameters: Floats) -> float:
            logit = np.exp(parameters[0]) * margin + parameters[1]
            return float(np.sum(np.logaddexp(0, logit) - target * logit))

        start = np.array([0.0, np.log((positives + 1) / (negatives + 1)) - margin.mean()])
        found = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10})
        slope = float(np.exp(np.clip(found.x[0], -7.0, 7.0)))
        return cls(slope=slope, intercept=float(found.x[1]), fitted_on=len(label))

    def probability(self, margin: Floats) -> Floats:
        """Probabilities (n,), computed this one way and rounded to PROBABILITY_DIGITS digits."""
        logit = np.clip(self.slope * margin + self.intercept, -50.0, 50.0)
        return np.round(1.0 / (1.0 + np.exp(-logit)), PROBABILITY_DIGITS)
