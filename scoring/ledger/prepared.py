"""Statements of the hottest way, written out once for each database and run as they are.

With every request SQLAlchemy would build, look up and unfold them anew, which costs more than the
database does; SQLite's go straight to its driver. They run in the caller's transaction, and errors
come as SQLAlchemy's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any

import sqlalchemy as sa

from scoring.ledger.reading import as_sqlalchemys

# SQLite takes 32,766 values in a statement; a table here has less than 40 columns.
ROWS_AT_ONCE = 64


def insert_rows(
    connection: sa.Connection,
    table: sa.Table,
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
) -> None:
    """Insert rows of `columns`, many in a statement: one step of the database, not one a row.

    Values are as the driver takes them: JSON as text, times by `time_as_kept`.
    """
    dialect = connection.dialect.name
    for low in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[low : low + ROWS_AT_ONCE]
        sql = _insert_sql(dialect, table, columns, len(part))
        values = tuple(chain.from_iterable(part))
        if dialect == "sqlite":
            _straight(connection, sql, values)
        else:
            connection.exec_driver_sql(sql, values)


def run(connection: sa.Connection, sql: str, values: Sequence[Any]) -> list[Any]:
    """Run one statement with a `?` for each value; returns the rows it gives, if it gives any."""
    if connection.dialect.name == "sqlite":
        return _straight(connection, sql, tuple(values))
    done = connection.exec_driver_sql(sql.replace("?", "%s"), tuple(values))
    return list(done) if done.returns_rows else []


def _straight(connection: sa.Connection, sql: str, values: tuple[Any, ...]) -> list[Any]:
    driver = connection.connection.driver_connection
    assert driver is not None, "the caller's transaction runs on it"
    try:
        rows: list[Any] = driver.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise as_sqlalchemys(connection.dialect, error) from error
    return rows


def time_as_kept(connection: sa.Connection) -> Callable[[datetime], Any]:
    """How the driver takes a time: SQLite keeps the text that SQLAlchemy reads."""
    if connection.dialect.name == "sqlite":
        return lambda at: at.isoformat(" ", "microseconds")
    return lambda at: at


@lru_cache(maxsize=256)
def _insert_sql(dialect: str, table: sa.Table, columns: tuple[str, ...], rows: int) -> str:
    if dialect == "sqlite":
        places = ["?"] * len(columns)
    else:
        speaks = sa.dialects.registry.load(dialect)()
        places = [f"CAST(%s AS {table.c[name].type.compile(speaks)})" for name in columns]
    names = ", ".join(columns)
    row = f"({', '.join(places)})"
    return f"INSERT INTO {table.name} ({names}) VALUES {', '.join([row] * rows)}"
