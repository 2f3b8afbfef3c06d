"""One clue by its id: the row that the whole register gives, also after more were raised."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from pathlib import Path

import hamlet
import pyarrow as pa
import pytest

from base.moment import FixedClock
from clues.lookup import ClueLookup
from clues.raising import raise_until
from clues.register import read_clues
from governance.home import Home
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock) -> Home:
    return hamlet.settled_hamlet(tmp_path, clock)


def raise_another(home: Home, clock: FixedClock) -> None:
    admit_table(home, "payments", hamlet.payment("late", 99, date(2024, 8, 2)), clock)
    dead = {"person_id": ["p99"], "died_on": [date(2024, 2, 1)], "reported_on": [date(2024, 6, 1)]}
    admit_table(home, "deaths", pa.table(dead), clock)
    raise_until(home, datetime(2024, 9, 1))


def test_a_row_is_that_of_the_register_now_and_after_more_came(
    home: Home, clock: FixedClock
) -> None:
    """Every clue; one that is none; then those raised since, without being told of them."""
    lookup = ClueLookup(home)
    before = read_clues(home).to_pylist()
    assert [lookup.row(row["clue_id"]) for row in before] == before
    raise_another(home, clock)
    after = read_clues(home).to_pylist()
    assert len(after) == len(before) + 1
    assert [lookup.row(row["clue_id"]) for row in after] == after
    for absent in ("", "0" * 16, before[0]["clue_id"] + " ", "\x00"):
        assert lookup.row(absent) is None
    assert [ClueLookup(home).row(row["clue_id"]) for row in after] == after, "laid down before"


def test_a_register_without_clues_has_no_row(tmp_path: Path) -> None:
    """Nothing was ever raised."""
    folder = hamlet.write_hamlet(tmp_path / "hamlet")
    home = Home.create(tmp_path / "home", load_jurisdiction(folder))
    assert ClueLookup(home).row("0" * 16) is None


def test_hashes_that_are_alike_do_not_confuse_two_clues(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if every id had the same hash."""
    monkeypatch.setattr("clues.lookup.hash", lambda _: 7, raising=False)
    rows = read_clues(home).to_pylist()
    lookup = ClueLookup(home)
    assert [lookup.row(row["clue_id"]) for row in rows] == rows
    assert lookup.row("0" * 16) is None


def test_many_threads_and_a_home_that_cannot_be_written_read_the_same(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked all at once before anything is laid down; then with nowhere to lay it."""
    rows = read_clues(home).to_pylist()
    ids = [row["clue_id"] for row in rows] * 8
    lookup = ClueLookup(home)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lookup.row, ids)) == rows * 8

    def full(*_: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr("governance.laid.lay_down", full)
    for path in (home.online / "clues").iterdir():
        path.unlink()
    assert [ClueLookup(home).row(each) for each in ids[:3]] == rows[:3]
