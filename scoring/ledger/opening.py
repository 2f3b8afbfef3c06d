"""Open a ledger so that what it acknowledges stays: SQLite, or PostgreSQL by its URL (P-1).

SQLite runs in WAL with synchronous=FULL. A PostgreSQL session that would acknowledge before its
log is on disk is refused; those that are not keep their setting, whatever the server is told later.
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import orjson
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from base.errors import NotReady

CONNECTIONS = 15
MIGRATION_LOCK = 7_306_001  # any number, the same in every process
MIGRATIONS = Path(__file__).parent.parent / "migrations"
WRITES = "clues_writes"
BUSY_SECONDS = 30
BUSY = f"PRAGMA busy_timeout={BUSY_SECONDS * 1_000}"
# SQLite's own way to wait for the write lock sleeps 1 ms first and 100 ms in the end: of several
# workers some sleep long after it is free. Asked for so often it is found free soon.
ASKS_AGAIN_SECONDS = 0.0005


@lru_cache(maxsize=8)
def open_ledger(url: str) -> sa.Engine:
    """Open a ledger, bringing its tables to the newest migration.

    Raises NotReady where PostgreSQL has synchronous_commit off, for whatever reason.
    """
    engine = make_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with _alone(engine), engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return engine


def make_engine(url: str) -> sa.Engine:
    """An engine with durable sessions; no table is made or looked at."""
    if url.startswith("sqlite:///"):
        Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    # As many connections as there ever are, each kept: one that is opened anew for a page costs
    # more than the page.
    engine = sa.create_engine(
        url, json_serializer=_json, json_deserializer=orjson.loads,
        pool_size=CONNECTIONS, max_overflow=0, pool_use_lifo=True,
    )  # fmt: skip
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _durable_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
    else:
        sa.event.listen(engine, "connect", _durable_postgres)
    return engine


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that may read before it writes: SQLite takes its write lock at once.

    A plain one would read an old state there and fail when it comes to write.
    """
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        yield connection


def durability(engine: sa.Engine) -> dict[str, str]:
    """The settings an operator wants to see: database, journal, synchronous."""
    if engine.dialect.name != "sqlite":
        with engine.connect() as connection:
            value = connection.execute(sa.text("SHOW synchronous_commit")).scalar_one()
        return {"database": engine.dialect.name, "synchronous_commit": str(value)}
    with engine.connect() as connection:
        journal = connection.execute(sa.text("PRAGMA journal_mode")).scalar_one()
        synchronous = connection.execute(sa.text("PRAGMA synchronous")).scalar_one()
    return {"database": "sqlite", "journal": str(journal), "synchronous": str(synchronous)}


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[None]:
    """Several workers start at once, and only one of them may make a table."""
    if engine.dialect.name == "sqlite":
        with Path(f"{engine.url.database}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    with engine.begin() as connection:
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        yield


def _durable_sqlite(connection: Any, _: object) -> None:
    """The driver begins no transaction of its own: `_begin_sqlite` does."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(BUSY)


def _begin_sqlite(connection: sa.Connection) -> None:
    if not connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql("BEGIN")
        return
    driver, until = connection.connection.driver_connection, monotonic() + BUSY_SECONDS
    assert driver is not None, "the pool has just given it"
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while not _begun(connection, until):
            sleep(ASKS_AGAIN_SECONDS)
    finally:
        driver.execute(BUSY)


def _begun(connection: sa.Connection, until: float) -> bool:
    """Whether the write lock was free. Raises what SQLite raises when `until` is over."""
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    except sa.exc.OperationalError as error:
        busy = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        if busy and monotonic() < until:
            return False
        raise
    return True


def _durable_postgres(connection: Any, _: object) -> None:
    """Refuse a session that does not wait for its log; pin the setting of one that does."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        found = str(cursor.fetchone()[0])
        if found == "off":
            raise NotReady(
                wanted="a PostgreSQL ledger whose sessions wait for their log",
                got="synchronous_commit = off (server, database, role or connection)",
                cure="set it to on: ALTER SYSTEM, ALTER DATABASE, ALTER ROLE or PGOPTIONS",
            )
        cursor.execute(f"SET SESSION synchronous_commit TO '{found}'")
    connection.commit()
