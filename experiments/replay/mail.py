"""What the case system has sent and what is still on its way to an arm."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pandas as pd

from base.moment import FixedClock
from dispatch.outcome import take_outcomes
from experiments.replay.verdicts import COLUMNS
from governance.home import Home


class Mail:
    """Outcomes by the time they are reported. Nothing leaves before it."""

    def __init__(self, waiting: pd.DataFrame) -> None:
        self._waiting = waiting[list(COLUMNS)]

    def post(self, rows: pd.DataFrame) -> None:
        """More outcomes, each reported at its own time."""
        if len(rows):
            self._waiting = pd.concat([self._waiting, rows], ignore_index=True)

    def delivered(self, moment: datetime) -> pd.DataFrame:
        """Take out what was reported before `moment`, the oldest first."""
        due = self._waiting["reported_at"] < moment
        arrived = self._waiting[due].sort_values(["reported_at", "clue_id"], kind="stable")
        self._waiting = self._waiting[~due]
        return arrived

    def deliver(self, home: Home, moment: datetime) -> int:
        """Admit what was reported before `moment` into an arm's home; returns how many rows."""
        arrived = self.delivered(moment)
        if arrived.empty:
            return 0
        file = _written(arrived, home.path / "mail" / f"{moment:%Y-%m-%d}.csv")
        return int(take_outcomes(home, file, FixedClock(moment))["accepted"])


def _written(rows: pd.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(path, index=False, date_format="%Y-%m-%dT%H:%M:%S")
    return path
