"""One comparison: ours and the peer's in turns, medians, the ratio, and what the machine did."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from base.settings import available_cores


@dataclass(frozen=True)
class Comparison:
    """`ratio` > 1: we are ahead. `load` is the machine's one-minute load when it ended."""

    name: str
    ours: float
    peer: float
    ratio: float
    unit: str
    runs: int
    load: float
    cores: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    name: str, ours: Callable[[], object], peer: Callable[[], object], *, runs: int = 5
) -> Comparison:
    """Seconds of `ours` and `peer`, run in turns after one of each to warm up."""
    ours(), peer()
    mine, theirs = [], []
    for _ in range(runs):
        mine.append(_seconds(ours))
        theirs.append(_seconds(peer))
    a, b = statistics.median(mine), statistics.median(theirs)
    return Comparison(
        name, round(a, 5), round(b, 5), round(b / a, 3), "s", runs, os.getloadavg()[0],
        available_cores(),
    )  # fmt: skip


def median_seconds(job: Callable[[], object], runs: int, *, warm: bool = True) -> float:
    """Median seconds of `runs` runs, by default after one to warm up."""
    if warm:
        job()
    return round(statistics.median(_seconds(job) for _ in range(runs)), 4)


def _seconds(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started
