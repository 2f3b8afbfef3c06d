"""Urgency is declared, adds, and by default is nothing; what-if never promises less for more."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import Refused
from dispatch.ranking import Candidate, rank_clues
from dispatch.rules import DispatchRules, Limitation, Money, Urgency, Waiting, load_dispatch_rules
from dispatch.urgency import urgency_of
from dispatch.what_if import expected_cases, what_if

RAISED = datetime(2025, 1, 1)
ALL = Urgency(
    limitation=Limitation(weight=2, term_days=730, within_days=100),
    waiting=Waiting(weight=1, days=20),
    money=Money(weight=0.5, full=1_000_000),
)


def clue(lag: float | None = None, amount: float | None = None) -> dict[str, object]:
    return {"raised_at": RAISED, "lag_days": lag, "amount_cents": amount}


@given(st.integers(0, 2_000), st.integers(0, 400), st.integers(0, 10**12))
def test_nothing_is_urgent_unless_declared_and_never_more_than_its_weight(
    lag: int, waited: int, amount: int
) -> None:
    """At most the sum of the weights, at least nothing; without rules nothing."""
    moment = RAISED + timedelta(days=waited)
    assert 0 <= urgency_of(ALL, clue(lag, amount), moment) <= 3.5
    assert urgency_of(Urgency(), clue(lag, amount), moment) == 0
    assert urgency_of(ALL, clue(), RAISED) == 0


@given(st.integers(0, 300), st.integers(1, 60))
def test_a_clue_grows_more_urgent_until_its_term_lapses(waited: int, more: int) -> None:
    """630 days old when raised: 100 days are left. Past them nothing can be kept any more."""
    rule = Urgency(limitation=ALL.limitation)
    early = urgency_of(rule, clue(630), RAISED + timedelta(days=waited))
    later = urgency_of(rule, clue(630), RAISED + timedelta(days=waited + more))
    if waited + more <= 100:
        assert later > early
    if waited > 100:
        assert early == later == 0


def test_money_counts_by_orders_of_magnitude() -> None:
    """A thousand of a million is half as urgent; more than all is no more than all."""
    rule = Urgency(money=ALL.money)
    assert urgency_of(rule, clue(amount=1_000), RAISED) == pytest.approx(0.25)
    assert urgency_of(rule, clue(amount=10**9), RAISED) == pytest.approx(0.5)


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=12), st.floats(0.01, 5), st.data())
def test_more_urgent_never_ranks_lower(
    margins: list[float], more: float, data: st.DataObject
) -> None:
    """And the others keep their order among themselves."""
    at = data.draw(st.integers(0, len(margins) - 1))
    plain = [Candidate(f"c{i}", "A", m) for i, m in enumerate(margins)]
    urged = [Candidate(e.clue_id, "A", e.margin, more * (i == at)) for i, e in enumerate(plain)]
    before = [each.clue_id for each in rank_clues(plain, "s")]
    after = [each.clue_id for each in rank_clues(urged, "s")]
    assert after.index(f"c{at}") <= before.index(f"c{at}")
    before.remove(f"c{at}")
    after.remove(f"c{at}")
    assert after == before


@given(st.lists(st.floats(-3, 3), max_size=15), st.integers(0, 6), st.integers(0, 6))
def test_more_hands_never_expect_fewer_cases(margins: list[float], hands: int, more: int) -> None:
    """With exploration and floor; all hands find all that is to be found."""
    rules = DispatchRules.model_validate({"floor": {"share": 0.2}})
    queue = [
        Candidate(f"c{i}", "A", m, 0.0, "young" if i % 3 == 0 else None)
        for i, m in enumerate(margins)
    ]
    chance = {each.clue_id: 1 / (1 + 2.718281828**-each.margin) for each in queue}
    asked = what_if(queue, chance, office_id="A", capacity=hands, more=more, rules=rules)
    assert asked.cases_expected_then >= asked.cases_expected - 1e-9
    everything = expected_cases(queue, chance, len(queue), rules)
    assert everything == pytest.approx(sum(chance.values()))
    told = asked.as_json()
    assert told["more_cases"] == pytest.approx(
        asked.cases_expected_then - asked.cases_expected, abs=1e-3
    )


def test_what_if_counts_in_people() -> None:
    """Two people who verify three clues a week each: six places more, never fewer than none."""
    rules = DispatchRules(clues_a_person_a_week=3, exploration_share=0)
    queue = [Candidate(f"c{i}", "A", 0.0) for i in range(10)]
    chance = dict.fromkeys((each.clue_id for each in queue), 0.1)
    more = what_if(queue, chance, office_id="A", capacity=2, more=2, rules=rules)
    assert (more.places_then, more.as_json()["more_cases"]) == (8, 0.6)
    assert what_if(queue, chance, office_id="A", capacity=2, more=-5, rules=rules).places_then == 0
    with pytest.raises(Refused, match="people"):
        what_if(queue, chance, office_id="A", capacity=2, more=5_000, rules=rules)


def test_rules_are_optional_and_their_faults_are_told(tmp_path: Path) -> None:
    """No file: today's order. A misspelt key: the nearest known one."""
    assert load_dispatch_rules(tmp_path) == DispatchRules()
    assert DispatchRules().urgency.columns == ()
    path = tmp_path / "dispatch.yaml"
    path.write_text("exploration_shar: 0.2\n", "utf-8")
    with pytest.raises(Refused, match="exploration_share"):
        load_dispatch_rules(tmp_path)
    path.write_text("exploration_share: 0.9\nfloor: {share: 0.2}\n", "utf-8")
    with pytest.raises(Refused, match="more than all places"):
        load_dispatch_rules(tmp_path)
    path.write_text("urgency: {money: {weight: 0.5}}\n", "utf-8")
    assert load_dispatch_rules(tmp_path).urgency.columns == ("amount_cents",)
