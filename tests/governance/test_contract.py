"""Contracts: what could let a record be known before it happened is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from base.errors import Refused
from governance.contract import load_contract
from governance.home import Home
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction


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


RATE = "{name: rate, logicalType: number}"
NEEDED = "      - {name: more, logicalType: date, required: true}"
COMPUTED = "      - {name: more, logicalType: number, transformLogic: amount_cents + 1}"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("name: rate, logicalType: number", "name: rate, logicalType: integer", "'rate' as it is"),
        ("name: rate,", "name: rates,", "the column 'rate', as its rows"),
        (RATE, f"{RATE}\n{NEEDED}", "no column 'more' that stored rows cannot be without"),
        (RATE, f"{RATE}\n{COMPUTED}", "no column 'more' that stored rows cannot be without"),
    ],
)
def test_a_contract_that_stored_rows_cannot_follow_is_refused(
    hamlet: Home, hamlet_folder: Path, clock, old: str, new: str, told: str
) -> None:
    """A column removed, retyped, renamed, or one that old rows cannot be without."""
    row = {"person_id": ["P1"], "paid_on": ["2024-01-05"], "amount_cents": ["1"]}
    admit_table(hamlet, "payments", pa.table(row), clock)
    path = hamlet_folder / "records" / "payments.odcs.yaml"
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(Refused, match=told):
        admit_table(Home.open(hamlet.path), "payments", pa.table(row), clock)


@pytest.mark.parametrize("name", ["anhui", "chicago"])
def test_every_contract_here_says_who_answers_for_it_and_how_long_it_is_kept(name: str) -> None:
    """Owner and legal ground; retention, but of registers that stand; how often a batch comes, but
    of outcomes, which come as they come."""
    for record_set, contract in load_jurisdiction(name).contracts.items():
        terms = contract.terms
        assert terms.owner, record_set
        assert terms.legal_ground, record_set
        assert (terms.retention is None) == (record_set in ("persons", "companies"))
        assert (terms.frequency is None) == (record_set == "outcomes")
