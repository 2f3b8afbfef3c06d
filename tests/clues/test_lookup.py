"""Clues looked up by id are those of the register, however it grew."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import hamlet
import pyarrow as pa
import pytest

from base.moment import FixedClock
from clues import lookup, register
from clues.register import read_clues
from governance import tables
from governance.home import Home

CLOCK = FixedClock(datetime(2026, 1, 1))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return hamlet.settled_hamlet(tmp_path, CLOCK)


def scanned(home: Home, ids: list[str], monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """What the whole register says of them."""
    with monkeypatch.context() as without:
        without.setattr(register, "FEW", -1)
        return read_clues(home, ids)


def more(home: Home, number: int) -> str:
    """Append a clue, as another process would; returns its id."""
    row = read_clues(home).slice(0, 1)
    at = row.column_names.index("clue_id")
    clue_id = f"{number:04}-罪"
    tables.append(home.table("clues"), row.set_column(at, "clue_id", pa.array([clue_id])), {})
    return clue_id


def test_each_clue_is_found_with_all_its_columns(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one, several at once in the register's order, and none that is not there."""
    ids = read_clues(home)["clue_id"].to_pylist()
    for asked in ([each] for each in ids):
        assert read_clues(home, asked).equals(scanned(home, asked, monkeypatch))
    asked = [*reversed(ids), ids[0], "", "nobody", "\uffff"]
    assert read_clues(home, asked).equals(scanned(home, asked, monkeypatch))
    assert read_clues(home, ["nobody"]).num_rows == 0
    assert read_clues(home, []).schema.equals(read_clues(home).schema)


def test_a_clue_is_found_as_soon_as_it_is_raised(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every commit, past the number of parts at which they are made one; also by another
    process, which reads what was written."""
    made = []
    for number in range(lookup.PARTS_AT_MOST + 4):
        made.append(more(home, number))
        assert read_clues(home, made[-1:])["clue_id"].to_pylist() == made[-1:]
    parts = list((home.scratch / "register").glob("*.arrow"))
    assert 1 <= len(parts) <= lookup.PARTS_AT_MOST
    assert read_clues(home, made).equals(scanned(home, made, monkeypatch))
    other = lookup.Lookup(home.table("clues"), home.scratch / "register").rows(made)
    assert other is not None
    assert sorted(other["clue_id"].to_pylist()) == sorted(made)


def test_rows_that_were_written_anew_are_read_anew(home: Home) -> None:
    """Another table in its place, with as many versions, too."""
    ids = read_clues(home)["clue_id"].to_pylist()
    assert read_clues(home, ids[:1]).num_rows == 1
    kept = read_clues(home).filter(pa.array([each != ids[0] for each in ids]))
    shutil.rmtree(home.table("clues"))
    tables.append(home.table("clues"), kept, {})
    assert read_clues(home, ids[:1]).num_rows == 0
    assert read_clues(home, ids).num_rows == len(ids) - 1


def test_without_its_files_or_a_place_for_them_clues_are_found(home: Home) -> None:
    """Deleted, spoilt, or never to be written: the register itself answers."""
    ids = read_clues(home)["clue_id"].to_pylist()
    assert read_clues(home, ids[:2]).num_rows == 2
    folder = home.scratch / "register"
    for spoil in (lambda: shutil.rmtree(folder), lambda: (folder / lookup.NAME).write_text("{")):
        spoil()
        fresh = lookup.Lookup(home.table("clues"), folder).rows(ids[:2])
        assert fresh is not None
        assert fresh.num_rows == 2
    shutil.rmtree(folder)
    folder.write_text("no folder")
    lookup.lookup_of.cache_clear()
    assert read_clues(home, ids[:2]).num_rows == 2
