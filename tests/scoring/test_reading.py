"""Statements run by the driver tell what SQLAlchemy tells, and leave the connection as it was."""

from __future__ import annotations

from datetime import datetime

import pytest
import sqlalchemy as sa

from scoring.ledger import queue_offices, queue_places
from scoring.ledger.reading import Written, one_of, reading

RAISED = datetime(2026, 1, 5, 8, 30, 15, 123456)
OFFICES = ("A", "B", 'C"', "院", "")


def fill(ledger: sa.Engine) -> None:
    rows = [
        {
            "clue_id": f"{office}-{at}", "office_id": office, "below": at % 2,
            "minus_value": -at / 7, "rank": at, "margin": at / 7, "urgency": 0.1 + 0.2,
            "probability": 1 / 3, "exploration": at == 1, "floor": at == 2,
            "drawing_probability": 1e-17, "supervision_model": None if at else "m",
            "raised_at": RAISED.replace(day=at + 1), "score_id": None,
        }
        for office in OFFICES
        for at in range(4)
    ]  # fmt: skip
    with ledger.begin() as connection:
        connection.execute(sa.insert(queue_places), rows)


def asked(dialect: sa.Dialect) -> sa.Select[tuple[object, ...]]:
    c = queue_places.c
    after = sa.bindparam("after", type_=sa.DateTime)
    return (
        sa.select(*c)
        .where(one_of(dialect, c.office_id, "offices"), c.raised_at > after, c.below == 0)
        .order_by(c.clue_id)
        .limit(sa.bindparam("count", type_=sa.Integer))
    )


def test_rows_are_those_of_sqlalchemy(either_ledger: sa.Engine) -> None:
    """Values and their types, to the last bit; lists of none, one and many, with odd names."""
    fill(either_ledger)
    query = asked(either_ledger.dialect)
    statement = Written(query, either_ledger.dialect)
    assert statement.columns == tuple(queue_places.c.keys())
    for offices in ((), ("A",), frozenset(OFFICES), ("nobody", *OFFICES[1:4])):
        values = {"offices": offices, "after": RAISED.replace(day=1), "count": 7}
        with either_ledger.connect() as connection:
            wanted = [tuple(row) for row in connection.execute(query, values)]
        with reading(either_ledger) as read:
            found = read(statement, values)
        assert found == wanted
        assert [[type(value) for value in row] for row in found] == [
            [type(value) for value in row] for row in wanted
        ]
        assert len(found) == len(set(offices) & set(OFFICES))


def test_each_statement_sees_what_was_committed_before_it(either_ledger: sa.Engine) -> None:
    """Also what came while the connection was held."""
    statement = Written(sa.select(queue_places.c.clue_id), either_ledger.dialect)
    with reading(either_ledger) as read:
        assert read(statement, {}) == []
        fill(either_ledger)
        assert len(read(statement, {})) == 4 * len(OFFICES)


def test_errors_are_sqlalchemys_and_the_next_reads_on(either_ledger: sa.Engine) -> None:
    """The driver's own error beneath; no value of the caller's in the text."""
    missing = sa.table("not_there", sa.column("x"))
    query = sa.select(missing.c.x).where(missing.c.x == sa.bindparam("secret"))
    with (
        pytest.raises(sa.exc.DBAPIError) as told,
        reading(either_ledger) as read,
    ):
        read(Written(query, either_ledger.dialect), {"secret": "SECRET"})
    assert isinstance(told.value.orig, either_ledger.dialect.loaded_dbapi.Error)
    assert "SECRET" not in str(told.value)
    with reading(either_ledger) as read:
        count = sa.select(sa.func.count()).select_from(queue_offices)
        assert read(Written(count, either_ledger.dialect), {}) == [(0,)]


def test_whoever_has_the_connection_next_has_transactions(either_ledger: sa.Engine) -> None:
    """After a reading that ended well and one that did not, what is rolled back is gone."""
    with reading(either_ledger) as read:
        read(Written(sa.select(queue_places.c.rank), either_ledger.dialect), {})
    with pytest.raises(ZeroDivisionError), reading(either_ledger):
        raise ZeroDivisionError
    with either_ledger.connect() as connection:
        connection.execute(
            sa.insert(queue_offices),
            {"office_id": "A", "week": "", "stale": True, "total": 0, "within": 0, "seed": ""},
        )
        connection.rollback()
        assert connection.execute(sa.select(queue_offices)).all() == []
