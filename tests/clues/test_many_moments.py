"""Asked for many moments at once, a supervision model finds what it finds asked one by one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import hamlet
import pyarrow as pa
import pytest

import clues.sandbox
from base.moment import FixedClock
from clues.raising import raise_until
from clues.register import read_clues
from governance.home import Home
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction

UNTIL = datetime(2025, 1, 1)
GIVEN = "SELECT p.person_id AS subject_id, {key} AS ground_key, p.office_id, "
GIVEN += "p.amount_cents, p.agency_id, {evidence} AS evidence FROM payments p {rest}"
ONE = {"key": "'-'", "evidence": "['payments/' || p.record_no]", "rest": ""}
FORMS: dict[str, str] = {
    "join": hamlet.MODEL.partition("--- */")[2],
    "latest row by window": GIVEN.format(
        **ONE | {"rest": "QUALIFY row_number() OVER (ORDER BY p.paid_on DESC, p.record_no) = 1"}
    ),
    "limit": GIVEN.format(**ONE | {"rest": "ORDER BY p.paid_on DESC, p.record_no LIMIT 2"}),
    "whole-table aggregate": GIVEN.format(
        **ONE | {"rest": "WHERE p.amount_cents > (SELECT avg(amount_cents) FROM payments)"}
    ),
    "count over all": GIVEN.format(
        **ONE | {"key": "(SELECT count(*) FROM deaths)::VARCHAR", "rest": "WHERE p.record_no = 1"}
    ),
    "anti join": GIVEN.format(**ONE | {"rest": "ANTI JOIN deaths USING (person_id)"}),
    "not exists": GIVEN.format(
        **ONE | {"rest": "WHERE NOT EXISTS (FROM deaths d WHERE d.person_id = p.person_id)"},
    ),
    "moment": GIVEN.format(**ONE | {"rest": "WHERE p.paid_on > $moment - INTERVAL 45 DAY"}),
    "moment in a nested expression": "WITH late AS (SELECT * FROM payments WHERE paid_on < "
    "$moment - INTERVAL 60 DAY) "
    + GIVEN.format(**ONE | {"key": "p.payment_no"}).replace("FROM payments p", "FROM late p"),
    "union": GIVEN.format(**ONE)
    + " UNION ALL BY NAME "
    + GIVEN.format(**ONE | {"key": "'second'"}),
    "a query in FROM": GIVEN.format(**ONE).replace("FROM payments p", "FROM (FROM payments) AS p"),
}


@pytest.fixture(scope="module")
def village(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two years of a hamlet in which deaths are reported month by month."""
    folder = tmp_path_factory.mktemp("village")
    clock = FixedClock(datetime(2026, 1, 2))
    hamlet.write_hamlet(folder / "hamlet")
    home = Home.create(folder / "home", load_jurisdiction(folder / "hamlet"))
    rows: list[dict[str, Any]] = [
        {
            "payment_no": f"n{person}-{month}",
            "person_id": f"p{person}",
            "agency_id": "xyz"[person % 3],
            "office_id": "AB"[person % 2],
            "paid_on": date(2024, month, 1 + person),
            "amount_cents": 100 * month + person,
        }
        for person in range(6)
        for month in range(1, 12)
    ]
    deaths = [
        {
            "person_id": f"p{person}",
            "died_on": date(2024, 2 + person, 3),
            "reported_on": date(2024, 4 + person, 20),
        }
        for person in range(4)
    ]
    admit_table(home, "payments", pa.Table.from_pylist(rows), clock)
    admit_table(home, "deaths", pa.Table.from_pylist(deaths), clock)
    return home


def raised(home: Home, monkeypatch: pytest.MonkeyPatch, rows_at_once: int) -> tuple[Any, Any]:
    """Counts and clues of a raising that starts from nothing."""
    monkeypatch.setattr(clues.sandbox, "ROWS_AT_ONCE", rows_at_once)
    for path in (home.path / "raised.json", *home.table("clues").rglob("*.*")):
        path.unlink(missing_ok=True)
    counts = raise_until(home, UNTIL)
    rows = read_clues(home).to_pylist()
    return counts, [{**row, "evidence": sorted(row["evidence"])} for row in rows]


@pytest.mark.parametrize("form", FORMS)
def test_many_moments_at_once_find_what_each_finds_alone(
    village: Home, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """Whatever the form of the SQL: the same clues, moments, columns and counts."""
    head = hamlet.MODEL.partition("--- */")[0] + "--- */\n"
    path = village.jurisdiction.folder / "supervision" / "paid_after_death.sql"
    path.write_text(head + FORMS[form], "utf-8")
    together = raised(village, monkeypatch, rows_at_once=10**9)
    in_parts = raised(village, monkeypatch, rows_at_once=300)
    alone = raised(village, monkeypatch, rows_at_once=1)
    assert alone[1], "the form finds nothing, so nothing was compared"
    assert together == in_parts == alone


def test_a_statement_that_would_look_at_too_much_is_cut_into_parts(
    village: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records times moments stay below the bound, and one moment always runs."""
    path = village.jurisdiction.folder / "supervision" / "paid_after_death.sql"
    path.write_text(hamlet.MODEL, "utf-8")
    [model] = clues.supervision.load_supervision_models(village.jurisdiction)
    sandbox = clues.sandbox.Sandbox.of_home(village, [model])
    for bound, moments in ((70, 1), (210, 3), (1, 1)):
        monkeypatch.setattr(clues.sandbox, "ROWS_AT_ONCE", bound)
        assert sandbox.moments_at_once(model) == moments
