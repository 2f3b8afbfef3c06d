"""Margin to probability: monotone, so that the order of the queue is the order of the margins.

Supervision models convert differently from what the trees say of them, so each may have a shift of
its own on the log-odds, shrunk towards none. Within one supervision model the order stays that of
the margins; the queue is ranked by margin.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, model_validator

from base.errors import Refused

Floats = npt.NDArray[np.float64]
PROBABILITY_DIGITS = 6


class SigmoidCalibrator(BaseModel):
    """p = 1 / (1 + exp(-(slope * margin + intercept + shift))), slope > 0.

    The shift is that of the row's category in `per`, a categorical feature: 0 for a category that
    `shifts` does not name, for a missing one, and everywhere without `per`. Slope and intercept are
    fitted with the smoothed targets of Platt, "Probabilistic Outputs for Support Vector Machines
    and Comparisons to Regularized Likelihood Methods" (1999).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = "sigmoid"
    slope: float
    intercept: float
    fitted_on: int
    per: str | None = None
    # Where `per` stands in the matrix; `shifts` are in the order of the manifest's categories.
    column: int | None = None
    shifts: dict[str, float] = {}

    @model_validator(mode="after")
    def _whole(self) -> SigmoidCalibrator:
        if (self.per is None) != (self.column is None) or (self.per is None and self.shifts):
            raise ValueError("per, column and shifts belong together")
        return self

    @classmethod
    def fit(cls, margin: Floats, label: Floats) -> SigmoidCalibrator:
        """`margin` and `label` (0/1) of rows the trees have not seen, both (n,).

        Raises Refused where only one class is there.
        """
        from scipy.optimize import minimize  # only who fits waits for it to load

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

    def probability(self, margin: Floats, matrix: Floats | None = None) -> Floats:
        """Probabilities (n,), computed this one way and rounded to PROBABILITY_DIGITS digits.

        `matrix` (n, features) are the rows as trees read them; a calibrator with shifts needs it.
        """
        if self.column is None:
            return self._said(margin, np.float64(0.0))
        assert matrix is not None, "shifts are those of the rows' categories"
        return self._said(margin, self._shift(matrix[:, self.column]))

    def probability_in(self, margin: Floats, category: object) -> Floats:
        """The same for margins (n,) of one category of `per`, by its name."""
        shift = self.shifts.get(category, 0.0) if isinstance(category, str) else 0.0
        return self._said(margin, np.float64(shift))

    def _said(self, margin: Floats, shift: Floats | np.float64) -> Floats:
        logit = np.clip(self.slope * margin + self.intercept + shift, -50.0, 50.0)
        return np.round(1.0 / (1.0 + np.exp(-logit)), PROBABILITY_DIGITS)

    def _shift(self, codes: Floats) -> Floats:
        """(n,): the shift of each row, whose category is the place `codes` (NaN: none)."""
        shifts = np.array([*self.shifts.values(), 0.0])
        known = np.isfinite(codes) & (codes >= 0) & (codes < len(self.shifts))
        place = np.where(known, np.nan_to_num(codes), len(self.shifts)).astype(np.int64)
        return shifts[place]
