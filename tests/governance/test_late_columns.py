"""A column that a contract is given when rows are stored already: old rows have it missing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from base.moment import FixedClock
from governance import columns, tables
from governance.glance import Glance
from governance.home import Home
from governance.intake import admit_table
from governance.reading import Records

BEFORE, SINCE = FixedClock(datetime(2025, 1, 1)), FixedClock(datetime(2025, 6, 1))
DEATH = {"person_id": ["P1"], "died_on": ["2024-01-05"], "reported_on": ["2024-02-01"]}
PAYMENT = {"person_id": ["P1"], "paid_on": ["2024-01-05"], "amount_cents": ["1"]}


def widen(home: Home, record_set: str, name: str = "place") -> Home:
    """The home after its contract was given another column, in the middle."""
    path = home.jurisdiction.folder / "records" / f"{record_set}.odcs.yaml"
    head, mark, rest = path.read_text("utf-8").partition("    properties:\n")
    path.write_text(f"{head}{mark}      - {{name: {name}, logicalType: string}}\n{rest}", "utf-8")
    return Home.open(home.path)


def rows(home: Home, record_set: str, version: int | None = None) -> list[dict[str, Any]]:
    with Records(home, None if version is None else {record_set: version}) as records:
        return records.arrow(record_set).to_pylist()


def killed(*_: object) -> None:
    raise OSError("killed")


@pytest.fixture
def wide(hamlet: Home) -> Home:
    """One payment is stored; then the contract got the column `place`."""
    admit_table(hamlet, "payments", pa.table(PAYMENT), BEFORE)
    return widen(hamlet, "payments")


def test_old_rows_have_it_missing_before_and_after_it_is_taken_in(wide: Home) -> None:
    """Whoever reads finds the column: now, after the next batch, and at the version before it."""
    [row] = rows(wide, "payments")
    assert row["place"] is None
    more = {**PAYMENT, "person_id": ["P2"], "place": ["Hefei"]}
    receipt = admit_table(wide, "payments", pa.table(more), SINCE)
    assert receipt.admitted == 1
    assert [each["place"] for each in rows(wide, "payments")] == [None, "Hefei"]
    assert [each["place"] for each in rows(wide, "payments", version=0)] == [None]
    told = Glance(wide).records("payments", [1, 2], ("place",), 9)
    assert [place for _, place, _ in told] == [None, "Hefei"]
    assert tables.dataset(wide.table("payments")).to_table(["place"]).num_rows == 2


def test_a_row_known_before_is_known_still(wide: Home) -> None:
    """The same row again, without the column or with nothing in it, is stored once."""
    for again in (PAYMENT, {**PAYMENT, "place": [""]}):
        receipt = admit_table(wide, "payments", pa.table(again), SINCE)
        assert (receipt.admitted, receipt.already_admitted) == (0, 1)
    filled = pa.table({**PAYMENT, "place": ["Hefei"]})
    assert admit_table(wide, "payments", filled, SINCE).admitted == 1
    assert admit_table(wide, "payments", filled, FixedClock(datetime(2026, 1, 1))).admitted == 0


def test_what_is_told_of_an_old_record_was_not_known_before_the_column(hamlet: Home) -> None:
    """A death of 2024 is sent again with its place in June 2025: before, nobody knew the place."""
    admit_table(hamlet, "deaths", pa.table(DEATH), BEFORE)
    wide = widen(hamlet, "deaths")
    admit_table(wide, "deaths", pa.table({**DEATH, "place": ["Hefei"]}), SINCE)
    with Records(wide) as records:
        may = records.known_at("deaths", datetime(2025, 5, 31)).to_pylist()
        june = records.known_at("deaths", datetime(2025, 6, 2)).to_pylist()
    assert [each["place"] for each in may] == [None]
    assert [each["place"] for each in june] == ["Hefei"]
    assert june[0]["reported_on"] == may[0]["reported_on"]


def test_the_time_a_row_tells_is_judged_as_before(hamlet: Home) -> None:
    """Reported before it happened is refused, also where a late column moves when it was known."""
    admit_table(hamlet, "deaths", pa.table(DEATH), BEFORE)
    wide = widen(hamlet, "deaths")
    early = {**DEATH, "person_id": ["P2"], "reported_on": ["2024-01-01"], "place": ["Hefei"]}
    assert admit_table(wide, "deaths", pa.table(early), SINCE).quarantined == 1


def test_a_crash_while_it_is_taken_in_is_mended_by_the_same_call(
    wide: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two commits every reader still finds the old row once, its column missing."""
    with monkeypatch.context() as broken:
        broken.setattr(tables, "add_columns", killed)
        with pytest.raises(OSError, match="killed"):
            admit_table(wide, "payments", pa.table(PAYMENT), SINCE)
    assert [row["person_id"] for row in rows(wide, "payments")] == ["P1"]
    more = pa.table({**PAYMENT, "person_id": ["P2"], "place": ["Hefei"]})
    assert admit_table(wide, "payments", more, SINCE).admitted == 1
    assert [row["place"] for row in rows(wide, "payments")] == [None, "Hefei"]
    assert list(columns.late_columns(wide.table("payments"))) == ["place"]


def test_two_columns_may_come_one_after_the_other(wide: Home, tmp_path: Path) -> None:
    """Each has its own time; a row with both keeps the later one."""
    admit_table(wide, "payments", pa.table({**PAYMENT, "place": ["Hefei"]}), SINCE)
    wider = widen(wide, "payments", "street")
    both = pa.table({**PAYMENT, "place": ["Hefei"], "street": ["A"]})
    admit_table(wider, "payments", both, FixedClock(datetime(2025, 9, 1)))
    told = [(each["street"], each["known_at"]) for each in rows(wider, "payments")]
    known = [datetime(2024, 1, 15), datetime(2025, 6, 1), datetime(2025, 9, 1)]
    assert told == list(zip([None, None, "A"], known, strict=True))
