"""Cases found at real capacity: each office takes the best of its week, ties by expectation."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.errors import Refused
from training.baselines import Ranking
from training.capacity import (
    chance_of_a_place,
    found_at_capacity,
    left_out_note,
    queues_of,
    weekly_places,
)
from training.intervals import Rows, redraw

MONDAY = datetime(2024, 1, 1)
ROOMS = {"north": 1, "south": 2, "closed": 0}


def clues_of(rows: list[tuple[str, int]]) -> pa.Table:
    """Clues from (office, day after a Monday)."""
    return pa.table(
        {
            "office_id": [office for office, _ in rows],
            "raised_at": pa.array(
                [MONDAY + timedelta(days=day) for _, day in rows], "timestamp[us]"
            ),
        }
    )


queued = st.lists(
    st.tuples(
        st.sampled_from(sorted(ROOMS)), st.integers(0, 9), st.integers(0, 2), st.integers(0, 1)
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(queued)
def test_places_are_given_as_by_every_order_of_the_tied(
    rows: list[tuple[str, int, int, int]],
) -> None:
    """All permutations, each office's week served best first: the mean over them is the chance."""
    counts = np.zeros(len(rows))
    orders = list(itertools.permutations(range(len(rows))))
    for order in orders:
        room: dict[tuple[str, int], int] = {}
        for at in sorted(order, key=lambda i: -rows[i][2]):
            week = rows[at][0], rows[at][1] // 7
            if room.setdefault(week, ROOMS[rows[at][0]]) > 0:
                room[week] -= 1
                counts[at] += 1
    queues = queues_of(clues_of([row[:2] for row in rows]), ROOMS)
    chance = chance_of_a_place(np.array([row[2] for row in rows], float), queues)
    assert chance == pytest.approx(counts / len(orders))


def test_cases_found_by_hand() -> None:
    """Two offices, two weeks: the north has one place, and its second-best clue waits in vain."""
    clues = clues_of(
        [("north", 0), ("north", 6), ("north", 7), ("south", 0), ("south", 3), ("south", 4)]
    )
    label = np.array([0, 1, 1, np.nan, 1, 0])
    found = found_at_capacity(
        {"good": np.array([1, 2, 0, 3, 9, 1.0]), "bad": np.array([2, 1, 0, 3, 1, 2.0])},
        label,
        clues,
        ROOMS,
        shares=(1.0,),
    )[0]
    assert found.best == 1
    assert found.found == {"good": pytest.approx(1), "bad": pytest.approx(1 / 3)}
    assert found.short == pytest.approx(5 / 6)


def test_a_clue_without_a_label_takes_a_place() -> None:
    """The unknown stands first; the case behind it is not found."""
    clues = clues_of([("north", 0), ("north", 1)])
    label = np.array([np.nan, 1.0])
    found = found_at_capacity({"order": np.array([2.0, 1.0])}, label, clues, ROOMS, shares=(1.0,))
    assert found[0].found["order"] == 0
    assert found[0].best == 1


def test_half_a_place_is_a_place_every_other_week() -> None:
    """Of 2 places at three quarters: the first is sure, the second there in one week of two."""
    clues = clues_of([("south", day) for day in range(4)])
    queues = queues_of(clues, ROOMS, 0.75)
    assert chance_of_a_place(np.array([4.0, 3, 2, 1]), queues) == pytest.approx([1, 0.5, 0, 0])
    assert chance_of_a_place(np.zeros(4), queues) == pytest.approx([1.5 / 4] * 4)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_no_ranking_finds_more_than_the_labels_own_order(seed: int) -> None:
    """Nor less with more hands; chances never add up to more than the places."""
    draw = np.random.default_rng(seed)
    offices = draw.choice(sorted(ROOMS), 60)
    clues = clues_of(list(zip(offices.tolist(), draw.integers(0, 20, 60).tolist(), strict=True)))
    label = draw.choice([0.0, 1.0, np.nan], 60)
    score = draw.integers(0, 5, 60).astype(float)
    told = found_at_capacity({"any": score}, label, clues, ROOMS, shares=(1.0, 0.6, 0.2))
    for each in told:
        assert each.found["any"] is not None
        assert each.best is not None
        assert each.found["any"] <= each.best + 1e-12
    values = [each.found["any"] for each in told]
    assert values == sorted(values, reverse=True)
    queues = queues_of(clues, ROOMS)
    taken = np.bincount(queues.queue, chance_of_a_place(score, queues))
    room = np.zeros(len(taken))
    room[queues.queue] = queues.places
    assert (taken <= room + 1e-9).all()


def test_weights_count_cases_not_places() -> None:
    """A case of weight 3 that is found, one of weight 1 that is not: three quarters."""
    clues = clues_of([("north", 0), ("north", 1)])
    found = found_at_capacity(
        {"order": np.array([2.0, 1.0])},
        np.array([1.0, 1.0]),
        clues,
        ROOMS,
        shares=(1.0,),
        weight=np.array([3.0, 1.0]),
    )
    assert found[0].found["order"] == pytest.approx(3 / 4)


def test_without_a_case_nothing_is_found_and_nothing_is_nan() -> None:
    """None, not a number; and no clue at all is no queue."""
    clues = clues_of([("north", 0)])
    told = found_at_capacity({"any": np.array([1.0])}, np.array([np.nan]), clues, ROOMS)
    assert {each.best for each in told} == {None}
    assert {each.found["any"] for each in told} == {None}
    nobody = queues_of(clues_of([]).cast(clues.schema), ROOMS)
    assert nobody.short == 0
    assert len(chance_of_a_place(np.zeros(0), nobody)) == 0


def test_a_clue_of_no_declared_office_is_left_out_and_counted() -> None:
    """It takes nobody's place and is no case to be found; every other figure is as without it."""
    rows = [("north", 0), ("north", 1), ("south", 2)]
    label, score = np.array([0.0, 1, 1]), np.array([3.0, 2, 1])
    without = found_at_capacity({"any": score}, label, clues_of(rows), ROOMS)
    nobodys = {"office_id": None, "raised_at": MONDAY}
    more = [*clues_of([*rows, ("west", 0)]).to_pylist(), nobodys]
    clues = pa.Table.from_pylist(more, schema=clues_of(rows).schema)
    with_them = found_at_capacity(
        {"any": np.append(score, [9.0, 8.0])}, np.append(label, [1.0, 1.0]), clues, ROOMS
    )
    assert with_them == without
    assert left_out_note(clues, ROOMS) == (
        "2 clues of no office of offices.yaml are left out of cases found at capacity"
    )
    assert left_out_note(clues_of(rows), ROOMS) is None
    chance = chance_of_a_place(np.zeros(5), queues_of(clues, ROOMS))
    assert np.isnan(chance).tolist() == [False, False, False, True, True]


def test_a_row_without_a_chance_is_left_out_of_redrawn_cases() -> None:
    """Of two cases one has an office, and it is found: all of them."""
    score, label = np.array([3.0, 2, 1]), np.array([1.0, 1, 0])
    rows = Rows(
        label,
        np.array(["a", "b", "c"]),
        {"any": Ranking(score)},
        taken={"any": np.array([1.0, np.nan, 0.5])},
    )
    told = redraw([rows], redraws=4)
    assert told.seen["any"]["cases_found_at_capacity"] == 1


def test_a_share_of_nothing_is_refused() -> None:
    """Named."""
    with pytest.raises(Refused, match="above 0"):
        queues_of(clues_of([("north", 0)]), ROOMS, 0.0)


def test_places_are_those_of_the_jurisdiction(tmp_path: Path) -> None:
    """offices.yaml as declared; none declared is None; a capacity below 0 is refused."""
    anhui = weekly_places(Path(__file__).parents[2] / "jurisdictions" / "anhui")
    assert anhui is not None
    assert len(anhui) == 121
    assert anhui["AH"] == 15
    assert weekly_places(tmp_path) is None
    (tmp_path / "offices.yaml").write_text("offices: [{office_id: a, weekly_capacity: -1}]")
    with pytest.raises(Refused, match="weekly_capacity"):
        weekly_places(tmp_path)
