"""What would come of a clue if it were dispatched: drawn once per clue, alike in every arm.

So two arms that dispatch the same clue on the same day hear the same word on the same day, and a
difference between arms is one of their orders alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.province.verdict import CORRECTED_SHARE, MEDIAN_DAYS, SPREAD
from experiments.replay.truth import Truth

Ints = npt.NDArray[np.int64]
COLUMNS = ("clue_id", "status", "decided_at", "reported_at")
LEAST_DAYS, MOST_DAYS = 2, 230


@dataclass(frozen=True)
class Verdicts:
    """Parallel to the clues, all (n,): days until decided, days until reported after that, the
    status, and days until it is corrected (0: never)."""

    clue_id: list[str]
    case: npt.NDArray[np.bool_]
    takes: Ints
    reports: Ints
    other: npt.NDArray[np.object_]
    corrected: Ints

    def rows(self, places: Sequence[int], dispatched_at: datetime) -> list[tuple[object, ...]]:
        """The rows that the case system will send of clues dispatched at a moment; some twice."""
        told: list[tuple[object, ...]] = []
        for at in places:
            decided = dispatched_at + timedelta(days=int(self.takes[at]), hours=9)
            reported = decided + timedelta(days=int(self.reports[at]), hours=2)
            status = "case_filed" if self.case[at] else str(self.other[at])
            if not self.corrected[at]:
                told.append((self.clue_id[at], status, decided, reported))
                continue
            # The truth is what the correction says; at first it was told the other way round.
            again = timedelta(days=int(self.corrected[at]))
            first = "unfounded" if self.case[at] else "case_filed"
            last = "case_filed" if self.case[at] else "case_withdrawn"
            told.append((self.clue_id[at], first, decided, reported))
            told.append((self.clue_id[at], last, decided + again, reported + again))
        return told


def draw_verdicts(clue_ids: Sequence[str], truth: Truth, seed: int) -> Verdicts:
    """Draw them for every clue, whether it will be dispatched or not."""
    draw, count = np.random.default_rng([seed, 2]), len(clue_ids)
    takes = np.exp(draw.normal(np.log(MEDIAN_DAYS), SPREAD, count)).clip(LEAST_DAYS, MOST_DAYS)
    return Verdicts(
        list(clue_ids),
        truth.case,
        takes.astype(np.int64),
        draw.integers(0, 12, count),
        draw.choice(np.array(["unfounded", "transferred"], object), count, p=[0.9, 0.1]),
        np.where(draw.random(count) < CORRECTED_SHARE, draw.integers(30, 150, count), 0),
    )


def as_frame(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    """Rows as the case system's file has them."""
    return pd.DataFrame(rows, columns=list(COLUMNS))
