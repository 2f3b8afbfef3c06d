"""The deep part of `audit verify`: events of clues are those that the audit told of (P-12)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import hamlet
import pyarrow as pa
import pytest
import sqlalchemy as sa
from ledgers import DAY, Ticking, stand, walk

from base.moment import FixedClock
from clues.register import read_clues
from dispatch import transition
from dispatch.life_cycle import OPEN
from dispatch.outcome import take_outcomes
from dispatch.standing import register
from scoring.audit import verify
from scoring.kept_as_told import STANDING, NotAsTold, check_states
from scoring.ledger import open_ledger, writing
from scoring.ledger.tables import audit, clue_events, clue_states

CHANGES = {
    "edited": sa.update(clue_events).values(reason="x"),
    "lost": sa.delete(clue_events),
    "moved to another office": sa.update(clue_events).values(office_id="B"),
    "said by another": sa.update(clue_events).values(by="somebody"),
}


def seq_of(ledger: sa.Engine, to: str) -> int:
    """The row of the audit that tells of the move to a state."""
    query = sa.select(audit.c.seq).where(audit.c.body.contains(f'"to_state":"{to}"'))
    with ledger.connect() as connection:
        return int(connection.execute(query).scalar_one())


@pytest.mark.parametrize("change", CHANGES)
def test_an_event_that_was_changed_is_found_deep_and_its_row_named(
    either_ledger: sa.Engine, change: str
) -> None:
    """The chain itself is whole: only the digest in it tells."""
    stand(either_ledger, ["c", "d"])
    walk(either_ledger, "c", "verifying")
    assert verify(either_ledger, deep=True).events == 4
    with either_ledger.begin() as connection:
        connection.execute(CHANGES[change].where(clue_events.c.to_state == "accepted"))
    assert verify(either_ledger).ok
    found = verify(either_ledger, deep=True)
    assert not found.ok
    assert found.first_bad == seq_of(either_ledger, "accepted")


def test_an_event_that_nobody_told_of_is_found(either_ledger: sa.Engine) -> None:
    """A move put in beside the audit, and one kept twice."""
    stand(either_ledger, ["c", "d"])
    walk(either_ledger, "c", "accepted")
    query = sa.select(clue_events).where(clue_events.c.to_state == "accepted")
    with either_ledger.begin() as connection:
        row = dict(connection.execute(query).mappings().one())
        del row["event_id"]
        connection.execute(sa.insert(clue_events), [{**row, "clue_id": "d"}])
    assert not verify(either_ledger, deep=True).ok


STANDINGS = {
    "state": ({"state": "case_filed"}, "stands as case_filed (version 4) at B"),
    "office": ({"office_id": "A"}, "its events leave it accepted (version 4) at B"),
    "version": ({"version": 3}, "stands as accepted (version 3) at B"),
    "open": ({"open": False}, "not kept as open or ended"),
}


@pytest.mark.parametrize("what", STANDINGS)
def test_a_clue_that_stands_elsewhere_than_its_events_say_is_found_and_named(
    either_ledger: sa.Engine, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dispatched to another office and accepted there; then its row alone is written over."""
    monkeypatch.setattr("scoring.kept_as_told.STANDING", STANDING.limit(2))
    stand(either_ledger, ["a", "b", "c", "d", "e"])
    move: dict[str, Any] = {"offices": None, "expects": None, "by": "k", "clock": Ticking()}
    transition.move(either_ledger, "c", "triaged", role="dispatcher", **move)
    facts = {"office_id": "B"}
    transition.move(either_ledger, "c", "dispatched", role="dispatcher", facts=facts, **move)
    whole = verify(either_ledger, deep=True, open_states=OPEN)
    assert (whole.ok, whole.states, whole.clue) == (True, 5, None)
    transition.move(either_ledger, "c", "accepted", role="reviewer", **move)
    assert verify(either_ledger, deep=True, open_states=OPEN).ok
    values, reason = STANDINGS[what]
    written = sa.update(clue_states).where(clue_states.c.clue_id == "c").values(values)
    with either_ledger.begin() as connection:
        connection.execute(written)
    assert verify(either_ledger).ok
    found = verify(either_ledger, deep=True, open_states=OPEN)
    assert (found.ok, found.clue) == (False, "c")
    assert found.first_bad == seq_of(either_ledger, "accepted")
    assert reason in str(found.reason)


def test_a_standing_that_no_event_led_to_and_one_that_is_gone_are_found(
    either_ledger: sa.Engine,
) -> None:
    """A clue never moved that stands as a case; a clue taken out; a move that the platform made."""
    rows = [{"clue_id": "r", "office_id": "A", "supervision_model": "m", "raised_at": DAY}]
    with writing(either_ledger) as connection:
        register(connection, pa.Table.from_pylist(rows), at=DAY)
    stand(either_ledger, ["c"])
    changes: list[tuple[sa.Update | sa.Delete, str]] = [
        (sa.update(clue_states).values(state="case_filed"), "r"),
        (sa.delete(clue_states), "c"),
    ]
    assert verify(either_ledger, deep=True).states == 2
    for change, clue in changes:
        with either_ledger.connect() as connection:
            connection.execute(change.where(clue_states.c.clue_id == clue))
            with pytest.raises(NotAsTold, match=f"clue {clue} stands"):
                check_states(connection)
            connection.rollback()
    with either_ledger.begin() as connection:
        connection.execute(sa.update(clue_events).values(to_state="unfounded"))
        connection.execute(
            sa.update(clue_states).where(clue_states.c.clue_id == "c").values(state="unfounded")
        )
    assert not verify(either_ledger, deep=True).ok


def test_outcomes_are_those_that_were_told_of(tmp_path: Path) -> None:
    """Two files, one of many clues; then one word is changed, and one put in."""
    home = hamlet.settled_hamlet(tmp_path, FixedClock(datetime(2026, 1, 1)))
    ledger, clues = open_ledger(home.ledger_url), read_clues(home).to_pylist()
    for day, (name, rows) in enumerate((("one", clues[:1]), ("more", clues[1:4])), 2):
        lines = [f"{row['clue_id']},unfounded,2024-08-01,2024-08-02" for row in rows]
        file = tmp_path / f"{name}.csv"
        file.write_text("\n".join(["clue_id,status,decided_at,reported_at", *lines]), "utf-8")
        assert take_outcomes(home, file, FixedClock(datetime(2026, 1, day)))["refused"] == []
    whole = verify(ledger, deep=True)
    assert (whole.ok, whole.events) == (True, 4)
    changed = sa.update(clue_events).where(clue_events.c.clue_id == clues[2]["clue_id"])
    with ledger.begin() as connection:
        connection.execute(changed.values(to_state="case_filed"))
    found = verify(ledger, deep=True)
    assert not found.ok
    assert found.reason is not None
    assert "outcomes" in found.reason
