"""Moves along the life cycle: who may, what is needed, one winner, told once (P-2, P-3)."""

from __future__ import annotations

import os
import random
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import Ticking, stand, walk

from base.errors import CluesError, Conflict, NotAllowed, NotFound, Refused
from base.moment import FixedClock
from dispatch.life_cycle import (
    NOT_BEFORE_RAISED,
    OPEN,
    STATES,
    TRANSITIONS,
    Deadlines,
    load_deadlines,
)
from dispatch.standing import history, open_rows, state_of
from dispatch.transition import move
from governance.checks import NOT_AFTER_NOW
from scoring.idempotency import KeyUsed
from scoring.ledger import open_ledger
from scoring.ledger.tables import audit, clue_events

ROUNDS = int(os.environ.get("CLUES_TEST_ROUNDS", "100"))


@pytest.fixture
def ledger(tmp_path: Path) -> sa.Engine:
    """On SQLite, where the database decides nothing."""
    return open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")


def go(ledger: sa.Engine, clue: str, to: str, role: str = "dispatcher", **more: Any) -> Any:
    """A move by somebody of that role, who sees every office."""
    asked = {"by": f"key-{role}", "offices": None, "expects": None, "clock": Ticking(), **more}
    return move(ledger, clue, to, role=role, **asked)


def test_a_clue_goes_its_whole_way_and_each_step_is_an_event(either_ledger: sa.Engine) -> None:
    """Scored to case filed to case withdrawn; who, when, from, to and the facts are kept."""
    stand(either_ledger, ["c"])
    walk(either_ledger, "c", "verifying")
    facts = {"case_number": "皖检立〔2026〕1号", "filed_on": "2026-01-06"}
    filed = go(either_ledger, "c", "case_filed", "reviewer", facts=facts)
    assert (filed["state"], filed["open"], filed["version"]) == ("case_filed", False, 6)
    go(either_ledger, "c", "case_withdrawn", "case_system", reason="new evidence")
    events = history(either_ledger, "c")
    assert [event["to_state"] for event in events] == [
        "scored", "triaged", "dispatched", "accepted", "verifying", "case_filed", "case_withdrawn",
    ]  # fmt: skip
    assert [event["version"] for event in events] == list(range(1, 8))
    assert events[5]["facts"] == facts
    assert [event["to_admit"] for event in events] == [False] * 5 + [True, True]


@pytest.mark.parametrize("at", sorted(STATES))
def test_only_declared_moves_are_made_and_only_by_their_roles(at: str, tmp_path: Path) -> None:
    """From each state to each state by each role: the table says which; nothing else moves."""
    from dispatch.transition import _allowed

    roles = ("dispatcher", "reviewer", "case_system", "data_scientist", "administrator", "auditor")
    row = {"state": at, "version": 3}
    for to in STATES:
        for role in roles:
            declared = TRANSITIONS.get((at, to))  # type: ignore[arg-type]
            if declared is None:
                with pytest.raises(Conflict) as told:
                    _allowed(row, to, role, None)
                assert told.value.values == row
            elif role in declared.roles:
                assert _allowed(row, to, role, at).to == to
            else:
                with pytest.raises(NotAllowed):
                    _allowed(row, to, role, at)


def test_an_administrator_and_a_scientist_move_nothing() -> None:
    """An administrator neither scores nor decides."""
    moving = set().union(*(move.roles for move in TRANSITIONS.values()))
    assert moving == {"dispatcher", "reviewer", "case_system", "platform"}
    assert all((state, "withdrawn") in TRANSITIONS for state in OPEN)


@pytest.mark.parametrize(
    ("to", "more", "wanted"),
    [
        ("case_filed", {"facts": {"case_number": "1"}}, "filed_on"),
        ("case_filed", {"facts": {"case_number": " ", "filed_on": "tomorrow"}}, "filed_on"),
        ("returned", {"reason": "  "}, "reason"),
        ("transferred", {"reason": "theirs"}, "authority"),
        ("unfounded", {"reason": "x" * 2001}, "reason"),
        ("unfounded", {"reason": "checked", "facts": {"case_number": "1"}}, "case_number"),
        ("lost", {}, "to"),
    ],
)
def test_a_move_without_what_it_needs_is_refused_and_changes_nothing(
    either_ledger: sa.Engine, to: str, more: dict[str, Any], wanted: str
) -> None:
    """Every fault is named; the clue stays where it was."""
    stand(either_ledger, ["c"])
    walk(either_ledger, "c", "verifying")
    with pytest.raises(Refused) as told:
        go(either_ledger, "c", to, "reviewer", **more)
    assert wanted in [fault.where for fault in told.value.faults]
    assert state_of(either_ledger, "c")["version"] == 5


@pytest.mark.parametrize(
    ("filed_on", "wanted"),
    [
        ("2999-01-01", NOT_AFTER_NOW),
        ("2026-01-07", NOT_AFTER_NOW),
        ("2026-01-04", NOT_BEFORE_RAISED),
        ("1999-01-01", NOT_BEFORE_RAISED),
    ],
)
def test_a_case_is_filed_neither_later_than_now_nor_before_its_clue_was_raised(
    ledger: sa.Engine, filed_on: str, wanted: str
) -> None:
    """As an outcome is decided, in the same words; today is never refused."""
    stand(ledger, ["c"])
    walk(ledger, "c", "verifying")
    facts = {"case_number": "1", "filed_on": filed_on}
    with pytest.raises(Refused) as told:
        go(ledger, "c", "case_filed", "reviewer", facts=facts)
    assert [(fault.where, fault.wanted) for fault in told.value.faults] == [("filed_on", wanted)]
    assert filed_on not in str(told.value)
    long_after = FixedClock(datetime(2027, 3, 1, 8))
    facts["filed_on"] = "2027-03-01"
    filed = go(ledger, "c", "case_filed", "reviewer", facts=facts, clock=long_after)
    assert filed["state"] == "case_filed"


def test_a_case_is_filed_today_where_a_simulated_clue_was_raised_later(ledger: sa.Engine) -> None:
    """The clock stands before the year that was simulated: its day is taken, the one before not."""
    stand(ledger, ["c"])
    walk(ledger, "c", "verifying")
    before = FixedClock(datetime(2025, 6, 1, 8))
    facts = {"case_number": "1", "filed_on": "2025-05-31"}
    with pytest.raises(Refused, match=NOT_BEFORE_RAISED):
        go(ledger, "c", "case_filed", "reviewer", facts=facts, clock=before)
    facts["filed_on"] = "2025-06-01"
    assert go(ledger, "c", "case_filed", "reviewer", facts=facts, clock=before)["version"] == 6


def test_a_stale_look_gets_a_conflict_that_says_where_the_clue_is(
    either_ledger: sa.Engine,
) -> None:
    """By state and by version."""
    stand(either_ledger, ["c"])
    for stale in ("raised", 7):
        with pytest.raises(Conflict) as told:
            go(either_ledger, "c", "triaged", expects=stale)
        assert told.value.values == {"state": "scored", "version": 1}
    assert go(either_ledger, "c", "triaged", expects=1)["version"] == 2
    assert go(either_ledger, "c", "dispatched", expects="triaged")["version"] == 3


def test_another_offices_clue_is_as_absent_as_none(either_ledger: sa.Engine) -> None:
    """P-10: the same words for both; nor can a clue join one that the mover may not see."""
    stand(either_ledger, ["c"], office="B")
    stand(either_ledger, ["mine"], office="A")
    told = []
    for clue in ("c", "nowhere"):
        with pytest.raises(NotFound) as error:
            go(either_ledger, clue, "triaged", offices={"A"})
        told.append(str(error.value))
    assert told[0] == told[1]
    with pytest.raises(Refused, match="of your offices to join"):
        go(either_ledger, "mine", "merged", offices={"A"}, reason="same", facts={"into": "c"})
    with pytest.raises(Refused, match="an office of yours"):
        go(either_ledger, "mine", "triaged", offices={"A"}, facts={"office_id": "B"})


def test_merged_and_parted_returned_and_supplemented(either_ledger: sa.Engine) -> None:
    """The by-ways: each comes back to the way."""
    stand(either_ledger, ["c", "d"])
    merged = go(either_ledger, "c", "merged", reason="same subject", facts={"into": "d"})
    assert (merged["merged_into"], merged["open"]) == ("d", False)
    with pytest.raises(Refused):
        go(either_ledger, "d", "merged", reason="a ring", facts={"into": "c"})
    apart = go(either_ledger, "c", "triaged", reason="another ground after all")
    assert (apart["merged_into"], apart["open"]) == (None, True)
    sent = go(either_ledger, "c", "dispatched", facts={"office_id": "B"})
    assert sent["office_id"] == "B"
    back = go(either_ledger, "c", "returned", "reviewer", reason="not ours")
    assert (back["open"], back["accept_until"]) == (True, None)
    go(either_ledger, "c", "triaged")
    walk_on = [("dispatched", "dispatcher"), ("accepted", "reviewer"), ("verifying", "reviewer")]
    for to, role in walk_on:
        go(either_ledger, "c", to, role)
    go(either_ledger, "c", "supplement", "reviewer", reason="bank statements")
    assert go(either_ledger, "c", "verifying", reason="they came")["state"] == "verifying"


def test_deadlines_count_from_the_dispatch_over_declared_working_days(tmp_path: Path) -> None:
    """Three working days over a holiday and a Saturday that is worked; thirty days to verify."""
    (tmp_path / "deadlines.yaml").write_text(
        "verify_days: 20\nholidays: [2026-01-05, 2026-01-06]\nworkdays: [2026-01-10]\n", "utf-8"
    )
    friday = datetime(2026, 1, 2, 15)
    assert load_deadlines(tmp_path).of(friday) == {
        "accept_until": datetime(2026, 1, 9, 15),
        "verify_until": datetime(2026, 1, 22, 15),
    }
    assert load_deadlines(tmp_path).of(friday + timedelta(days=6))["accept_until"] == datetime(
        2026, 1, 12, 15
    )
    assert Deadlines().of(friday)["accept_until"] == datetime(2026, 1, 7, 15)


def test_the_same_key_again_gets_the_same_answer_and_changes_nothing(
    either_ledger: sa.Engine,
) -> None:
    """P-2: also when the clue has moved on, and when the answer was a conflict."""
    stand(either_ledger, ["c"])
    first = go(either_ledger, "c", "triaged", idempotency_key="k1", expects="scored")
    go(either_ledger, "c", "dispatched")
    assert go(either_ledger, "c", "triaged", idempotency_key="k1", expects="scored") == first
    told = []
    for _ in range(2):
        with pytest.raises(Conflict) as error:
            go(either_ledger, "c", "triaged", idempotency_key="k2", expects="scored")
        told.append((str(error.value), error.value.values))
        if len(told) == 1:
            go(either_ledger, "c", "accepted", "reviewer")
    assert told[0] == told[1]
    with pytest.raises(KeyUsed):
        go(either_ledger, "c", "withdrawn", idempotency_key="k1", reason="other request")
    assert len(history(either_ledger, "c")) == 4
    assert go(either_ledger, "c", "verifying", "reviewer", idempotency_key="k1")["version"] == 5


def test_open_clues_of_an_office_come_by_an_index(either_ledger: sa.Engine) -> None:
    """Only its own, best first; SQLite says which index it uses."""
    stand(either_ledger, ["a1", "a2"], office="A")
    stand(either_ledger, ["b1"], office="B")
    go(either_ledger, "a1", "withdrawn", reason="corrected")
    with either_ledger.connect() as connection:
        assert [row["clue_id"] for row in open_rows(connection, {"A"})] == ["a2"]
        assert {row["clue_id"] for row in open_rows(connection, None)} == {"a2", "b1"}
        if either_ledger.dialect.name == "sqlite":
            plan = connection.execute(
                sa.text(
                    "EXPLAIN QUERY PLAN SELECT clue_id FROM clue_states"
                    " WHERE office_id = 'A' AND open ORDER BY margin DESC"
                )
            ).all()
            assert "ix_clue_states_queue" in str(plan)


def test_of_many_who_try_at_once_one_wins(either_ledger: sa.Engine) -> None:
    """P-3: 2 to 64 at one clue, each to another state; the rest are told where it stands.

    CLUES_TEST_ROUNDS sets how many rounds there are.
    """
    draw = random.Random(7)
    clues = [f"c{number}" for number in range(ROUNDS)]
    stand(either_ledger, clues)
    for clue in clues:
        walk(either_ledger, clue, "dispatched")
    moves = [
        ("accepted", "reviewer", {}),
        ("returned", "reviewer", {"reason": "not ours"}),
        ("withdrawn", "dispatcher", {"reason": "corrected"}),
    ]
    for clue in clues:
        tries = draw.choice([2, 3, 4, 6, 8, 16]) if draw.random() < 0.97 else 64
        asked = [draw.choice(moves) for _ in range(tries)]
        told = at_once(either_ledger, clue, asked)
        won = [each for each in told if isinstance(each, dict)]
        lost = [each for each in told if isinstance(each, Conflict)]
        assert (len(won), len(lost)) == (1, tries - 1), told
        stands = {"state": won[0]["state"], "version": won[0]["version"]}
        assert all(each.values == stands for each in lost)
        assert state_of(either_ledger, clue)["version"] == 4
    with either_ledger.connect() as connection:
        events = connection.scalar(sa.select(sa.func.count()).select_from(clue_events))
        moved = connection.scalar(
            sa.select(sa.func.count()).select_from(audit).where(audit.c.kind == "transition")
        )
    assert events == 4 * ROUNDS
    assert moved == 3 * ROUNDS


def at_once(ledger: sa.Engine, clue: str, asked: list[Any]) -> list[Any]:
    """Every try in a thread of its own, all let go together."""
    told: list[Any] = [None] * len(asked)
    gate = threading.Barrier(len(asked))

    def attempt(at: int) -> None:
        to, role, more = asked[at]
        gate.wait()
        try:
            told[at] = go(ledger, clue, to, role, expects="dispatched", **more)
        except CluesError as error:
            told[at] = error

    threads = [threading.Thread(target=attempt, args=(at,)) for at in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return told


def test_the_same_request_at_once_is_done_once(either_ledger: sa.Engine) -> None:
    """P-2 under concurrency: eight of the same key, one event, one answer."""
    stand(either_ledger, ["c"])
    told: list[Any] = []
    clock = FixedClock(datetime(2026, 1, 6))

    def attempt() -> None:
        told.append(
            go(either_ledger, "c", "triaged", idempotency_key="k", expects="scored", clock=clock)
        )

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(told) == 8
    assert all(each == told[0] for each in told)
    assert len(history(either_ledger, "c")) == 2
