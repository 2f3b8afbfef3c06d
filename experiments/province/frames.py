"""What every record set shares: frames with `planned`, numbers in order of time, days, lots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from experiments.province.findings import Findings
from experiments.province.world import DAY, FIRST_DAY, Days, Ints, Texts, World


@dataclass(frozen=True)
class Setting:
    """Whose records are made: a block's world, its findings, and everybody else.

    `others`: people no finding is about, in a drawn order; `span`: days of the history. `plenty`:
    how many times the ordinary number of harmless records there are.
    """

    world: World
    found: Findings
    others: Ints
    span: int
    plenty: float
    draw: np.random.Generator

    def some(self, share: float, skip: float = 0.0) -> Ints:
        """A share of the others, after the share `skip`; always the same ones."""
        count = len(self.others)
        return self.others[int(skip * count) : int((skip + share) * count)]

    def persons(self, rows: Ints) -> Texts:
        """Identity numbers of the persons of findings."""
        return self.world.person_id[self.found.person[rows]]

    def bodies(self, kind: str, rows: Ints) -> Texts:
        """The bodies behind findings."""
        return self.world.institutions.bodies[kind][self.found.body[rows]]

    def any_body(self, kind: str, count: int) -> Texts:
        """Bodies drawn by lot."""
        return self.draw.choice(self.world.institutions.bodies[kind], count)

    def days(self, count: int, least_left: int = 1) -> Days:
        """Random days of the span, with `least_left` days after them."""
        return FIRST_DAY + self.draw.integers(0, max(1, self.span - least_left), count) * DAY

    def matched(self, rows: Ints) -> Texts:
        """How the sender found the person of each finding: by id or by name."""
        return np.where(self.found.by_name[rows], "name", "id").astype(object)

    def mostly_by_id(self, count: int) -> Texts:
        """How the sender found anybody else."""
        return np.where(self.draw.random(count) < 0.1, "name", "id").astype(object)


def frame(planned: bool, **columns: Any) -> pd.DataFrame:
    """A table; `planned` tells whether findings need its rows."""
    return pd.DataFrame({**columns, "planned": planned})


def numbered(
    setting: Setting, name: str, prefix: str, parts: list[pd.DataFrame], by: str
) -> pd.DataFrame:
    """Parts together in the order of `by`, numbered in that order, no two blocks alike."""
    whole = pd.concat(parts, ignore_index=True).sort_values(by, kind="stable", ignore_index=True)
    block = f"{prefix}{setting.world.block:03d}"
    whole.insert(0, name, [f"{block}{number:07d}" for number in range(1, len(whole) + 1)])
    return whole


def repeated(rows: Ints, times: Ints) -> tuple[Ints, Ints]:
    """Each row as often as told, and which of its repetitions (from 0) each is."""
    ends = np.cumsum(times)
    step = np.arange(int(times.sum())) - np.repeat(ends - times, times)
    return np.repeat(rows, times), step


def evenly(first: Days, last: Days, step: Ints, times: Ints) -> Days:
    """Day `step` of `times` (from 0) evenly spread from `first` to `last`. All parallel."""
    whole = (last - first) / DAY
    return np.asarray(first + np.round(whole * step / np.maximum(1, times - 1)).astype(int) * DAY)
