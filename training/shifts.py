"""What came of groups beside what was said of them, shrunk towards the whole.

Each group has a shift of its own on the log-odds of the probabilities said, drawn from a normal
distribution around the shift of all rows. How far the groups spread is not known either; it is
averaged over, each spread counting as much as the outcomes of all groups speak for it (Gelman,
"Prior distributions for variance parameters in hierarchical models", 2006; Laplace's method within
a spread).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, softmax

from training.metrics import SURE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# Standard deviations between groups that are weighed, in log-odds, with a half-normal prior.
SPREADS = np.linspace(0.05, 2.45, 25)
PRIOR = 1.0
STEPS, CLOSE = 50, 1e-8


@dataclass(frozen=True)
class GroupShifts:
    """Shifts of log-odds: posterior `value` and standard deviation `error` per group; `spread`
    between the groups, its posterior mean.
    """

    value: Floats
    error: Floats
    spread: float


def group_shifts(
    probability: Floats, label: Floats, group: Ints, groups: int, weight: Floats | None = None
) -> GroupShifts:
    """How far each group's log-odds lie from those said; rows (n,), `group` in 0..groups-1.

    Groups without a row get the shift of all, and the spread as their error. With `weight` (n,) a
    row counts so much, all of them together as much as Kish's effective number of rows.
    """
    odds = logit(np.clip(probability, SURE, 1 - SURE))
    counted = np.ones(len(odds)) if weight is None else weight * weight.sum() / (weight @ weight)
    if not len(odds):
        return GroupShifts(np.zeros(groups), np.zeros(groups), 0.0)
    # One row's worth of doubt keeps the shift of all finite where one class only is known.
    every = np.zeros(len(odds), np.int64)
    whole = float(_modes(odds, label, counted, every, 1, 0.0, 1.0)[0][0])
    weights, means, variances = [], [], []
    for spread in SPREADS:
        mode, curve, likelihood = _modes(odds, label, counted, group, groups, whole, 1 / spread**2)
        own = curve - 1 / spread**2
        # Known only as well as the groups together tell it.
        of_whole = 1 / float((own / (1 + own * spread**2)).sum())
        towards = 1 / (spread**2 * curve)
        weights.append(
            likelihood - float(np.log(spread**2 * curve).sum()) / 2 - spread**2 / (2 * PRIOR**2)
        )
        means.append(mode)
        variances.append(1 / curve + towards**2 * of_whole)
    chance = softmax(np.array(weights))
    mean = chance @ np.array(means)
    variance = chance @ (np.array(variances) + (np.array(means) - mean) ** 2)
    return GroupShifts(mean, np.sqrt(variance), float(chance @ SPREADS))


def _modes(
    odds: Floats,
    label: Floats,
    weight: Floats,
    group: Ints,
    groups: int,
    centre: float,
    certainty: float,
) -> tuple[Floats, Floats, float]:
    """Per group the shift that maximises likelihood times a normal density at `centre`, and the
    curvature there; and the log likelihood less penalty of all groups (Newton, steps at most 1).
    """
    cases = np.bincount(group, weight * label, groups)
    shift = np.full(groups, centre)
    for _ in range(STEPS):
        told = expit(odds + shift[group])
        curve = np.bincount(group, weight * told * (1 - told), groups) + certainty
        slope = cases - np.bincount(group, weight * told, groups) - certainty * (shift - centre)
        step = np.clip(slope / curve, -1.0, 1.0)
        shift = shift + step
        if np.abs(step).max() < CLOSE:
            break
    moved = odds + shift[group]
    told = expit(moved)
    bent = np.asarray(
        np.bincount(group, weight * told * (1 - told), groups) + certainty, np.float64
    )
    likelihood = float((weight * (label * moved - np.logaddexp(0.0, moved))).sum())
    return shift, bent, likelihood - certainty * float(((shift - centre) ** 2).sum()) / 2
