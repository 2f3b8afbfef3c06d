"""A feed that changes its shape is named, and flagged or refused as its contract says."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from record_hamlet import write_hamlet

from base.errors import Refused
from base.moment import FixedClock
from governance import quarantine
from governance.freshness import standing
from governance.home import Home
from governance.intake import Receipt, admit_table
from governance.jurisdiction import load_jurisdiction
from governance.quality import measured
from governance.reading import Records
from governance.receipts import receipts

START = datetime(2026, 1, 2, 12)
TERMS = """
team: {name: 社保局}
customProperties: [{property: legalGround, value: 社会保险法}]
"""
SLA = "slaProperties: [{property: latency, value: 10, unit: d}]"
PERIODS = """slaProperties:
  - {property: latency, value: 10, unit: d}
  - {property: retention, value: 2, unit: y}
  - {property: frequency, value: 1, unit: mo}
"""
RATE = "      - {name: rate, logicalType: number}\n"
GRADE = """      - name: grade
        logicalType: string
        customProperties: [{property: category, value: true}]
"""
QUALITY = """    quality:
      - {name: enough, metric: rowCount, mustBeGreaterThan: 3, severity: error}
      - name: refunds
        type: sql
        query: "SELECT count(*) FROM {object} WHERE amount_cents > 900000"
        mustBe: 0
      - {name: once, metric: duplicateValues, mustBeLessThan: 50, unit: percent,
         arguments: {properties: [person_id, paid_on]}}
    properties:
"""


def payments(**changed: object) -> pa.Table:
    """Forty payments, some columns changed."""
    columns = {
        "person_id": [f"P{at}" for at in range(40)],
        "paid_on": ["2024-01-05"] * 40,
        "amount_cents": [str(10_000 + at) for at in range(40)],
        "kind": ["pension"] * 40,
        "rate": ["1.5"] * 40,
        **changed,
    }
    return pa.table({name: values for name, values in columns.items() if values is not None})


def home_of(folder: Path, *, drift: str = "{}", quality: str = "    properties:\n") -> Home:
    """The hamlet, with terms in its contract of payments."""
    path = write_hamlet(folder / "hamlet") / "records" / "payments.odcs.yaml"
    text = path.read_text("utf-8").replace(SLA, PERIODS) + TERMS
    text = text.replace("    properties:\n", quality, 1)
    text = text.replace(
        "value: paid_on}]", f"value: paid_on}}, {{property: drift, value: {drift}}}]"
    )
    text = text.replace(RATE, RATE + GRADE)
    path.write_text(text, "utf-8")
    return Home.create(folder / "home", load_jurisdiction(folder / "hamlet"))


def admitted(home: Home, rows: pa.Table, months: int = 0) -> Receipt:
    clock = FixedClock(START + timedelta(days=30 * months))
    return admit_table(home, "payments", rows, clock)


def stored(home: Home) -> int:
    with Records(home) as records:
        return records.arrow("payments").num_rows


GRADED = {"grade": ["a"] * 40}
DRIFTS = {
    "renamed": ("rate", {"rate": None, "rates": ["1.5"] * 40}),
    "dropped": ("rate", {"rate": None}),
    "added": ("colour", {"colour": ["red"] * 40}),
    "retyped": ("paid_on", {"paid_on": ["05.01.2024"] * 40}),
    "unit_jump": ("amount_cents", {"amount_cents": [str(100 + at % 3) for at in range(40)]}),
    "new_category": ("grade", {"grade": ["z"] * 40}),
}


@pytest.mark.parametrize("kind", list(DRIFTS))
def test_each_kind_of_drift_is_named_and_refused_where_the_contract_says_so(
    kind: str, tmp_path: Path
) -> None:
    """Flagged by default and stored; refused by rule, and then nothing at all is stored."""
    column, changed = DRIFTS[kind]
    home = home_of(tmp_path, drift=f"{{{kind}: refuse}}")
    assert admitted(home, payments(**GRADED)).drift == []
    with pytest.raises(Refused, match=kind):
        admitted(home, payments(**{**GRADED, **changed}), months=1)
    assert stored(home) == 40
    assert quarantine.read(home, "payments") == []
    told = receipts(home, "payments")[0]
    assert told["admitted"] == 0
    assert kind in told["refused_because"][0]["wanted"]
    lenient = home_of(tmp_path / "lenient")
    admitted(lenient, payments(**GRADED))
    [drift] = admitted(lenient, payments(**{**GRADED, **changed}), months=1).drift
    assert (drift.kind, drift.column, drift.action) == (kind, column, "flag")


def test_a_jump_of_one_sender_is_seen_where_the_contract_names_senders(tmp_path: Path) -> None:
    """One kind of payment comes in yuan: its own median jumps, that of all does not."""
    home = home_of(tmp_path, drift="{}, }, {property: unitJumpBy, value: kind")
    one = payments(**GRADED).slice(0, 1).to_pydict()
    plain = {name: values * 140 for name, values in one.items()}
    plain["kind"] = ["pension"] * 100 + ["subsidy"] * 40
    plain["person_id"] = [f"P{at}" for at in range(140)]
    admitted(home, pa.table(plain))
    plain["paid_on"] = ["2024-02-05"] * 140
    plain["amount_cents"] = ["10000"] * 100 + ["100"] * 40
    [drift] = admitted(home, pa.table(plain), months=1).drift
    assert (drift.kind, drift.column) == ("unit_jump", "amount_cents")
    assert "where kind is 'subsidy'" in drift.got


def test_quality_is_measured_told_and_refuses_where_it_must(tmp_path: Path) -> None:
    """A rule of severity error refuses; others are told; what stands is measured by command."""
    home = home_of(tmp_path, quality=QUALITY)
    with pytest.raises(Refused, match="enough"):
        admitted(home, payments(**GRADED).slice(0, 2))
    assert stored(home) == 0
    dear = payments(**GRADED, amount_cents=["1000000"] + ["500"] * 39)
    receipt = admitted(home, dear)
    assert receipt.admitted == 40
    assert [(each.rule, each.value, each.ok) for each in receipt.quality] == [
        ("enough", 40.0, True),
        ("refunds", 1.0, False),
        ("once", 0.0, True),
    ]
    assert any("refunds" in str(notice) for notice in receipt.notices)
    assert [each.ok for each in measured(home, "payments")] == [True, False, True]


def test_a_record_set_says_who_answers_for_it_and_whether_it_is_late(tmp_path: Path) -> None:
    """Owner, legal ground and periods come from the contract; lateness from the last receipt."""
    home = home_of(tmp_path)
    admitted(home, payments(**GRADED))
    fresh = standing(home, "payments", FixedClock(START + timedelta(days=20)))
    late = standing(home, "payments", FixedClock(START + timedelta(days=40)))
    assert (fresh.owner, fresh.legal_ground, fresh.retention_days) == (
        "社保局",
        "社会保险法",
        730.5,
    )
    assert (fresh.rows, fresh.batches, fresh.last_admitted_at) == (40, 1, START)
    assert (fresh.late, late.late) == (False, True)
    assert standing(home, "deaths", FixedClock(START)).late is None


OF_SCHEMA, COLUMNS, PERIOD = "value: paid_on}]", "    properties:", "latency, value: 10, unit: d"


def further(name: str, value: str) -> tuple[str, str]:
    """A custom property beside happenedAt."""
    return OF_SCHEMA, f"value: paid_on}}, {{property: {name}, value: {value}}}]"


def ruled(rule: str) -> tuple[str, str]:
    """A quality rule of the schema."""
    return COLUMNS, f"    quality: [{{{rule}}}]\n{COLUMNS}"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((PERIOD, "retention, value: 10, unit: ages"), "a unit of time"),
        ((PERIOD, "retention, value: 0, unit: d"), "a time above 0"),
        (further("drift", "{moved: flag}"), "a kind of drift"),
        (further("drift", "{added: shout}"), "flag or refuse"),
        (further("unitJumpBy", "knd"), "unitJumpBy"),
        (further("pull", "SELECT 1"), "PostgreSQL server"),
        (ruled("metric: rowCont, mustBe: 1"), "a metric"),
        (ruled("metric: rowCount"), "operators"),
        (ruled("metric: rowCount, mustBeBetween: [1]"), "mustBeBetween"),
        (ruled("type: sql, query: DROP TABLE t, mustBe: 1"), "one SELECT"),
    ],
)
def test_terms_that_cannot_be_kept_are_refused(
    change: tuple[str, str], told: str, tmp_path: Path
) -> None:
    """A misspelt term would be a promise that nobody keeps."""
    path = write_hamlet(tmp_path / "hamlet") / "records" / "payments.odcs.yaml"
    path.write_text(path.read_text("utf-8").replace(*change, 1), "utf-8")
    with pytest.raises(Refused, match=told):
        load_jurisdiction(tmp_path / "hamlet")
