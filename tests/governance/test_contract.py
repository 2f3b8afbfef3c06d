"""Contracts: what could let a record be known before it happened is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from base.errors import Refused
from governance.contract import load_contract


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
