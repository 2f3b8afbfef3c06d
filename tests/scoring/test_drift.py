"""The stability index: nothing moved is 0, a known shift has a known value, missing counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.bilingual import Bilingual
from scoring.bundle import ScoredFeature
from scoring.drift import (
    by_chance,
    reference_of,
    stability_index,
    stretches_of,
)

SENTENCE = Bilingual(zh="甲{value}", en="a {value}")
numbers = st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9)), min_size=1, max_size=60)


def feature(kind: str = "numeric", categories: tuple[str, ...] = ()) -> ScoredFeature:
    return ScoredFeature(
        name="a", type=kind, show="number", window_days=None, sentence=SENTENCE,
        categories=categories, missing_share=0.0,
    )  # fmt: skip


@given(rows=numbers)
def test_the_training_rows_themselves_have_not_moved(rows: list[float | None]) -> None:
    """Index 0, every row in one bin, whatever values there are."""
    reference = reference_of(feature(), rows)
    assert reference.counts.sum() == len(rows)
    assert reference.index(rows) == pytest.approx(0, abs=1e-12)


@given(then=numbers, now=numbers)
def test_the_index_is_never_negative_and_every_row_counts(
    then: list[float | None], now: list[float | None]
) -> None:
    """A sum of (a - b) ln(a / b): each term is at least 0."""
    reference = reference_of(feature(), then)
    assert reference.count(now).sum() == len(now)
    assert reference.index(now) >= 0


def test_a_known_shift_has_the_value_computed_by_hand() -> None:
    """Two bins, 30:70 then 70:30, half a clue added to each."""
    then, now = np.array([30.0, 70.0]), np.array([70.0, 30.0])
    low, high = 30.5 / 101, 70.5 / 101
    wanted = (high - low) * math.log(high / low) * 2
    assert stability_index(then, now) == pytest.approx(wanted, abs=1e-12)


def test_a_shift_a_new_category_and_missing_values_are_found() -> None:
    """Each alone lifts the index over the threshold; a small change does not."""
    draw = np.random.default_rng(1)
    then = draw.normal(0, 1, 2_000).tolist()
    reference = reference_of(feature(), then)
    assert reference.drift(draw.normal(0, 1, 2_000).tolist()).state == "steady"
    assert reference.drift(draw.normal(1, 1, 2_000).tolist()).state == "moved"
    gone = [None if n % 2 else value for n, value in enumerate(then)]
    assert reference.drift(gone).state == "moved"
    kinds = reference_of(feature("category", ("a", "b")), ["a"] * 50 + ["b"] * 50)
    assert kinds.drift(["a"] * 50 + ["b"] * 50).state == "steady"
    assert kinds.drift(["a"] * 50 + ["new"] * 50).state == "moved"


@pytest.mark.parametrize("count", [12, 40, 400])
def test_few_clues_of_an_unmoved_world_are_hardly_ever_beyond_chance(count: int) -> None:
    """Of 150 samples at most two lie further off than `by_chance`, where the bare bound
    would cry of every sample of a dozen."""
    draw = np.random.default_rng(count)
    reference = reference_of(feature(), draw.normal(0, 1, 2_000).tolist())
    found = [reference.drift(draw.normal(0, 1, count).tolist()) for _ in range(150)]
    assert sum(each.beyond(0.0) for each in found) <= 2
    if count == 12:
        assert sum(each.index > 0.25 for each in found) > 75
    assert reference.drift(draw.normal(3, 1, count).tolist()).beyond(0.25)


def test_a_level_that_differs_in_every_year_has_moved_only_where_it_goes_further() -> None:
    """Three years of a level of their own each, 0, 1 and 2: another year at 1 is as usual, one at 9
    is not, and by the bound alone both have moved. A steady feature moves as it ever did."""
    draw = np.random.default_rng(2)
    moments = np.repeat(np.arange(36), 30)

    def year(level: float) -> list[float]:
        return (level + draw.uniform(-0.4, 0.4, 360)).tolist()

    reference = reference_of(feature(), [*year(0), *year(1), *year(2)])
    stretches = stretches_of(moments, 12)
    again, beyond = year(1), year(9)
    assert (reference.drift(again).state, reference.drift(beyond).state) == ("moved", "moved")
    assert reference.drift(again, stretches).state == "moving"
    assert reference.drift(beyond, stretches).state == "moved"
    steady = reference_of(feature(), draw.normal(0, 1, len(moments)).tolist())
    assert steady.drift(draw.normal(1, 1, 300).tolist(), stretches).state == "moved"


@given(
    moments=st.lists(st.integers(0, 10**6), min_size=0, max_size=80).map(sorted),
    span=st.integers(0, 10**6),
)
def test_stretches_are_as_long_as_asked_or_half_and_the_newest_rows_are_in_one(
    moments: list[int], span: int
) -> None:
    """Never all rows and never none of them; no two rows of one stretch lie further apart."""
    times = np.array(moments, np.int64)
    found = stretches_of(times, span)
    if len(set(moments)) < 2:
        assert found == []
        return
    half = -(-(moments[-1] + 1 - moments[0]) // 2)
    for each in found:
        assert each.any()
        assert not each.all()
        assert times[each].max() - times[each].min() < max(1, min(span, half))
    assert any(each[-1] for each in found)


def test_the_chance_of_no_clues_is_none() -> None:
    """Nothing to compare is not infinitely far."""
    assert by_chance(np.zeros(3), np.array([1.0, 2.0, 0.0])) == 0.0
