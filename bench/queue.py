"""A million clues that wait: pages of the queue at 16 clients, and one office ranked again.

`queue.million.page_p95`: the 95th percentile of seconds a page takes in 16 threads that ask for
counties, cities and the province in turns, first and later pages; peer: the same county ranked anew
for each look, by one client alone. `queue.million.office`: one office of about 8,000 clues ranked
and kept again after a change in it; peer: all offices.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from base.settings import available_cores
from bench.measure import Comparison, median_seconds
from dispatch.kept_queue import freshen
from dispatch.offices import load_offices
from dispatch.queue_reading import read_page
from dispatch.week import Ways, office_week
from governance.jurisdiction import BUNDLED
from scoring.ledger import clue_states, open_ledger, queue_offices

CLUES, CLIENTS, LOOKS, ROWS = 1_000_000, 16, 40, 20_000
NOW = datetime(2026, 1, 6, 9)
MODELS = ("benefit_after_death", "fine_not_enforced", "serial_plaintiff")


def million() -> Iterator[Comparison]:
    """On SQLite, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        ways = Ways(load_offices(BUNDLED / "anhui" / "offices.yaml"))
        counties = [o.office_id for o in ways.offices.offices if o.level == "county"]
        _fill(ledger, counties)
        started = time.perf_counter()
        freshen(ledger, ways, None, NOW)
        whole = time.perf_counter() - started
        print(f"ranked and kept in {whole:.1f} s", file=sys.stderr)
        seconds = _looks(ledger, ways, counties)
        anew = median_seconds(lambda: _anew(ledger, ways, counties[0]), 5)
        yield _comparison("queue.million.page_p95", float(np.quantile(seconds, 0.95)), anew, LOOKS)
        one = median_seconds(lambda: _again(ledger, ways, counties[0]), 5)
        yield _comparison("queue.million.office", one, whole, 5)
        ledger.dispose()


def _fill(ledger: sa.Engine, counties: list[str]) -> None:
    draw = np.random.default_rng(7)
    margin = draw.normal(-2.5, 1.3, CLUES)
    office, model = draw.integers(0, len(counties), CLUES), draw.integers(0, 3, CLUES)
    with ledger.begin() as connection:
        for start in range(0, CLUES, ROWS):
            rows = [
                {
                    "clue_id": f"{at:016x}",
                    "office_id": counties[office[at]],
                    "supervision_model": MODELS[model[at]],
                    "raised_at": NOW - timedelta(days=30),
                    "state": "scored",
                    "open": True,
                    "version": 1,
                    "since": NOW,
                    "margin": float(margin[at]),
                    "probability": float(1 / (1 + np.exp(-margin[at]))),
                }
                for at in range(start, start + ROWS)
            ]
            connection.execute(sa.insert(clue_states), rows)


def _looks(ledger: sa.Engine, ways: Ways, counties: list[str]) -> list[float]:
    """Seconds of every page that 16 clients read, each a check that the ranking is true and two
    pages one after the other."""

    def client(number: int) -> list[float]:
        draw, seconds = np.random.default_rng(number), []
        for look in range(LOOKS):
            county = counties[int(draw.integers(len(counties)))]
            seen = (ways.offices.subtree([county, county[:4], "AH"][look % 3]), None)[look % 6 == 5]
            cursor = None
            for _ in range(2):
                started = time.perf_counter()
                freshen(ledger, ways, seen, NOW)
                cursor = read_page(ledger, seen, 50, cursor).next_cursor
                seconds.append(time.perf_counter() - started)
        return seconds

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [each for part in pool.map(client, range(CLIENTS)) for each in part]


def _anew(ledger: sa.Engine, ways: Ways, county: str) -> None:
    with ledger.connect() as connection:
        office_week(connection, ways, county, NOW)


def _again(ledger: sa.Engine, ways: Ways, county: str) -> None:
    with ledger.begin() as connection:
        stale = sa.update(queue_offices).where(queue_offices.c.office_id == county)
        connection.execute(stale.values(stale=True))
    assert freshen(ledger, ways, [county], NOW) == 1


def _comparison(name: str, ours: float, peer: float, runs: int) -> Comparison:
    return Comparison(
        name, round(ours, 4), round(peer, 4), round(peer / ours, 3), "s", runs, os.getloadavg()[0],
        available_cores(),
    )  # fmt: skip
