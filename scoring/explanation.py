"""Exact explanations: TreeSHAP contributions that add up to the margin.

Method: Lundberg et al., "From local explanations to global understanding with explainable AI for
trees" (2020), as computed by LightGBM's `pred_contrib`. No call passes an iteration window: a
booster is thread-safe only while every call uses the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Explanation:
    """`contributions` (rows, features), in log-odds; `base` (rows,): base + sum = margin."""

    contributions: Floats
    base: Floats


def explain(booster: lgb.Booster, matrix: Floats, threads: int) -> Explanation:
    """Contributions of every feature to every row's margin."""
    whole = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=threads))
    return Explanation(contributions=whole[:, :-1], base=whole[:, -1])


def adds_up(explanation: Explanation, margin: Floats) -> bool:
    """Whether base and contributions give the margin within TOLERANCE, for every row (P-6)."""
    total = explanation.base + explanation.contributions.sum(axis=1)
    return bool(np.all(np.abs(total - margin) <= TOLERANCE * np.maximum(1.0, np.abs(margin))))
