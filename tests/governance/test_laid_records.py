"""Records laid beside their table are those of the table, whatever became of it meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path

import hamlet
import pyarrow as pa
import pytest

from base.moment import FixedClock
from governance import tables
from governance.glance import Glance
from governance.home import Home
from governance.intake import admit_table
from governance.retention import enforce

COLUMNS = ("payment_no", "person_id", "paid_on", "amount_cents")
EVERY = range(-1, 90)


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock) -> Home:
    return hamlet.settled_hamlet(tmp_path, clock)


def of_the_table(
    glance: Glance, home: Home, record_set: str, columns: Sequence[str], limit: int = 1_000
) -> list[tuple[object, ...]]:
    """The oracle: DuckDB over the table's own files."""
    listed = ("record_no", *columns, "known_at")
    newest = glance.newest(home.table(record_set))
    return glance.read_records(record_set, newest, EVERY, listed, limit)


def laid_files(home: Home, record_set: str) -> set[str]:
    return {path.name for path in (home.online / "records" / record_set).glob("*")}


def deaths(person: str, died_on: date, reported_on: date) -> pa.Table:
    return pa.table({"person_id": [person], "died_on": [died_on], "reported_on": [reported_on]})


def test_they_are_those_of_the_table_by_number_each_once(home: Home) -> None:
    """Asked in any order, twice, for numbers that are none, for fewer than there are; by a process
    that laid nothing down itself, too."""
    glance = Glance(home)
    whole = of_the_table(glance, home, "payments", COLUMNS)
    assert len(whole) > 40
    for each in (glance, Glance(home)):
        assert each.records("payments", EVERY, COLUMNS, 1_000) == whole
        assert each.records("payments", [7, 3, 7, 10**12], COLUMNS, 9) == [
            row for row in whole if row[0] in (3, 7)
        ]
        assert each.records("payments", EVERY, COLUMNS, 5) == whole[:5]
        assert each.records("payments", EVERY, COLUMNS[:1], 5) == [
            (row[0], row[1], row[-1]) for row in whole[:5]
        ]
    assert len(laid_files(home, "payments")) == len(tables.files(home.table("payments")))


def test_more_records_and_corrected_ones_are_seen_at_once(home: Home, clock: FixedClock) -> None:
    """A correction writes a file of the table again: what was laid of the old one is left by no
    reader, and gone from the folder."""
    glance, columns = Glance(home), ("person_id", "died_on", "reported_on")
    first = glance.records("deaths", EVERY, columns, 1_000)
    before = laid_files(home, "deaths")
    again = deaths(first[0][1], date(2024, 1, 31), date(2024, 7, 30))
    admit_table(home, "deaths", again, FixedClock(datetime(2024, 8, 2)))
    admit_table(home, "deaths", deaths("p77", date(2024, 2, 1), date(2024, 6, 1)), clock)
    told = glance.records("deaths", EVERY, columns, 1_000)
    assert told == of_the_table(glance, home, "deaths", columns)
    assert len(told) == len(first) + 2
    assert len(laid_files(home, "deaths")) == len(tables.files(home.table("deaths")))
    assert len(before - laid_files(home, "deaths")) == 1


def test_many_ask_at_once_and_nobody_waits_for_who_lays_them_down(home: Home) -> None:
    """Whoever comes meanwhile reads the table itself: the same rows."""
    glance = Glance(home)
    whole = of_the_table(glance, home, "payments", COLUMNS)
    with glance._laying:
        assert glance.records("payments", EVERY, COLUMNS, 1_000) == whole
        assert not laid_files(home, "payments")
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda _: glance.records("payments", EVERY, COLUMNS, 1_000), range(24))
        assert list(found) == [whole] * 24


def test_where_nothing_can_be_laid_down_the_rows_are_the_same(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is tried once for each version, not with every page."""
    tried = []

    def full(*_: object) -> None:
        tried.append(1)
        raise OSError(28, "no space left")

    monkeypatch.setattr("governance.laid.lay_down", full)
    glance = Glance(home)
    for _ in range(3):
        told = glance.records("payments", EVERY, COLUMNS, 1_000)
        assert told == of_the_table(glance, home, "payments", COLUMNS)
    assert len(tried) == 1


def test_what_left_by_retention_is_in_no_laid_file(home: Home, clock: FixedClock) -> None:
    """At once, though nobody asks again; and who asks finds what is left."""
    declared = Path(home.jurisdiction.folder) / "records" / "payments.odcs.yaml"
    kept = "slaProperties: [{property: retention, value: 1, unit: d}]\n"
    declared.write_text(declared.read_text("utf-8").partition("slaProperties")[0] + kept, "utf-8")
    glance = Glance(home)
    whole = glance.records("payments", EVERY, COLUMNS, 1_000)
    dry = Home(home.path)
    enforce(dry, FixedClock(datetime(2030, 1, 1)), dry_run=True)
    assert laid_files(home, "payments")
    [removed] = enforce(dry, FixedClock(datetime(2030, 1, 1)))
    assert removed.records == len(whole) > 0
    assert not laid_files(home, "payments")
    assert glance.records("payments", EVERY, COLUMNS, 1_000) == []
    admit_table(home, "payments", hamlet.payment("new", 1, date(2024, 7, 2)), clock)
    assert len(glance.records("payments", range(200), COLUMNS, 1_000)) == 1
