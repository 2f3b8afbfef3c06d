"""What every record set shares: frames with `planned`, numbers in order of time, days."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from experiments.province.findings import Findings
from experiments.province.world import START, Ints, World

DAY = np.timedelta64(1, "D")
OLD_DAYS = 1200


def draw_days(count: int, span: int, draw: np.random.Generator) -> np.ndarray:
    """Random days of the span."""
    return np.datetime64(START) + draw.integers(0, span, count) * DAY


def body_of(world: World, found: Findings, kind: str, rows: Ints) -> np.ndarray:
    """The body behind each finding."""
    return world.bodies[kind][found.body[rows]]


def match_words(found: Findings, rows: Ints) -> np.ndarray:
    """How the sender found the person: by id or by name."""
    return np.where(found.by_name[rows], "name", "id").astype(object)


def frame(planned: bool, **columns: Any) -> pd.DataFrame:
    """A table; `planned` tells whether findings need its rows."""
    return pd.DataFrame({**columns, "planned": planned})


def numbered(name: str, prefix: str, parts: list[pd.DataFrame], by: str) -> pd.DataFrame:
    """Parts together in the order of `by`, numbered in that order."""
    whole = pd.concat(parts, ignore_index=True).sort_values(by, kind="stable", ignore_index=True)
    whole.insert(0, name, [f"{prefix}{number:08d}" for number in range(1, len(whole) + 1)])
    return whole
