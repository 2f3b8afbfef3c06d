"""How long until a case, in discrete steps, so that unripe clues teach what they lived through.

A clue is followed from its moment until it ends (a case, or otherwise) or until the cut, less the
reporting lag. What ended within the steps lived through has a known label even before the horizon
has passed. Quick ends are known more often than slow ones, so taking all known labels alike would
teach the haste of outcomes, not their nature. Each known label therefore counts by one over the
chance of having been followed that long: inverse probability of censoring weights, with the
Kaplan-Meier estimate of that chance (Vock et al., "Adapting machine learning techniques to
censored time-to-event health record data", J. Biomed. Inform. 61, 2016). What is learned stays one
scorer of "a case within the horizon".

An end that is no case competes with the case; it is no censoring. The life table is that of Aalen
and Johansen (1978); the weighted share of cases equals it exactly (Satten and Datta, 2001).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from base.errors import Refused
from training.note import Note

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
# A weight stands for so many unseen clues that one of them should not decide a tree.
LARGEST_WEIGHT = 20.0


@dataclass(frozen=True)
class Followed:
    """How far each clue is known, in steps that cut the horizon (the last may be shorter).

    `ended` (n,): the step in which it ended, `steps` where it had not within the horizon.
    `lived` (n,): whole steps seen, at most `steps`.
    """

    ended: Ints
    lived: Ints
    steps: int

    @property
    def known(self) -> Bools:
        """(n,): its end lies within the steps lived through, or it lived to the horizon."""
        return (self.ended < self.lived) | (self.lived == self.steps)


@dataclass(frozen=True)
class LifeTable:
    """Per step, (steps,): clues `at_risk`, the share of them that became cases (`hazard`) or ended
    otherwise (`other`), and the share of all that had become cases by its end (`incidence`)."""

    at_risk: Ints
    hazard: Floats
    other: Floats
    incidence: Floats


def steps_of(ended_days: Floats, lived_days: Floats, horizon_days: int, step_days: int) -> Followed:
    """Days since the moment to steps; `ended_days` (n,) is inf where nothing has ended.

    Raises Refused where a step is longer than the horizon.
    """
    if step_days > horizon_days:
        raise Refused(
            wanted=f"a step of at most the horizon ({horizon_days} days)",
            got=f"{step_days} days",
            cure="shorten survival.step_days, or leave survival out",
            where="label.survival",
        )
    steps = -(-horizon_days // step_days)
    within = ended_days < horizon_days
    ended = np.where(within, np.floor(np.where(within, ended_days, 0) / step_days), steps)
    whole = np.clip(np.floor(lived_days / step_days), 0, steps - 1)
    lived = np.where(lived_days >= horizon_days, steps, whole)
    return Followed(np.maximum(ended, 0).astype(np.int64), lived.astype(np.int64), steps)


def censoring_weights(
    followed: Followed, strata: npt.NDArray[np.str_]
) -> tuple[Floats, tuple[Note, ...]]:
    """Weights (n,) of the known labels, 0 for the others, and notes.

    Within each stratum (n,) they add up to its number of clues, cases or not, as long as some of
    it lived to the horizon. Strata matter where follow-up does: a supervision model that is new
    has only young clues. A weight is at most LARGEST_WEIGHT.
    """
    weight = np.zeros(len(followed.ended))
    notes = []
    for name in np.unique(strata):
        rows = np.flatnonzero(strata == name)
        part = Followed(followed.ended[rows], followed.lived[rows], followed.steps)
        chance = _followed_through(part)
        known = part.known
        last = np.minimum(part.ended, part.steps - 1)[known]
        weight[rows[known]] = np.minimum(1 / chance[last], LARGEST_WEIGHT)
        if known.any() and not (part.lived == part.steps).any():
            notes.append(_not_followed(str(name), int(part.lived.max()), part.steps))
    return weight, tuple(notes)


def _not_followed(name: str, lived: int, steps: int) -> Note:
    return Note(
        f"{name}: no clue was followed to the horizon; its labels say what had ended within"
        f" {lived} of {steps} steps",
        f"{name}：尚无线索跟踪到期满，其标签只说明 {steps} 期中前 {lived} 期内已办结的结果",
    )


def _followed_through(followed: Followed) -> Floats:
    """(steps,): chance that follow-up lasts through each step, by Kaplan and Meier (1958).

    Who ends in a step had been followed to its end, so ends come before censoring.
    """
    at_risk = _reaching(np.minimum(followed.lived, followed.ended), followed.steps)
    censored = np.bincount(
        followed.lived[followed.ended >= followed.lived], minlength=followed.steps + 1
    )[: followed.steps]
    return np.asarray(np.cumprod(1 - censored / np.maximum(at_risk, 1)), np.float64)


def life_table(followed: Followed, case: Bools) -> LifeTable:
    """The life table of clues; `case` (n,) says whose end was a case."""
    steps = followed.steps
    seen = (followed.ended < followed.lived) & (followed.ended < steps)
    cases = np.bincount(followed.ended[seen & case], minlength=steps)
    others = np.bincount(followed.ended[seen & ~case], minlength=steps)
    at_risk = _reaching(np.minimum(followed.ended, followed.lived - 1), steps)
    hazard, other = cases / np.maximum(at_risk, 1), others / np.maximum(at_risk, 1)
    undecided = np.cumprod(np.append(1.0, 1 - hazard - other))[:-1]
    return LifeTable(at_risk, hazard, other, np.cumsum(undecided * hazard))


def _reaching(last: Ints, steps: int) -> Ints:
    """(steps,): how many reach each step; `last` (n,) is each one's last, -1 for none."""
    ends = np.bincount(last + 1, minlength=steps + 2)
    return np.cumsum(ends[::-1])[::-1][1 : steps + 1]
