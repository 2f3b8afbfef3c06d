"""A few records by number are those of the record set; the newest version is never an old one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import hamlet

from base.moment import FixedClock
from governance import tables
from governance.glance import Glance
from governance.home import Home
from governance.intake import admit_table
from governance.reading import Records

COLUMNS = ("payment_no", "paid_on", "amount_cents")


def test_records_by_number_are_those_of_the_record_set(tmp_path: Path, clock: FixedClock) -> None:
    """In the order of their numbers, at most so many; what came since is there too."""
    home = hamlet.settled_hamlet(tmp_path, clock)
    glance = Glance(home)

    def wanted(numbers: list[int]) -> list[tuple[object, ...]]:
        with Records(home, only=("payments",)) as records:
            query = (
                "SELECT record_no, payment_no, paid_on, amount_cents, known_at FROM payments"
                " WHERE record_no IN (SELECT unnest($numbers)) ORDER BY record_no"
            )
            return records.connection().execute(query, {"numbers": numbers}).fetchall()

    asked = [7, 3, 59, 1_000]
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda _: glance.records("payments", asked, COLUMNS, 50), range(12)))
    assert told == [wanted(asked)] * 12
    assert glance.records("payments", asked, COLUMNS, 2) == wanted(asked)[:2]
    admit_table(home, "payments", hamlet.payment("new", 1, date(2024, 7, 2)), clock)
    assert glance.records("payments", [61], COLUMNS, 50) == wanted([61]) != []
    assert glance.records("payments", [], COLUMNS, 50) == []
    assert glance.records("outcomes", [1], ("clue_id",), 50) == []


def test_the_newest_version_is_seen_when_it_comes(tmp_path: Path, clock: FixedClock) -> None:
    """Before a table is written, and after each commit."""
    home: Home = hamlet.settled_hamlet(tmp_path, clock)
    glance, path = Glance(home), home.table("payments")
    assert glance.newest(home.table("outcomes")).version == -1
    for at in range(3):
        assert glance.newest(path).version == tables.version(path) == at
        assert list(glance.newest(path).files) == tables.files(path)
        admit_table(home, "payments", hamlet.payment(f"new{at}", 1, date(2024, 7, 2)), clock)
