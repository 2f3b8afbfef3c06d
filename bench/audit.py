"""The audit verified: a chain of a million rows, beside the goal of 30 seconds."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from base.settings import available_cores
from bench.measure import Comparison
from scoring.audit import verify
from scoring.ledger import open_ledger, writing
from scoring.ledger.chain import Entry, append

ROWS, AT_ONCE, RUNS = 1_000_000, 10_000, 3
GOAL_SECONDS = 30.0
BEGAN = datetime(2024, 1, 1)


def comparisons() -> Iterator[Comparison]:
    """audit.verify.million: seconds, and of those the processor's, the best of three runs."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        for first in range(0, ROWS, AT_ONCE):
            with writing(ledger) as connection:
                append(connection, [_entry(at) for at in range(first, first + AT_ONCE)])
        wall, processor = [], []
        for _ in range(RUNS):
            began, used = time.perf_counter(), time.process_time()
            verdict = verify(ledger)
            wall.append(time.perf_counter() - began)
            processor.append(time.process_time() - used)
            assert verdict.ok
            assert verdict.rows == ROWS
    yield _told("audit.verify.million", min(wall))
    yield _told("audit.verify.million.processor", min(processor))


def _entry(at: int) -> Entry:
    """What a score told over HTTP leaves."""
    body = {"batch": f"{at:032x}", "scores": 1, "scorers": ["a" * 64], "digest": f"{at:064x}"}
    return Entry("scores", "service", f"clue-{at}", body, BEGAN + timedelta(seconds=at))


def _told(name: str, seconds: float) -> Comparison:
    ratio = GOAL_SECONDS / seconds
    load, cores = os.getloadavg()[0], available_cores()
    return Comparison(
        name, round(seconds, 2), GOAL_SECONDS, round(ratio, 2), "s", RUNS, load, cores
    )
