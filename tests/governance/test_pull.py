"""Records are pulled from a real PostgreSQL by the query of their contract."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from record_hamlet import write_hamlet

from base.errors import NotReady, Refused
from governance.home import Home
from governance.jurisdiction import load_jurisdiction
from governance.pull import admit_pulled
from governance.reading import Records

QUERY = "SELECT person_id, paid_on, amount_cents, kind, rate FROM paid ORDER BY person_id"


def pulling_home(folder: Path, query: str) -> Home:
    path = write_hamlet(folder / "hamlet") / "records" / "payments.odcs.yaml"
    text = path.read_text("utf-8").replace(
        "value: paid_on}]", f'value: paid_on}}, {{property: pull, value: "{query}"}}]'
    )
    path.write_text(text + "\nservers: [{server: insurance, type: postgresql}]\n", "utf-8")
    return Home.create(folder / "home", load_jurisdiction(folder / "hamlet"))


@pytest.fixture
def server(postgres: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A table of payments, and the address as it is set in the environment."""
    address = postgres.replace("postgresql+psycopg://", "postgresql://")
    monkeypatch.setenv("CLUES_PULL_URLS", json.dumps({"insurance": address}))
    with psycopg.connect(address) as connection:
        connection.execute("DROP TABLE IF EXISTS paid")
        connection.execute(
            "CREATE TABLE paid (person_id text, paid_on date, amount_cents bigint, kind text,"
            " rate double precision)"
        )
        connection.execute(
            "INSERT INTO paid VALUES ('P1', '2024-01-05', 100, 'pension', 1.5),"
            " ('P2', '2024-01-06', 200, 'subsidy', NULL), ('P3', '2024-01-07', -1, 'pension', 1)"
        )
    return address


def test_what_the_query_gives_is_admitted_once(server: str, tmp_path: Path, clock) -> None:
    """The same batch again changes nothing; a new row is the only one admitted."""
    home = pulling_home(tmp_path, QUERY)
    first = admit_pulled(home, "payments", clock)
    assert (first.rows, first.admitted, first.quarantined) == (3, 2, 1)
    again = admit_pulled(home, "payments", clock)
    assert (again.batch, again.admitted, again.already_admitted) == (first.batch, 0, 2)
    with psycopg.connect(server) as connection:
        connection.execute("INSERT INTO paid VALUES ('P4', '2024-01-08', 1, '养老\n金', 1),"
                           " ('P5', '2024-01-08', 1, 'pension', 'NaN')")  # fmt: skip
        connection.execute("UPDATE paid SET amount_cents = 3 WHERE person_id = 'P3'")
    more = admit_pulled(home, "payments", clock)
    assert (more.rows, more.admitted, more.already_admitted, more.quarantined) == (5, 1, 2, 2)
    with Records(home) as records:
        assert records.arrow("payments", ["person_id"])["person_id"].to_pylist() == [
            "P1",
            "P2",
            "P3",
        ]
    assert not list((home.scratch / "pull").iterdir())


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM nowhere",
        "SELECT 1/0 AS person_id",
        "WITH gone AS (DELETE FROM paid RETURNING *) SELECT * FROM gone",
    ],
)
def test_a_query_the_server_refuses_is_told_without_its_values(
    server: str, query: str, tmp_path: Path, clock
) -> None:
    """Among them one that would write: the session only reads."""
    home = pulling_home(tmp_path, query)
    with pytest.raises(Refused, match="insurance"):
        admit_pulled(home, "payments", clock)
    with psycopg.connect(server) as connection:
        assert connection.execute("SELECT count(*) FROM paid").fetchone() == (3,)


def test_a_server_that_does_not_answer_is_not_ready(tmp_path: Path, clock, monkeypatch) -> None:
    """And a record set without a query says what to declare."""
    monkeypatch.setenv("CLUES_PULL_URLS", '{"insurance": "postgresql://u@127.0.0.1:1/none"}')
    home = pulling_home(tmp_path, QUERY)
    with pytest.raises(NotReady, match="insurance"):
        admit_pulled(home, "payments", clock)
    with pytest.raises(Refused, match="declare pull"):
        admit_pulled(home, "deaths", clock)
