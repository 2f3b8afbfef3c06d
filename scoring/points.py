"""Contributions as percentage points of probability, in one fixed way.

Method: along the straight line from base to margin every feature has the same share of each step
as of the whole, so its part of the probability is its contribution times the mean slope of the
calibrator on the way: (p(margin) - p(base)) / (margin - base). This is the Aumann-Shapley share
(Aumann and Shapley, "Values of Non-Atomic Games", 1974; the path of integrated gradients). It
needs no order of the features, adds up over any grouping and never turns a sign.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
# Probabilities are rounded; over a shorter way the rounding would be told instead of the slope.
SHORTEST_WAY = 0.01
# Far below what is told to add up (1e-9), far above what adding floats up leaves.
DUST = 5e-10


@dataclass(frozen=True)
class Points:
    """`base_probability` belongs to the base; `per_unit` are points for 1 of log-odds."""

    base_probability: float
    probability: float
    per_unit: float

    @classmethod
    def along(
        cls, probability_of: Callable[[float], float], *, base: float, margin: float
    ) -> Points:
        """Points of a score whose margin and base are these; `probability_of` calibrates."""
        low, high = min(base, margin), max(base, margin)
        widened = max(0.0, SHORTEST_WAY - (high - low)) / 2
        low, high = low - widened, high + widened
        slope = (probability_of(high) - probability_of(low)) / (high - low)
        return cls(probability_of(base), probability_of(margin), 100 * slope)

    def of(self, contribution: float) -> float:
        """Percentage points of a contribution in log-odds."""
        return self.per_unit * contribution

    def rest(self, told: float) -> float:
        """What remains after `told` points: base, told and the rest give the probability."""
        return 100 * (self.probability - self.base_probability) - told


def points_along(
    probability_of: Callable[[Floats], Floats], *, base: Floats, margin: Floats
) -> list[Points]:
    """`Points.along` for many rows at once; `probability_of` takes margins (4, rows)."""
    low, high = np.minimum(base, margin), np.maximum(base, margin)
    widened = np.maximum(0.0, SHORTEST_WAY - (high - low)) / 2
    low, high = low - widened, high + widened
    at_high, at_low, at_base, at_margin = probability_of(np.stack([high, low, base, margin]))
    told = at_base, at_margin, 100 * ((at_high - at_low) / (high - low))
    return [Points(*row) for row in zip(*(each.tolist() for each in told), strict=True)]


def without_dust(rest: float) -> float:
    """What remains where nothing should: 0, unless it is more than adding floats up leaves."""
    return 0.0 if abs(rest) < DUST else rest
