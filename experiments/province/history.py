"""What the offices did: which clues they took up, what they decided, when it was reported.

Labels are selective: months 1-24 by severity and whim, later by a rough ranking with a share by
lot. What nobody looked at is known only to the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from base.moment import add_months
from experiments.province.findings import KINDS, Bools, Findings
from experiments.province.world import START, Floats, World

SETTLED_MONTH = 24
PURSUED_SHARE, LOT_SHARE = 0.6, 0.1
MEDIAN_DAYS, SPREAD = 45.0, 0.9
CORRECTED_SHARE = 0.02


@dataclass(frozen=True)
class History:
    """Per finding: taken up, its propensity, became a case (also where nobody looked)."""

    pursued: Bools
    propensity: Floats
    became_case: Bools
    outcomes: pd.DataFrame


def play_history(
    world: World, found: Findings, clue_ids: list[str], months: int, draw: np.random.Generator
) -> History:
    """Outcomes as the case system would report them until the end of the last month."""
    skill = np.array([world.skill[office] for office in found.office])
    # Average skill in the truth: how likely a case is where a middling office looks.
    became = draw.random(len(skill)) < found.probability * skill / np.mean(skill)
    propensity = _propensity(world, found, draw)
    pursued = draw.random(len(skill)) < propensity
    outcomes = _outcomes(found, clue_ids, became, pursued, months, draw)
    return History(pursued, propensity, became, outcomes)


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


def _outcomes(
    found: Findings,
    clue_ids: list[str],
    became: Bools,
    pursued: Bools,
    months: int,
    draw: np.random.Generator,
) -> pd.DataFrame:
    end = add_months(datetime.combine(START, datetime.min.time()), months)
    rows = np.flatnonzero(pursued)
    waits = draw.integers(3, 40, len(rows))
    takes = np.exp(draw.normal(np.log(MEDIAN_DAYS), SPREAD, len(rows))).clip(2, 230).astype(int)
    reports = draw.integers(0, 12, len(rows))
    other = draw.choice(["unfounded", "transferred", "returned"], len(rows), p=[0.86, 0.09, 0.05])
    corrected = draw.random(len(rows)) < CORRECTED_SHARE
    later = draw.integers(30, 150, len(rows))
    told = []
    for at, row in enumerate(rows):
        decided = found.moment[row] + timedelta(days=int(waits[at] + takes[at]), hours=9)
        reported = decided + timedelta(days=int(reports[at]), hours=2)
        status = "case_filed" if became[row] else str(other[at])
        if corrected[at]:
            # The truth is what the correction says; at first it was told the other way round.
            first = "unfounded" if became[row] else "case_filed"
            told.append((clue_ids[row], first, decided, reported))
            again = timedelta(days=int(later[at]))
            last = "case_filed" if became[row] else "case_withdrawn"
            told.append((clue_ids[row], last, decided + again, reported + again))
        else:
            told.append((clue_ids[row], status, decided, reported))
    frame = pd.DataFrame(told, columns=["clue_id", "status", "decided_at", "reported_at"])
    frame = frame[frame["reported_at"] < end]
    return frame.sort_values("reported_at", kind="stable", ignore_index=True)
