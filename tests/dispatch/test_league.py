"""Supervision models side by side, counted as one would by hand."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from told_hamlet import ended, told_hamlet

from base.moment import FixedClock
from dispatch.league import league
from governance.home import Home
from governance.intake import admit_table
from scoring.ledger import clue_states, open_ledger

NOW, SINCE = datetime(2026, 1, 2, 12), datetime(2024, 1, 1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Six clues of A, of which three ended, two as cases; six of B, of which three ended later."""
    made = told_hamlet(tmp_path_factory.mktemp("league"))
    admit_table(made, "outcomes", ended(made, ["B"], datetime(2024, 9, 1)), FixedClock(NOW))
    return made


def counted(home: Home, offices: list[str] | None, now: datetime = NOW) -> tuple[int, ...]:
    (line,) = league(home, open_ledger(home.ledger_url), offices, now, SINCE)
    return line.clues, line.ended, line.judged, line.cases, line.returned


def test_a_model_is_told_by_its_clues_its_outcomes_and_its_cases(home: Home) -> None:
    """For all, for one office, for none; what is not known yet is not counted."""
    assert counted(home, None) == (12, 6, 6, 4, 0)
    assert counted(home, ["A"]) == (6, 3, 3, 2, 0)
    assert counted(home, None, datetime(2024, 8, 1)) == (12, 3, 3, 2, 0)
    ledger = open_ledger(home.ledger_url)
    assert league(home, ledger, [], NOW, SINCE) == []
    assert league(home, ledger, None, NOW, datetime(2025, 1, 1)) == []
    (line,) = league(home, ledger, None, NOW, SINCE)
    assert (line.conversion, line.returned_share) == (pytest.approx(4 / 6), 0)


def test_a_clue_counts_for_the_office_where_it_stands(home: Home, tmp_path: Path) -> None:
    """Handed on from A to B, it is B's; A counts it no longer."""
    ledger = open_ledger(home.ledger_url)
    own = sa.select(clue_states.c.clue_id).where(clue_states.c.office_id == "A").limit(1)
    with ledger.begin() as connection:
        clue_id = connection.execute(own).scalar_one()
        change = sa.update(clue_states).where(clue_states.c.clue_id == clue_id)
        connection.execute(change.values(office_id="B", version=5))
    assert (counted(home, ["A"])[0], counted(home, ["B"])[0]) == (5, 7)
