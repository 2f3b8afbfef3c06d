"""Contracts: what could let a record be known before it happened is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from base.errors import Refused
from governance.contract import load_contract
from governance.home import Home
from governance.intake import admit_table


@pytest.mark.parametrize(
    ("latency", "told"),
    [
        ("{property: latency, value: -1, unit: d}", "a latency of 0 or more"),
        ("{property: latency, value: soon, unit: d}", "a latency of 0 or more"),
        ("{property: latency, value: .nan, unit: d}", "a latency of 0 or more"),
        ("{property: latency, value: 1, unit: weeks}", "a unit of latency"),
    ],
)
def test_a_latency_that_is_none_is_refused(hamlet_folder: Path, latency: str, told: str) -> None:
    """Below 0 a feature would see what is still to come."""
    path = hamlet_folder / "records" / "payments.odcs.yaml"
    text = path.read_text("utf-8").partition("slaProperties:")[0]
    path.write_text(f"{text}\nslaProperties:\n  - {latency}\n", "utf-8")
    with pytest.raises(Refused) as refusal:
        load_contract(path)
    assert told in str(refusal.value)
    assert "payments.odcs.yaml: latency" in str(refusal.value)


RATE, MORE = "{name: rate, logicalType: number}", "      - {name: more, logicalType: date}"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: rate, logicalType: number", "name: rate, logicalType: integer", "'rate' as it is"),
        ("name: rate,", "name: rates,", "no column 'rates'"),
        (RATE, f"{RATE}\n{MORE}", "'more'"),
    ],
)
def test_a_contract_with_other_columns_than_the_stored_ones_is_refused(
    hamlet: Home, hamlet_folder: Path, clock, old: str, new: str, told: str
) -> None:
    """Files of two shapes in one table would be read by whichever comes first."""
    row = {"person_id": ["P1"], "paid_on": ["2024-01-05"], "amount_cents": ["1"]}
    admit_table(hamlet, "payments", pa.table(row), clock)
    path = hamlet_folder / "records" / "payments.odcs.yaml"
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(Refused, match=told):
        admit_table(Home.open(hamlet.path), "payments", pa.table(row), clock)
