"""What the offices did: which clues they took up, what they decided, when it was reported.

Labels are selective: months 1-24 by severity and whim, later by a rough ranking with a share by
lot. What nobody looked at is known only to the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from base.moment import add_months
from experiments.province.findings import KINDS, Bools, Findings
from experiments.province.verdict import (
    CASE,
    PURSUED,
    WAIT,
    chance_at,
    lots,
    outcomes_of,
)
from experiments.province.world import START, Floats, World

SETTLED_MONTH = 24
PURSUED_SHARE, LOT_SHARE = 0.6, 0.1
LONGEST_WAIT_DAYS = 40


@dataclass(frozen=True)
class History:
    """Per finding: taken up, its propensity, became a case (also where nobody looked), and how
    skilled its office is beside an average one (1)."""

    pursued: Bools
    propensity: Floats
    became_case: Bools
    skill: Floats
    outcomes: pd.DataFrame


def play_history(
    world: World,
    found: Findings,
    clue_ids: list[str],
    months: int,
    draw: np.random.Generator,
    seed: int,
) -> History:
    """Outcomes as the case system would report them until the end of the last month.

    What comes of a clue is drawn by verdict.py, as it is for any other policy of the same seed.
    """
    drawn = lots(seed, clue_ids)
    skill = np.array([world.skill[office] for office in found.office])
    # Average skill in the truth: how likely a case is where a middling office looks.
    skill = skill / skill.mean()
    ordinary = np.zeros(len(skill))
    chance = chance_at(found.probability, skill, ordinary, ordinary)
    became = drawn[:, CASE] < chance
    propensity = _propensity(world, found, draw)
    pursued = drawn[:, PURSUED] < propensity
    moment = np.array(found.moment, "datetime64[s]")
    wait = 3 + (drawn[:, WAIT] * (LONGEST_WAIT_DAYS - 3)).astype(np.int64)
    told = outcomes_of(
        np.array(clue_ids, object)[pursued],
        became[pursued],
        (moment + wait.astype("timedelta64[D]"))[pursued],
        drawn[pursued],
    )
    end = np.datetime64(add_months(datetime.combine(START, datetime.min.time()), months))
    told = told[told["reported_at"] < end].reset_index(drop=True)
    return History(pursued, propensity, became, skill, told)


def _propensity(world: World, found: Findings, draw: np.random.Generator) -> Floats:
    severity = np.array([each.severity for each in KINDS])[found.kind]
    whim = np.array([world.whim[office] for office in found.office])
    early = 1 / (1 + np.exp(-(0.5 * (severity - 3) + whim + 0.5)))
    rough = np.log(found.probability / (1 - found.probability)) + draw.normal(0, 2.0, len(whim))
    late = np.empty(len(whim))
    for month in np.unique(found.month):
        rows = np.flatnonzero(found.month == month)
        place = np.argsort(np.argsort(-rough[rows])) / len(rows)
        late[rows] = np.where(place < PURSUED_SHARE - LOT_SHARE, 0.97, LOT_SHARE * 2)
    return np.asarray(np.where(found.month < SETTLED_MONTH, early, late), np.float64)
