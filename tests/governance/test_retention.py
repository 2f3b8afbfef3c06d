"""Retention: what is over is gone from every file, the rest stays, and it is told beforehand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
from record_hamlet import write_hamlet

from base.moment import FixedClock
from governance import quarantine, tables
from governance.home import Home
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction
from governance.reading import Records
from governance.retention import enforce

CAME, NOW = FixedClock(datetime(2023, 6, 1)), FixedClock(datetime(2026, 1, 2))
TWO_YEARS = "slaProperties: [{property: retention, value: 2, unit: y}]\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Payments and deaths, old ones (one corrected, one row bad) and new ones."""
    folder = write_hamlet(tmp_path / "hamlet")
    for name in ("payments", "deaths"):
        path = folder / "records" / f"{name}.odcs.yaml"
        path.write_text(
            path.read_text("utf-8").partition("slaProperties")[0] + "\n" + TWO_YEARS, "utf-8"
        )
    made = Home.create(tmp_path / "home", load_jurisdiction(folder))
    paid = {
        "person_id": ["P1", "oldest-bad"],
        "paid_on": ["2023-01-05"] * 2,
        "amount_cents": ["111", "333"],
    }
    admit_table(made, "payments", pa.table(paid), CAME)
    later = {"person_id": ["P2"], "paid_on": ["2024-03-01"], "amount_cents": ["222"]}
    admit_table(made, "payments", pa.table(later), NOW)
    died = {
        "person_id": ["D1", "D2"],
        "died_on": ["2023-01-01", "2023-02-01"],
        "reported_on": ["2023-03-01"] * 2,
    }
    admit_table(made, "deaths", pa.table(died), CAME)
    corrected = {
        "person_id": ["D2", "D3"],
        "died_on": ["2025-02-01"] * 2,
        "reported_on": ["2025-03-01"] * 2,
    }
    admit_table(made, "deaths", pa.table(corrected), NOW)
    return made


def people(home: Home, record_set: str, version: int | None = None) -> list[str]:
    versions = {} if version is None else {record_set: version}
    with Records(home, versions, only=[record_set]) as records:
        return records.arrow(record_set, ["record_no", "person_id"])["person_id"].to_pylist()


def everything_below(folder: Path) -> str:
    """Every value of every Parquet file, whether a table still names it or not."""
    found = [
        str(tables.pads.dataset(path).to_table().to_pylist()) for path in folder.rglob("*.parquet")
    ]
    return " ".join(found)


def test_what_would_go_is_told_and_nothing_is_changed(home: Home) -> None:
    """A dry run counts the same as the run itself."""
    before = everything_below(home.path)
    would = enforce(home, NOW, dry_run=True)
    assert everything_below(home.path) == before
    assert enforce(home, NOW) == would
    assert [(each.record_set, each.records, each.quarantined) for each in would] == [
        ("deaths", 1, 0),
        ("payments", 1, 1),
    ]


def test_what_is_over_is_in_no_file_and_the_rest_can_still_be_read(home: Home) -> None:
    """Older versions can still be read, without it; all versions of a key go or stay together."""
    versions = {name: tables.version(home.table(name)) for name in ("payments", "deaths")}
    enforce(home, NOW)
    left = everything_below(home.path)
    assert "111" not in left
    assert "oldest-bad" not in left
    assert "D1" not in left
    assert people(home, "payments") == people(home, "payments", versions["payments"]) == ["P2"]
    assert (
        people(home, "deaths") == people(home, "deaths", versions["deaths"]) == ["D2", "D2", "D3"]
    )
    assert people(home, "deaths", 0) == ["D2"]
    assert quarantine.read(home, "payments") == []
    assert sum(tables.file_rows(home.table("payments")).values()) == 1


def test_enforced_again_nothing_more_goes_and_records_come_in_as_before(home: Home) -> None:
    """Numbers of records that are gone are never given again, not even when none is left."""
    enforce(home, NOW)
    version = tables.version(home.table("payments"))
    assert [(each.records, each.quarantined) for each in enforce(home, NOW)] == [(0, 0), (0, 0)]
    assert tables.version(home.table("payments")) == version
    more = {"person_id": ["P3"], "paid_on": ["2025-06-01"], "amount_cents": ["5"]}
    assert admit_table(home, "payments", pa.table(more), NOW).admitted == 1
    with Records(home) as records:
        assert records.arrow("payments", ["record_no"])["record_no"].to_pylist() == [2, 3]
    later = FixedClock(datetime(2030, 1, 1))
    assert [each.records for each in enforce(home, later)] == [3, 2]
    assert admit_table(home, "payments", pa.table(more), later).admitted == 1
    with Records(home) as records:
        assert records.arrow("payments", ["record_no"])["record_no"].to_pylist() == [4]
