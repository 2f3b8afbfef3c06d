"""P-1 beyond the house: worker and receiver killed (kill -9), receiver slow and failing: nothing is
lost, and after doubles are left aside by their id nothing is twice, each clue in its order.

CLUES_TEST_KILLS sets how often.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hamlet
import pytest
import receiving
import sqlalchemy as sa
from ledgers import WAY, new_url, stand

from base.moment import WallClock
from dispatch.exchange.outbox import counts
from dispatch.exchange.worker import deliver_once
from dispatch.transition import move
from experiments.case_system.server import Manners
from experiments.case_system.store import Store
from governance.home import Home
from governance.jurisdiction import load_jurisdiction
from scoring.ledger import open_ledger, outbox

KILLS = int(os.environ.get("CLUES_TEST_KILLS", "30"))
CLUES, ROUNDS = 24, max(4, KILLS // 5)
MANNERS = Manners(slow_seconds=0.005, faults=0.1, lost_answers=0.1)
CONTEXT = multiprocessing.get_context("forkserver")


class Killed:
    """A process that is started again whenever it was killed."""

    def __init__(self, target: Callable[..., None], *args: Any) -> None:
        self.target, self.args, self.kills = target, args, 0
        self.start()

    def start(self) -> None:
        self.process = CONTEXT.Process(target=self.target, args=self.args, daemon=True)
        self.process.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.join(30)
        assert self.process.exitcode == -signal.SIGKILL
        self.kills += 1


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_killed_worker_and_a_killed_slow_receiver_lose_nothing_and_double_nothing(
    database: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clues move on while both are killed again and again; then everything was taken once."""
    server = request.getfixturevalue("postgres") if database == "postgres" else ""
    url = new_url(database, tmp_path, server)
    monkeypatch.setenv("CLUES_LEDGER_URL", url)
    CONTEXT.set_forkserver_preload(["receiving"])
    home = Home.create(tmp_path / "home", load_jurisdiction(hamlet.write_hamlet(tmp_path / "h")))
    port, ledger, draw = free_port(), open_ledger(url), random.Random(1)
    key = receiving.declare(
        home, port, first_retry_seconds=0.05, longest_retry_seconds=0.2, seconds=5
    )
    clock = WallClock(home.jurisdiction.timezone)
    clues = [f"c{at}" for at in range(CLUES)]
    stand(ledger, clues)
    deliver_once(home, clock)  # subscribed from now on
    worker = Killed(receiving.run_worker, home.path, url)
    receiver = Killed(receiving.run_receiver, tmp_path / "cases", key, port, MANNERS)
    steps = [(clue, to, role) for to, role in WAY.items() for clue in clues]
    for at in range(ROUNDS):
        for clue, to, role in steps[at * len(steps) // ROUNDS : (at + 1) * len(steps) // ROUNDS]:
            move(
                ledger, clue, to, by="k", role=role, offices=None, expects=None, clock=clock
            )  # fmt: skip
        time.sleep(draw.uniform(0.1, 0.5))
        for each in draw.sample([worker, receiver], draw.randint(1, 2)):
            each.kill()
            each.start()
    require_all_taken(ledger, clock)
    worker.kill()
    receiver.kill()
    assert worker.kills > 1
    assert receiver.kills > 1
    require_once_and_in_order(ledger, Store(tmp_path / "cases"))


def require_all_taken(ledger: sa.Engine, clock: WallClock) -> None:
    """The last worker comes to the end of it by itself."""
    until = time.monotonic() + 120
    while (told := counts(ledger, clock.now())["cases"])["waiting"]:
        assert time.monotonic() < until, told
        time.sleep(0.1)
    assert told["delivered"] == CLUES * (len(WAY) - 1)
    assert told["dead"] == 0


def require_once_and_in_order(ledger: sa.Engine, store: Store) -> None:
    """What was taken is what was queued, each id once, each clue by its versions."""
    kept = store.messages()
    with ledger.connect() as connection:
        queued = connection.execute(sa.select(outbox.c.message_id)).scalars().all()
    assert Counter(row["message_id"] for row in kept) == Counter(queued)
    by_clue: dict[str, list[str]] = defaultdict(list)
    for row in kept:
        by_clue[row["clue_id"]].append(row["sequence"])
    assert all(told == [f"{version:010d}" for version in (3, 4, 5)] for told in by_clue.values())
    assert {row["state"] for row in store.export()} == {"verifying"}
    assert sum(row["doubles"] for row in kept) > 0
