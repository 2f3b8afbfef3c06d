"""Reading what a page asks: statements written out once and run by the driver, in no transaction.

SQLAlchemy looks each statement up anew and begins and ends a transaction around it, which on
PostgreSQL is two more ways to the server and back: of a page's short questions that is most of the
cost. Here each statement sees what is committed when it begins. Values go in and come out as the
columns' types say, and errors are SQLAlchemy's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

Process = Callable[[Any], Any]


class Listed(sa.types.TypeDecorator[Any]):
    """Many texts as one value: PostgreSQL's array, SQLite's JSON."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """How the database takes it."""
        return dialect.type_descriptor(
            sa.String() if dialect.name == "sqlite" else postgresql.ARRAY(sa.String())
        )

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        """As its driver takes it."""
        return orjson.dumps(list(value)).decode() if dialect.name == "sqlite" else list(value)


def one_of(dialect: sa.Dialect, column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """Whether it is one of the texts given as `name`, however many there are."""
    given = sa.bindparam(name, type_=Listed())
    if dialect.name == "sqlite":
        return column.in_(sa.select(sa.func.json_each(given).table_valued("value").c.value))
    return column == sa.any_(given)


class Written:
    """A SELECT as text for one database, its values one bind parameter each (lists: `one_of`)."""

    def __init__(self, query: sa.Select[Any], dialect: sa.Dialect) -> None:
        told = query.compile(dialect=dialect)
        self.sql = str(told)
        self.columns = tuple(column.name for column in query.selected_columns)
        self._places = told.positiontup
        self._fixed = {name: value for name, value in told.params.items() if value is not None}
        self._into = _processes(
            (name, bind.type.dialect_impl(dialect).bind_processor(dialect))
            for name, bind in told.binds.items()
        )
        # What PostgreSQL's driver gives is what the types say already.
        kept = query.selected_columns if dialect.name == "sqlite" else ()
        self._out = _processes(
            (at, column.type.dialect_impl(dialect).result_processor(dialect, None))
            for at, column in enumerate(kept)
        )

    def taken(self, values: Mapping[str, Any]) -> Any:
        """The values as the driver takes them: in order, or by name."""
        given = {**self._fixed, **values}
        for name, process in self._into:
            given[name] = process(given[name])
        return given if self._places is None else [given[name] for name in self._places]

    def told(self, found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The driver's rows as the columns' types say."""
        if not self._out:
            return found
        rows = [list(row) for row in found]
        for at, process in self._out:
            for row in rows:
                row[at] = process(row[at])
        return [tuple(row) for row in rows]


def _processes(named: Iterable[tuple[Any, Process | None]]) -> list[tuple[Any, Process]]:
    return [(name, process) for name, process in named if process is not None]


# Runs a statement: its rows.
Read = Callable[[Written, Mapping[str, Any]], list[tuple[Any, ...]]]


@contextmanager
def reading(ledger: sa.Engine) -> Iterator[Read]:
    """A connection of the pool to read from. Raises sqlalchemy.exc.DBAPIError (OperationalError
    where the database is away); the connection is then given up."""
    pooled = ledger.raw_connection()
    driver: Any = pooled.driver_connection
    # SQLite's begin no transaction of their own (opening.py).
    begins = ledger.dialect.name != "sqlite"
    try:
        if begins:
            driver.autocommit = True
        yield partial(_rows, driver)
    except ledger.dialect.loaded_dbapi.Error as error:
        pooled.invalidate(error)
        raise as_sqlalchemys(ledger.dialect, error) from error
    finally:
        if begins and pooled.is_valid:
            driver.autocommit = False
        pooled.close()


def _rows(driver: Any, statement: Written, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return statement.told(driver.execute(statement.sql, statement.taken(values)).fetchall())


def as_sqlalchemys(dialect: sa.Dialect, error: Exception) -> BaseException:
    """An error of the database's driver as SQLAlchemy tells it, without the values."""
    return sa.exc.DBAPIError.instance(
        None, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect
    )
