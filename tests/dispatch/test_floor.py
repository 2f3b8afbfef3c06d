"""Two kinds of lots: the probabilities stay exact, and a new supervision model gets seen."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import Refused
from dispatch.lots import Below, Drawn, Lots
from dispatch.ranking import Candidate, fill_capacity

MODELS = (None, None, "young", "younger")
queues = st.lists(
    st.tuples(st.integers(-3, 3), st.sampled_from(MODELS), st.sampled_from([0.0, 0.5])),
    max_size=25,
)
shares = st.tuples(st.floats(0, 0.6), st.floats(0, 0.4))


def waiting(values: list[tuple[int, str | None, float]]) -> list[Candidate]:
    return [
        Candidate(f"c{at}", "A", float(margin), urgency, model)
        for at, (margin, model, urgency) in enumerate(values)
    ]


@given(queues, st.integers(0, 30), shares, st.text(max_size=5))
def test_places_are_filled_and_the_probabilities_add_up_to_them(
    values: list[tuple[int, str | None, float]],
    capacity: int,
    share: tuple[float, float],
    seed: str,
) -> None:
    """With exploration and floor at once; no clue is lost; who is drawn is marked."""
    explore, floor = share
    ranked = fill_capacity(
        waiting(values), capacity, exploration_share=explore, floor_share=floor, seed=seed
    )
    places = min(capacity, len(values))
    assert sorted(each.clue_id for each in ranked) == sorted(
        each.clue_id for each in waiting(values)
    )
    assert sum(each.within_capacity for each in ranked) == places
    assert sum(each.drawing_probability for each in ranked) == pytest.approx(places, abs=1e-9)
    assert all(0 <= each.drawing_probability <= 1 for each in ranked)
    assert all(each.drawing_probability > 0 for each in ranked if each.within_capacity)
    assert all(each.exploration for each in ranked if each.floor)
    assert all(each.within_capacity for each in ranked if each.exploration)
    told = [each.margin + each.urgency for each in ranked]
    assert told == sorted(told, reverse=True)


@given(st.integers(0, 40), st.integers(0, 20), shares, st.integers(0, 20))
def test_both_counts_have_their_expectation_and_fit_into_the_places(
    clues: int, places: int, share: tuple[float, float], new: int
) -> None:
    """Over all scenarios; one number rounds both, so that together they never exceed the places."""
    places, new = min(places, clues), min(new, clues)
    lots = Lots.expecting(clues, places, share[0], floor_share=share[1], new=new)
    scenarios = list(lots.scenarios())
    assert sum(weight for weight, _ in scenarios) == pytest.approx(1)
    assert sum(w * drawn.explore for w, drawn in scenarios) == pytest.approx(lots.explore)
    assert sum(w * drawn.floor for w, drawn in scenarios) == pytest.approx(lots.floor)
    for _, drawn in scenarios:
        assert drawn.explore >= 0
        assert drawn.floor >= 0
        assert drawn.all <= places


@given(st.dictionaries(st.text(max_size=2), st.integers(1, 6), max_size=4), st.integers(0, 12))
def test_turns_hand_out_exactly_the_lots_there_are(new: dict[str, int], lots: int) -> None:
    """The chances over all clues of new models add up to the lots, as far as there are clues."""
    chances = Below(sum(new.values()) + 5, new).by_floor(lots)
    handed = sum(chances[name] * count for name, count in new.items())
    assert handed == pytest.approx(min(lots, sum(new.values())))
    assert all(0 <= chance <= 1 + 1e-12 for chance in chances.values())


@pytest.mark.parametrize(
    ("capacity", "explore", "floor"), [(3, 0.1, 0.2), (1, 0.3, 0.3), (8, 0.25, 0.5), (2, 0, 1)]
)
def test_a_clue_is_dispatched_as_often_as_its_probability_says(
    capacity: int, explore: float, floor: float
) -> None:
    """The oracle is counting: 3,000 drawings, each clue within 5 standard errors."""
    models = [None] * 6 + ["young"] * 3 + [None] + ["younger"]
    queue = [Candidate(f"c{at}", "A", -float(at), 0.0, m) for at, m in enumerate(models)]
    weeks, counts = 3_000, Counter[str]()
    for week in range(weeks):
        ranked = fill_capacity(
            queue, capacity, exploration_share=explore, floor_share=floor, seed=f"w{week}"
        )
        counts.update(each.clue_id for each in ranked if each.within_capacity)
    for each in ranked:
        chance = each.drawing_probability
        error = (chance * (1 - chance) / weeks) ** 0.5
        assert abs(counts[each.clue_id] / weeks - chance) <= 5 * error + 1e-9


def test_a_new_supervision_model_gets_seen_though_it_stands_last() -> None:
    """A fifth of five places: a clue of it comes up every week; without a floor, never."""
    queue = [Candidate(f"c{at}", "A", 1.0) for at in range(95)]
    queue += [Candidate(f"n{at}", "A", -5.0, 0.0, "young") for at in range(5)]

    def seen(floor: float) -> int:
        weeks = (
            fill_capacity(queue, 5, exploration_share=0, floor_share=floor, seed=str(week))
            for week in range(50)
        )
        return sum(any(e.floor and e.clue_id[0] == "n" for e in ranked) for ranked in weeks)

    assert seen(0.2) == 50
    assert seen(0.0) == 0


def test_no_new_model_means_no_floor_and_todays_order() -> None:
    """Declaring a floor changes nothing where every supervision model is known."""
    queue = [Candidate(f"c{at}", "A", float(at % 7)) for at in range(30)]
    plain = fill_capacity(queue, 6, exploration_share=0.1, seed="s")
    assert fill_capacity(queue, 6, exploration_share=0.1, floor_share=0.5, seed="s") == plain


def test_shares_beyond_all_places_are_refused() -> None:
    """Exploration and floor come out of the same places."""
    with pytest.raises(Refused, match="at most 1 together"):
        fill_capacity([], 3, exploration_share=0.7, floor_share=0.4, seed="s")


def test_drawn_lots_count_both_kinds() -> None:
    """What is taken from the places that go by score."""
    assert Drawn(floor=2, explore=1).all == 3
