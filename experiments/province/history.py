"""What the offices did: which clues they took up, what they decided, when it was reported.

Labels are selective: months 1-24 by severity and whim, later by a ranking that the command centre
computes from records alone, at capacity, with a share by lot. Every chance of having been taken up
is known and written beside the order. What nobody looked at is known only to the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd

from base.moment import add_months
from experiments.province.chance import FULL_PERCENT
from experiments.province.findings import Findings
from experiments.province.kinds import KINDS, LATE_DAYS, per_clue
from experiments.province.verdict import (
    CASE,
    PURSUED,
    WAIT,
    chance_at,
    lots,
    outcomes_of,
)
from experiments.province.world import START, Bools, Floats, World

SETTLED_MONTH = 24
PURSUED_SHARE, LOT_SHARE, RANKED_CHANCE = 0.6, 0.1, 0.97
LONGEST_WAIT_DAYS = 40
# The ranking of the command centre: what a clue loses by what speaks for a harmless explanation.
BY_NAME, REPAID, LATE, AMOUNT = 2.5, 2.5, 1.5, 0.5
Policy = Literal["records", "hunch"]


@dataclass(frozen=True)
class History:
    """Per finding: taken up, its propensity, by lot, became a case (also where nobody looked), how
    skilled its office is beside an average one (1), when it was ordered; and what was reported."""

    pursued: Bools
    propensity: Floats
    explored: Bools
    became_case: Bools
    skill: Floats
    ordered_at: np.ndarray
    outcomes: pd.DataFrame


def play_history(
    world: World,
    found: Findings,
    clue_ids: list[str],
    months: int,
    seed: int,
    policy: Policy = "records",
) -> History:
    """Outcomes as the case system would report them until the end of the last month.

    What comes of a clue is drawn by verdict.py, as it is for any other policy of the same seed.
    With the policy `hunch` offices later follow a ranking that no record keeps: no history of a
    province, but a laboratory for what cannot be undone.
    """
    ids = np.array(clue_ids, object)
    drawn = lots(seed, clue_ids)
    skill = world.institutions.skill_of(found.office, per_clue(found.kind, "function"))
    ordinary = np.zeros(len(skill))
    became = drawn[:, CASE] < chance_at(found.probability, skill, ordinary, ordinary)
    wait = 3 + (drawn[:, WAIT] * (LONGEST_WAIT_DAYS - 3)).astype(np.int64)
    ordered = np.array(found.moment, "datetime64[s]") + wait.astype("timedelta64[D]")
    told = outcomes_of(ids, became, ordered, drawn)
    propensity, by_lot = _propensity(world, found, became, _first_told(told, ids), drawn, policy)
    pursued = drawn[:, PURSUED] < propensity
    end = np.datetime64(add_months(datetime.combine(START, datetime.min.time()), months))
    of_pursued = told["clue_id"].isin(set(ids[pursued].tolist()))
    told = told[of_pursued & (told["reported_at"] < end)].reset_index(drop=True)
    return History(pursued, propensity, by_lot & pursued, became, skill, ordered, told)


def _first_told(told: pd.DataFrame, ids: np.ndarray) -> np.ndarray:
    first = told.drop_duplicates("clue_id").set_index("clue_id")["reported_at"]
    return first.loc[ids].to_numpy().astype("datetime64[s]")


def _propensity(
    world: World,
    found: Findings,
    became: Bools,
    told: np.ndarray,
    drawn: Floats,
    policy: Policy,
) -> tuple[Floats, Bools]:
    """Chance of being taken up, and whether that would be by lot, (n,)."""
    severity = per_clue(found.kind, "severity")
    whim = world.institutions.whim_of(found.office)
    chance = 1 / (1 + np.exp(-(0.5 * (severity - 3) + whim + 0.5)))
    by_lot = np.zeros(len(chance), bool)
    pursued = drawn[:, PURSUED] < chance
    moments = np.array(found.moment, "datetime64[s]")
    for month in np.unique(found.month[found.month >= SETTLED_MONTH]):
        rows = np.flatnonzero(found.month == month)
        known = pursued & (found.month < month) & (told < moments[rows[0]])
        points = _points(found, became, known, rows)
        if policy == "hunch":
            p = found.probability[rows]
            points = np.log(p / (1 - p)) + 2.0 * (2 * drawn[rows, WAIT] - 1) * np.sqrt(3)
        place = np.argsort(np.argsort(-points, kind="stable")) / len(rows)
        above = place < PURSUED_SHARE - LOT_SHARE
        chance[rows] = np.where(above, RANKED_CHANCE, 2 * LOT_SHARE)
        by_lot[rows] = ~above
        pursued[rows] = drawn[rows, PURSUED] < chance[rows]
    return np.asarray(chance, np.float64), by_lot


def _points(found: Findings, became: Bools, known: Bools, rows: np.ndarray) -> Floats:
    """The ranking of a month: past conversion of the supervision model, the amount beside earlier
    ones of its kind, and what makes a clue look harmless. Everything stands in records."""
    points = np.zeros(len(rows))
    for at in range(len(KINDS)):
        here = found.kind[rows] == at
        past = known & (found.kind == at)
        points[here] = np.log((became[past].sum() + 1) / (past.sum() + 10))
        if KINDS[at].amount_cents and past.any():
            middle = np.median(found.amount_cents[past])
            points[here] += AMOUNT * np.log(found.amount_cents[rows][here] / middle)
    points -= BY_NAME * found.by_name[rows]
    points -= REPAID * (found.repaid_percent[rows] >= FULL_PERCENT)
    return np.asarray(points - LATE * (found.lag_days[rows] >= LATE_DAYS), np.float64)
