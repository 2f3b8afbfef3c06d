"""A client that changes a ledger until it is killed: each acknowledgement is a line on stdout.

python killed_writer.py HOME URL FIRST ROUND
"""

from __future__ import annotations

from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from base.moment import FixedClock
from clues.register import read_clues
from dispatch.outcome import admit_outcomes, settle_source
from dispatch.standing import mark_scored, register
from dispatch.transition import move
from governance.home import Home
from governance.source import from_table
from scoring.idempotency import Asked, once
from scoring.ledger import GivenScore, keep_scores, open_ledger, writing

DAY = datetime(2026, 1, 5, 9)
CLOCK = FixedClock(DAY)


def give_clue(ledger: sa.Engine, clue: str) -> None:
    """A clue with its score, as POST /v1/clues keeps them, under a key."""

    def work(connection: sa.Connection) -> dict[str, str]:
        row = {"clue_id": clue, "office_id": "A", "supervision_model": "m", "raised_at": DAY}
        register(connection, pa.Table.from_pylist([row]), at=DAY)
        score = GivenScore(
            clue, "A", DAY, "d" * 64, "f" * 64, {}, 0.5, 0.6, -2.0, [1.5], np.array([2.5]), [], DAY
        )
        keep_scores(connection, [score], by="key1")
        mark_scored(connection, [clue], at=DAY)
        return {"clue_id": clue}

    once(ledger, Asked.of("key1", f"new {clue}", clue), CLOCK, work)


def triage(ledger: sa.Engine, clue: str) -> None:
    move(
        ledger, clue, "triaged", by="key1", role="dispatcher", offices=None, expects="scored",
        clock=CLOCK, idempotency_key=f"triage {clue}",
    )  # fmt: skip


def report(home: Home, ledger: sa.Engine, number: int) -> str:
    """An outcome of a clue of the home: record first, then the ledger."""
    clues = read_clues(home)
    clue = str(clues["clue_id"][number % clues.num_rows].as_py())
    day = f"2024-{8 + number // 28 % 4:02}-{1 + number % 28:02}"
    table = pa.table(
        {"clue_id": [clue], "status": ["unfounded"], "decided_at": [day], "reported_at": [day]}
    )
    source = from_table("outcomes", table)
    admit_outcomes(home, source, clues, CLOCK)
    with writing(ledger) as connection:
        settle_source(connection, home, source, CLOCK, by="key1")
    return f"{clue} {day}"


def write_on(home: Path, url: str, first: int, told: Connection) -> None:
    """Clue after clue, from number `first` on, until killed."""
    ledger, opened, number = open_ledger(url), Home.open(home), first
    while True:
        clue = f"c{number}"
        give_clue(ledger, clue)
        told.send_bytes(f"clue {clue}".encode())
        triage(ledger, clue)
        told.send_bytes(f"triaged {clue}".encode())
        if number % 2 == 0:
            told.send_bytes(f"outcome {report(opened, ledger, number)}".encode())
        number += 1
