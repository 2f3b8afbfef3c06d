"""What comes of dispatched clues, by the simulator's own verdict: alike in every arm.

Two arms that dispatch the same clue on the same day hear the same word on the same day, so that a
difference between arms is one of their orders alone. Offices work within their hands: load 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from experiments.province.verdict import what_would_come
from experiments.replay.truth import Truth

COLUMNS = ("clue_id", "status", "decided_at", "reported_at")
WITHIN_HANDS = 1.0


@dataclass(frozen=True)
class Verdicts:
    """`seed`: that of the simulated province, whose luck is the same for every order."""

    truth: Truth
    seed: int

    @property
    def clue_id(self) -> list[str]:
        return [str(each) for each in self.truth.frame["clue_id"]]

    def of(self, places: Sequence[int], dispatched_at: datetime) -> pd.DataFrame:
        """The rows that the case system will send of the clues at `places`; some twice."""
        if not places:
            return as_frame([])
        rows = self.truth.frame.iloc[list(places)]
        ids = rows["clue_id"].to_numpy(object)
        return what_would_come(rows, ids, dispatched_at, WITHIN_HANDS, self.seed)[list(COLUMNS)]


def cases_in(rows: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Ids of the clues that are cases by the last word on each."""
    last = rows.drop_duplicates("clue_id", keep="last")
    return np.asarray(last.loc[last["status"] == "case_filed", "clue_id"].to_numpy(object))


def as_frame(rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    """Rows as the case system's file has them."""
    return pd.DataFrame(rows, columns=list(COLUMNS))
