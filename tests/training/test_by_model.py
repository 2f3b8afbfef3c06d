"""A test split up by group: counts add up, few outcomes are shrunk, many are told as they are."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.bilingual import Bilingual
from base.errors import Refused
from training.by_model import by_group, figures_by_group, group_shifts, model_lines
from training.figure_table import DASH, Footnotes

Floats = npt.NDArray[np.float64]


def scores_of(probability: Floats, label: Floats, group: npt.NDArray[np.int64]) -> pa.Table:
    """Test rows as training keeps them, by one column of groups."""
    names = [f"m{at}" for at in group]
    return pa.table(
        {
            "clue_id": [f"c{at}" for at in range(len(label))],
            "supervision_model": names,
            "office_id": names,
            "function": ["civil"] * len(label),
            "raised_at": [datetime(2024, 1, 1)] * len(label),
            "label": pa.array(label, from_pandas=True),
            "probability": probability,
            "score_scorer": probability,
        }
    )


def shifted(
    seed: int, spread: float, sizes: list[int]
) -> tuple[Floats, Floats, npt.NDArray, Floats]:
    """Said, came, group, and the share of cases that is true of each group."""
    draw = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(sizes)), sizes)
    odds = draw.normal(-2, 0.7, len(group))
    true = 1 / (1 + np.exp(-odds - draw.normal(0.2, spread, len(sizes))[group]))
    label = (draw.random(len(group)) < true).astype(float)
    share = np.bincount(group, true) / np.bincount(group)
    return 1 / (1 + np.exp(-odds)), label, group, share


def test_shrunk_shares_lie_nearer_the_truth_and_intervals_hold_it() -> None:
    """30 worlds of 20 groups of 10 to 200 clues: closer than what came and than what was said."""
    sizes = [10, 20, 40, 80, 200] * 4
    error: dict[str, list[float]] = {"came": [], "said": [], "shrunk": []}
    held = 0
    for seed in range(30):
        said, label, group, share = shifted(seed, 0.6, sizes)
        found = figures_by_group(scores_of(said, label, group), "supervision_model")
        for each in found:
            true = share[int(each.value[1:])]
            for name, told in error.items():
                told.append((getattr(each, name) - true) ** 2)
            assert each.low is not None
            assert each.high is not None
            held += each.low <= true <= each.high
    mean = {name: float(np.mean(told)) for name, told in error.items()}
    assert mean["shrunk"] < 0.7 * mean["came"], mean
    assert mean["shrunk"] < 0.7 * mean["said"], mean
    assert held >= 0.92 * 30 * len(sizes)


def test_groups_that_do_not_differ_are_told_what_the_whole_is_told() -> None:
    """No case among 15 is no miracle; the estimate stays near what is said of such clues."""
    said, label, group, _ = shifted(3, 0.0, [15] * 40)
    found = figures_by_group(scores_of(said, label, group), "supervision_model")
    came = np.array([each.came for each in found])
    assert (came == 0).any()
    whole = label.mean() - said.mean()
    gaps = np.array([(each.shrunk or 0) - (each.said or 0) for each in found])
    assert np.abs(gaps - whole).max() < 0.06
    assert np.ptp(gaps) < np.ptp(came) / 4


def test_a_large_group_is_told_what_came_of_it() -> None:
    """5,000 clues against 30: the one that knows keeps its figure, the other moves."""
    draw = np.random.default_rng(0)
    group = np.repeat([0, 1, 2], [5_000, 30, 5_000])
    label = (draw.random(len(group)) < np.array([0.3, 0.3, 0.1])[group]).astype(float)
    label[group == 1] = 0
    found = {
        each.value: each
        for each in figures_by_group(scores_of(np.full(len(group), 0.2), label, group), "office_id")
    }
    assert found["m0"].shrunk == pytest.approx(found["m0"].came, abs=0.003)
    assert found["m1"].came == 0
    assert 0.005 < (found["m1"].shrunk or 0) < 0.15


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_counts_add_up_and_nothing_is_nan(seed: int) -> None:
    """Whatever is labelled, of one class or not at all."""
    draw = np.random.default_rng(seed)
    label = draw.choice([0.0, 1.0, np.nan], 60, p=draw.dirichlet([1, 1, 1]))
    said, group = draw.random(60), draw.integers(0, 8, 60)
    found = by_group(scores_of(said, label, group))
    for groups in found.values():
        assert sum(each["rows"] for each in groups) == 60
        assert sum(each["labelled"] for each in groups) == (~np.isnan(label)).sum()
        assert sum(each["cases"] for each in groups) == (label == 1).sum()
        for each in groups:
            assert (each["shrunk"] is None) == (each["labelled"] == 0)
            for name in ("said", "came", "shrunk", "low", "high", "auc", "found"):
                assert each[name] is None or 0 <= each[name] <= 1, name
            if each["shrunk"] is not None:
                assert each["low"] <= each["shrunk"] <= each["high"]


def test_a_group_without_a_row_gets_the_shift_of_all_and_more_doubt() -> None:
    """What is not known is told as the whole, less surely than any group with outcomes."""
    said, label, group, _ = shifted(4, 0.5, [60] * 10)
    shifts = group_shifts(said, label, group, 11)
    assert np.isfinite(shifts.value).all()
    assert shifts.value[:10].min() < shifts.value[10] < shifts.value[:10].max()
    assert shifts.error[10] > shifts.error[:10].max()
    nothing = group_shifts(said[:0], label[:0], group[:0], 3)
    assert nothing.value.tolist() == [0, 0, 0]


def test_found_and_gap_by_hand() -> None:
    """Ten clues, the first two are the top fifth: one model has both, one of its cases is lost."""
    label = np.array([1, 0, 0, 0, 1, 1, 0, np.nan, 0, 0])
    said = np.linspace(0.9, 0.1, 10)
    group = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    one, other = figures_by_group(scores_of(said, label, group), "supervision_model")
    assert (one.rows, one.labelled, one.cases, one.found) == (5, 5, 2, 0.5)
    assert (other.rows, other.labelled, other.cases, other.found) == (5, 4, 1, 0)
    assert one.auc == pytest.approx(3 / 6)
    assert one.gap is None
    many = figures_by_group(
        scores_of(np.tile(said, 8), np.tile(label, 8), np.tile(group, 8)), "supervision_model"
    )
    assert many[0].gap == pytest.approx(said[:5].mean() - 0.4)


def test_the_table_tells_why_a_cell_is_empty() -> None:
    """One class, no case and too few labels: a dash and a footnote each."""
    group = np.array([0] * 40 + [1] * 5)
    label = np.zeros(45)
    label[[0, 7]] = 1
    notes = Footnotes()
    lines = model_lines(
        scores_of(np.linspace(0.5, 0.1, 45), label, group),
        {"m0": Bilingual(zh="甲", en="A")},
        notes,
    )
    assert [line.title.en for line in lines] == ["A", "m1"]
    assert [cell.text for cell in lines[0].cells[:3]] == ["40", "40", "2"]
    assert all(cell.note is None for cell in lines[0].cells)
    assert [cell.text for cell in lines[1].cells] == ["5", "5", "0", DASH, DASH, DASH]
    assert [cell.note for cell in lines[1].cells[3:]] == [1, 2, 3]
    assert len(notes.reasons) == 3


def test_a_column_that_is_absent_is_refused() -> None:
    """With the nearest name."""
    table = scores_of(np.array([0.5]), np.array([1.0]), np.array([0]))
    with pytest.raises(Refused, match="write 'office_id'"):
        figures_by_group(table, "ofice_id")
