"""Ranking under capacity: best first, ties by lot, a known share drawn from below the line."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import Conflict, Refused
from base.moment import FixedClock
from dispatch.deadlines import accept_until, verify_until
from dispatch.order import give_orders, ordered_clues
from dispatch.ranking import Candidate, fill_capacity, rank_clues
from scoring.ledger import open_ledger

margins = st.lists(st.integers(-3, 3), max_size=25)


def candidates(values: list[int]) -> list[Candidate]:
    return [Candidate(f"c{at}", "AH0101", float(value)) for at, value in enumerate(values)]


@given(margins, st.integers(0, 30), st.floats(0, 1), st.text(max_size=5))
def test_capacity_is_filled_and_the_probabilities_add_up_to_the_places(
    values: list[int], capacity: int, share: float, seed: str
) -> None:
    """Places = min(capacity, clues) = the sum of the probabilities; who is certain is within."""
    ranked = fill_capacity(candidates(values), capacity, exploration_share=share, seed=seed)
    places = min(capacity, len(values))
    assert sum(each.within_capacity for each in ranked) == places
    assert sum(each.drawing_probability for each in ranked) == pytest.approx(places)
    assert all(0 <= each.drawing_probability <= 1 for each in ranked)
    assert all(each.drawing_probability > 0 for each in ranked if each.within_capacity)
    assert all(each.within_capacity for each in ranked if each.drawing_probability == 1)
    assert all(each.within_capacity for each in ranked if each.exploration)
    assert {each.seed for each in ranked} <= {seed}
    assert [each.rank for each in ranked] == list(range(1, len(values) + 1))
    assert [each.margin for each in ranked] == sorted(map(float, values), reverse=True)


@given(margins, st.text(max_size=5), st.randoms())
def test_the_order_does_not_depend_on_how_clues_arrive(
    values: list[int], seed: str, shuffler: object
) -> None:
    """Ties are broken by lot, the same lot for the same seed."""
    given_once = candidates(values)
    shuffled = list(given_once)
    shuffler.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank_clues(given_once, seed) == rank_clues(shuffled, seed)


def test_another_seed_breaks_ties_otherwise() -> None:
    """No clue is first for ever because of its number."""
    tied = candidates([0] * 20)
    firsts = {rank_clues(tied, f"week {week}")[0].clue_id for week in range(30)}
    assert len(firsts) > 5


@pytest.mark.parametrize(("capacity", "share"), [(4, 0.1), (1, 0.1), (10, 0.25), (11, 0.9)])
def test_a_clue_comes_within_capacity_as_often_as_its_probability_says(
    capacity: int, share: float
) -> None:
    """The oracle is counting: 4,000 drawings, each rank within 5 standard errors. No clue is out
    of reach, also where the share of the places is less than one of them.
    """
    weeks = 4_000
    counts = [0] * 14
    chances: list[float] = []
    for week in range(weeks):
        ranked = fill_capacity(
            candidates(list(range(14))), capacity, exploration_share=share, seed=str(week)
        )
        chances = [each.drawing_probability for each in ranked]
        for at, each in enumerate(ranked):
            counts[at] += each.within_capacity
    for count, chance in zip(counts, chances, strict=True):
        assert chance > 0
        error = (chance * (1 - chance) / weeks) ** 0.5
        assert abs(count / weeks - chance) <= 5 * error + 1e-12


def test_every_clue_below_the_line_is_drawn_about_as_often() -> None:
    """Over many weeks each of 10 clues below the line comes up near 1/10 of the time."""
    counts = dict.fromkeys((f"c{at}" for at in range(9, 20)), 0)
    weeks = 2_000
    for week in range(weeks):
        ranked = fill_capacity(
            candidates([5] * 9 + [0] * 11), 10, exploration_share=0.1, seed=str(week)
        )
        for each in ranked:
            counts[each.clue_id] = counts.get(each.clue_id, 0) + each.exploration
    lots = [count for clue, count in counts.items() if int(clue[1:]) >= 9]
    assert sum(lots) == weeks
    assert max(lots) < 2 * weeks / 11
    assert min(lots) > weeks / 22


def test_an_impossible_share_or_capacity_is_refused() -> None:
    """More than everything cannot be drawn."""
    for share, capacity in ((1.1, 5), (-0.1, 5), (0.1, -1)):
        with pytest.raises(Refused):
            fill_capacity([], capacity, exploration_share=share, seed="s")


def test_deadlines_skip_weekends_for_acceptance_only() -> None:
    """From Thursday: three working days end on Tuesday, thirty days on a Saturday."""
    thursday = datetime(2026, 1, 1, 9)
    assert accept_until(thursday) == datetime(2026, 1, 6, 9)
    assert verify_until(thursday) == datetime(2026, 1, 31, 9)


def test_a_clue_is_ordered_once_and_a_stale_queue_orders_nothing(
    tmp_path: object, clock: FixedClock
) -> None:
    """One of two was ordered before: Conflict, and the other is not ordered either."""
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    ranked = fill_capacity(candidates([2, 1, 0]), 3, exploration_share=0, seed="s")
    give_orders(ledger, ranked[:1], by="Li", clock=clock)
    with pytest.raises(Conflict):
        give_orders(ledger, ranked, by="Li", clock=clock)
    assert list(ordered_clues(ledger)) == ["c0"]
    assert ordered_clues(ledger)["c0"]["accept_until"] == datetime(2026, 1, 7, 12)
