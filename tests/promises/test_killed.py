"""P-1, P-2: what was acknowledged survives kill -9, and a retry doubles nothing.

A child writes clues, moves and outcomes and prints each acknowledgement; it is killed at a drawn
moment. CLUES_TEST_KILLS sets how often, on each database.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import hamlet
import killed_writer
import pytest
import sqlalchemy as sa
from ledgers import new_url

from base.moment import FixedClock
from dispatch.exchange.outbox import subscribe
from governance.home import Home
from scoring.audit import verify
from scoring.ledger import open_ledger
from scoring.ledger.tables import clue_events, clue_states, outbox, scores_given

KILLS = int(os.environ.get("CLUES_TEST_KILLS", "30"))
WRITERS = 5


def killed(home: Home, url: str, firsts: list[int], draw: random.Random) -> list[str]:
    """What writers acknowledged that were killed at a drawn moment after one to four words."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killed_writer"])
    children, ends = [], []
    for first in firsts:
        end, given = context.Pipe(duplex=False)
        child = context.Process(
            target=killed_writer.write_on, args=(home.path, url, first, given), daemon=True
        )
        child.start()
        given.close()
        children.append(child)
        ends.append(end)
    told = [end.recv_bytes().decode() for end in ends for _ in range(draw.randint(1, 4))]
    time.sleep(draw.uniform(0, 0.1))
    for child in children:
        child.kill()
    for child, end in zip(children, ends, strict=True):
        child.join(30)
        assert child.exitcode == -signal.SIGKILL
        told += rest_of(end)
    return told


def rest_of(end: Connection) -> list[str]:
    """What was sent before the end; a word that was cut off was not acknowledged."""
    told = []
    while True:
        try:
            told.append(end.recv_bytes().decode())
        except EOFError:
            return told


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_what_was_acknowledged_survives_and_a_retry_doubles_nothing(
    database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Several writers at once, all killed; every acknowledged thing is there once, also retried."""
    home = hamlet.settled_hamlet(tmp_path, FixedClock(killed_writer.DAY), persons=8)
    server = request.getfixturevalue("postgres") if database == "postgres" else ""
    url = new_url(database, tmp_path, server)
    ledger, draw, told = open_ledger(url), random.Random(1), []
    subscribe(ledger, {"cases": ["clue.triaged"]}, FixedClock(killed_writer.DAY))
    for kill in range(KILLS // WRITERS):
        firsts = [(kill * WRITERS + writer) * 100_003 for writer in range(WRITERS)]
        told += killed(home, url, firsts, draw)
        assert verify(ledger).ok
    clues = {line.split()[1] for line in told if line.startswith("clue ")}
    moved = {line.split()[1] for line in told if line.startswith("triaged ")}
    words = [line.split()[1:] for line in told if line.startswith("outcome ")]
    assert len(clues) >= KILLS // WRITERS * WRITERS
    assert len(moved) > KILLS / 2
    assert words
    for clue in sorted(clues)[:50]:
        killed_writer.give_clue(ledger, clue)
    for clue in sorted(moved)[:50]:
        killed_writer.triage(ledger, clue)
    require_kept_once(ledger, clues, moved, words)


def require_kept_once(
    ledger: sa.Engine, clues: set[str], moved: set[str], words: list[list[str]]
) -> None:
    """Each clue one score and one state, each move one event and one message to others, each
    outcome one event."""
    with ledger.connect() as connection:
        stand = sa.select(clue_states.c.clue_id, clue_states.c.state)
        states = {row.clue_id: row.state for row in connection.execute(stand)}
        scored = connection.execute(sa.select(scores_given.c.clue_id)).scalars().all()
        posted = connection.execute(sa.select(outbox.c.clue_id)).scalars().all()
        events = connection.execute(
            sa.select(
                clue_events.c.clue_id,
                clue_events.c.to_state,
                sa.func.date(clue_events.c.decided_at),
            )
        ).all()
    assert clues <= set(states)
    assert len(scored) == len(set(scored))
    assert clues <= set(scored)
    assert {clue for clue, state in states.items() if state == "triaged"} >= moved
    assert sorted(posted) == sorted(clue for clue, to, _ in events if to == "triaged")
    kept = [(clue, to, str(day)) for clue, to, day in events]
    assert len(kept) == len(set(kept))
    assert {(clue, "unfounded", day) for clue, day in words} <= set(kept)
    assert verify(ledger, deep=True).ok
