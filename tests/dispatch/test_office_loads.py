"""What an office has on its table, counted from the ledger alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
import queues
import sqlalchemy as sa

from base.moment import FixedClock
from dispatch.kept_queue import freshen
from dispatch.office_loads import Load, loads, together
from dispatch.proposal import Proposal, confirm, kept_proposals, propose
from dispatch.transition import move
from dispatch.week import office_week
from scoring.ledger import clue_states, queue_offices

NOW = queues.TUESDAY
FILED = {"case_number": "1", "filed_on": "2026-01-06"}


@pytest.fixture
def at_work(either_ledger: sa.Engine) -> sa.Engine:
    """Nine clues wait at C1 and two at D1; C1 takes three, accepts two and ends two: one a case."""
    queues.wait(either_ledger, {f"c{n}": float(-n) for n in range(9)}, "C1")
    queues.wait(either_ledger, {"d0": 0.0, "d1": 1.0}, "D1")
    ways, clock = queues.ways(exploration_share=0.0), FixedClock(NOW)
    confirm(
        either_ledger, propose(either_ledger, ways, "C1", NOW), by="k", role="dispatcher",
        offices=None, clock=clock,
    )  # fmt: skip
    for clue_id, end, facts, why in (
        ("c0", "case_filed", FILED, ""), ("c1", "unfounded", None, "nothing"),
    ):  # fmt: skip
        for to in ("accepted", "verifying", end):
            move(
                either_ledger, clue_id, to, by="k", role="reviewer", offices=None, expects=None,
                clock=clock, reason=why if to == end else "", facts=facts if to == end else None,
            )  # fmt: skip
    freshen(either_ledger, ways, None, NOW)
    return either_ledger


def test_a_load_counts_what_waits_what_is_in_hand_and_what_came_of_it(at_work: sa.Engine) -> None:
    """Three places were given, so none is proposed; expected is the sum of two probabilities."""
    each = loads(at_work, queues.tree(), None, NOW, NOW - timedelta(days=1))
    told = each["C1"]
    with at_work.connect() as connection:
        query = sa.select(sa.func.sum(clue_states.c.probability)).where(
            clue_states.c.clue_id.in_(["c0", "c1"])
        )
        expected = connection.execute(query).scalar_one()
    assert told == Load(3, 3, 6, 0, 1, 0, 2, pytest.approx(expected), 1)
    assert each["D1"] == Load(capacity=3, waiting=2, proposed=2)
    assert each["P"] == Load(capacity=3)


def test_what_an_office_was_given_this_week_is_counted_whatever_way_it_came(
    at_work: sa.Engine,
) -> None:
    """By a proposal, by hand, from a sister office, and again a week after a first return; what
    came back the same week and went out again is one clue."""
    either = at_work

    def go(clue_id: str, *moves: tuple[str, dict[str, str]], days: int) -> None:
        for to, facts in moves:
            role = "reviewer" if to == "returned" else "dispatcher"
            why = "not ours" if to == "returned" else ""
            clock = FixedClock(NOW + timedelta(days=days))
            move(either, clue_id, to, by="k", role=role, offices=None, expects=None, clock=clock,
                 reason=why, facts=facts)  # fmt: skip

    def given(days: int) -> dict[str, int]:
        now = NOW + timedelta(days=days)
        ways = queues.ways(capacity=9)
        each = loads(either, queues.tree(), None, now, now)
        with either.connect() as connection:
            for office in ("C1", "D1"):
                week = office_week(connection, ways, office, now)
                assert week.ordered == each[office].ordered
        return {office: load.ordered for office, load in each.items() if load.ordered}

    assert given(0) == {"C1": 3}
    again = (("returned", {}), ("triaged", {}), ("dispatched", {}))
    go("c2", *again, days=1)
    assert given(1) == {"C1": 3}
    go("c3", ("triaged", {}), ("dispatched", {}), days=1)
    go("d0", ("triaged", {}), ("dispatched", {"office_id": "C1"}), days=1)
    assert given(1) == {"C1": 5}
    go("c2", *again, days=7)
    go("c3", *again[:2], ("dispatched", {"office_id": "D1"}), days=7)
    assert given(7) == {"C1": 1, "D1": 1}


def by_id(proposal: Proposal) -> str:
    return proposal.place.clue_id


@pytest.mark.parametrize("office", ["C1", "D1", "P"])
def test_proposals_of_the_kept_ranking_are_those_of_a_new_one(
    at_work: sa.Engine, office: str
) -> None:
    """Place, lot, seed, probability and version: nothing is lost by being kept."""
    ways = queues.ways(exploration_share=0.4)
    with at_work.begin() as connection:
        connection.execute(sa.update(queue_offices).values(stale=True))
    freshen(at_work, ways, None, NOW)
    kept, anew = kept_proposals(at_work, office), propose(at_work, ways, office, NOW)
    assert {each.place.clue_id: each for each in kept} == {
        each.place.clue_id: each for each in anew
    }
    assert len(kept) == {"C1": 0, "D1": 2, "P": 0}[office]


def test_a_deadline_that_passed_makes_overdue_and_a_later_day_forgets_endings(
    at_work: sa.Engine,
) -> None:
    """The same ledger looked at forty days later."""
    later = NOW + timedelta(days=40)
    told = loads(at_work, queues.tree(), None, later, later - timedelta(days=30))["C1"]
    assert (told.in_hand, told.overdue, told.cleared, told.ordered) == (1, 1, 0, 0)


def test_an_office_counts_itself_alone_and_offices_add_up(at_work: sa.Engine) -> None:
    """Asked for some offices, no other is named; a city is the sum of what is below it."""
    tree, since = queues.tree(), NOW - timedelta(days=1)
    every = loads(at_work, tree, None, NOW, since)
    city = tree.subtree("C")
    some = loads(at_work, tree, city, NOW, since)
    assert set(some) == city
    assert some == {name: every[name] for name in city}
    whole = together(every, every)
    assert whole == together(every, city) + together(every, set(every) - city)
    assert (whole.waiting, whole.capacity, whole.cases) == (8, 21, 1)
