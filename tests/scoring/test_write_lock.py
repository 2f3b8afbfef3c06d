"""SQLite's write lock: who waits for it comes next, for as long as the bound, and no longer."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from scoring.ledger import opening
from scoring.ledger.opening import BUSY_SECONDS, make_engine, writing


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = make_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE counts (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO counts VALUES (0)")
    yield engine
    engine.dispose()


def add_one(ledger: sa.Engine) -> None:
    """Read, then write what was read and one: two at a time would lose one."""
    with writing(ledger) as connection:
        found = connection.exec_driver_sql("SELECT n FROM counts").scalar_one()
        connection.exec_driver_sql("UPDATE counts SET n = ?", (found + 1,))


def test_many_writers_come_one_after_the_other(ledger: sa.Engine) -> None:
    def job() -> None:
        for _ in range(40):
            add_one(ledger)

    writers = [threading.Thread(target=job) for _ in range(8)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    with ledger.connect() as connection:
        assert connection.exec_driver_sql("SELECT n FROM counts").scalar_one() == 8 * 40


def test_who_waits_longer_than_the_bound_is_told_so(
    ledger: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And can write once the other has ended; a statement after it waits as long as ever."""
    monkeypatch.setattr(opening, "BUSY_SECONDS", 0.05)
    with writing(ledger), pytest.raises(sa.exc.OperationalError, match="locked"):
        add_one(ledger)
    with writing(ledger) as connection:
        told = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    assert told == BUSY_SECONDS * 1_000
    add_one(ledger)


def test_another_fault_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a lock is worth waiting for."""
    path = tmp_path / "no_database"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    slept: list[float] = []
    monkeypatch.setattr(opening, "sleep", slept.append)
    engine = sa.create_engine(f"sqlite:///{path}")
    sa.event.listen(engine, "begin", opening._begin_sqlite)
    with pytest.raises((sa.exc.DatabaseError, sqlite3.DatabaseError)), writing(engine):
        pass
    assert not slept
