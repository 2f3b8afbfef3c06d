"""The stability index: nothing moved is 0, a known shift has a known value, missing counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.bilingual import Bilingual
from scoring.bundle import ScoredFeature
from scoring.drift import in_words, reference_of, stability_index

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
    assert in_words(reference.index(draw.normal(0, 1, 2_000).tolist())) == "steady"
    assert in_words(reference.index(draw.normal(1, 1, 2_000).tolist())) == "moved"
    gone = [None if n % 2 else value for n, value in enumerate(then)]
    assert in_words(reference.index(gone)) == "moved"
    kinds = reference_of(feature("category", ("a", "b")), ["a"] * 50 + ["b"] * 50)
    assert in_words(kinds.index(["a"] * 50 + ["b"] * 50)) == "steady"
    assert in_words(kinds.index(["a"] * 50 + ["new"] * 50)) == "moved"
