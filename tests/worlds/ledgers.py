"""Ledgers for tests: a new one on either database, and clues that stand in it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from dispatch.standing import mark_scored, register
from dispatch.transition import move
from scoring.ledger import metadata, open_ledger, writing
from scoring.ledger.chain import GENESIS
from scoring.ledger.tables import audit_head

DAY = datetime(2026, 1, 5, 9)
WAY = {
    "triaged": "dispatcher",
    "dispatched": "dispatcher",
    "accepted": "reviewer",
    "verifying": "reviewer",
}
_numbers = itertools.count()


class Ticking:
    """A clock that moves on by a second each time it is looked at."""

    def __init__(self, moment: datetime = DAY) -> None:
        self.seconds = itertools.count()
        self.moment = moment

    def now(self) -> datetime:
        from datetime import timedelta

        return self.moment + timedelta(seconds=next(self.seconds))


def new_url(database: str, folder: Path, postgres: str) -> str:
    """The URL of a ledger that is not there yet. `postgres`: any database of the server."""
    if database == "sqlite":
        return f"sqlite:///{folder / 'ledger.db'}"
    name = f"ledger_{next(_numbers)}_{abs(hash(str(folder))) % 10**8}"
    server = sa.create_engine(postgres, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    return str(sa.make_url(postgres).set(database=name).render_as_string(False))


def new_ledger(database: str, folder: Path, postgres: str) -> sa.Engine:
    """An empty ledger. On PostgreSQL the same one, emptied: a database is slow to make and end."""
    if database == "sqlite":
        return open_ledger(new_url(database, folder, postgres))
    engine = open_ledger(postgres)
    names = ", ".join(table.name for table in metadata.sorted_tables)
    with engine.begin() as connection:
        connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
        connection.execute(sa.insert(audit_head), {"head_id": 1, "seq": 0, "digest": GENESIS})
    return engine


def stand(ledger: sa.Engine, clue_ids: Sequence[str], office: str = "A") -> None:
    """Let clues stand as scored."""
    rows = [
        {"clue_id": each, "office_id": office, "supervision_model": "m", "raised_at": DAY}
        for each in clue_ids
    ]
    with writing(ledger) as connection:
        register(connection, pa.Table.from_pylist(rows), at=DAY)
        mark_scored(connection, clue_ids, at=DAY)


def walk(ledger: sa.Engine, clue_id: str, until: str, **others: Any) -> dict[str, Any]:
    """Move a scored clue along the usual way."""
    clock, told = Ticking(), {}
    for to, role in WAY.items():
        told = move(
            ledger, clue_id, to, by=f"key-{role}", role=role, offices=None, expects=None,
            clock=clock, **others,
        )  # fmt: skip
        if to == until:
            break
    return told
