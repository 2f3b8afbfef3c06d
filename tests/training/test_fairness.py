"""The fairness audit against plain counting, and against worlds that are fair or not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.bilingual import Bilingual
from base.errors import Refused
from training.fairness import GROUP_CASES, GROUP_LABELLED, audit_groups, first_share


def scores_of(
    group: np.ndarray, score: np.ndarray, label: np.ndarray, said: np.ndarray
) -> pa.Table:
    return pa.table(
        {
            "clue_id": [f"c{at:06}" for at in range(len(group))],
            "function": pa.array(group.tolist()),
            "score_scorer": score,
            "label": pa.array(label, from_pandas=True),
            "probability": said,
        }
    )


def world(seed: int, lift: float = 0.0, rows: int = 600, unlabelled: float = 0.3) -> pa.Table:
    """Groups a and b alike in truth; group b's margins are `lift` above it."""
    draw = np.random.default_rng(seed)
    group = draw.choice(["a", "b"], rows)
    odds = draw.normal(-1.0, 1.2, rows)
    label = (draw.random(rows) < 1 / (1 + np.exp(-odds))).astype(float)
    label[draw.random(rows) < unlabelled] = np.nan
    margin = odds + lift * (group == "b")
    return scores_of(group, margin, label, 1 / (1 + np.exp(-margin)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.5))
def test_group_figures_are_plain_counts(seed: int, lift: float) -> None:
    """Selection, recall and calibration gap of each judged group, counted without the library."""
    table = world(seed, lift, rows=240)
    (audit,) = audit_groups(table, ["function"])
    chosen = first_share(table, 0.2)
    label = np.asarray(table["label"].to_numpy(), float)
    said = table["probability"].to_numpy()
    name = np.array(table["function"].to_pylist())
    assert sum(group.rows for group in audit.groups) == 240
    for group in audit.groups:
        here = name == group.value
        known, case = here & ~np.isnan(label), here & (label == 1)
        assert (group.rows, group.labelled, group.cases) == (here.sum(), known.sum(), case.sum())
        assert group.selection_rate == pytest.approx(chosen[here].mean())
        assert group.calibration_gap == pytest.approx((said - label)[known].mean())
        if case.sum() >= GROUP_CASES:
            assert group.recall == pytest.approx(chosen[case].mean())
        else:
            assert group.recall is None
    gap = audit.gaps["selection_rate"]
    rates = [chosen[name == value].mean() for value in ("a", "b")]
    assert gap.difference == pytest.approx(abs(rates[0] - rates[1]))


def test_a_fair_scorer_is_seldom_blamed() -> None:
    """Of 100 fair worlds about 5 lie beyond what chance shows, for every measure (95th percentile).

    14 or more of 100 would have a chance below 1 in 2,000.
    """
    blamed = dict.fromkeys(("selection_rate", "recall", "calibration_gap"), 0)
    for seed in range(100):
        (audit,) = audit_groups(world(seed), ["function"])
        for name, gap in audit.gaps.items():
            blamed[name] += gap.difference > gap.by_chance
    assert max(blamed.values()) < 14


def test_a_scorer_that_prefers_a_group_is_found_and_read_out() -> None:
    """A lift of one in log-odds: all three measures beyond chance, and the sentence names it."""
    table = world(3, lift=1.0, rows=1_500)
    titles = {
        "function": {"a": Bilingual(zh="甲", en="first"), "b": Bilingual(zh="乙", en="second")}
    }
    (audit,) = audit_groups(table, ["function"], titles=titles)
    assert all(gap.difference > gap.by_chance for gap in audit.gaps.values())
    assert audit.gaps["calibration_gap"].most == "b"
    assert audit.title_of("b").en == "second"
    assert "second and first differ most" in audit.reading.en
    assert "find out why before use" in audit.reading.en
    assert "须查明原因再用" in audit.reading.zh
    assert audit.figures["function/recall"] == audit.gaps["recall"].difference


def test_selected_rows_win_over_the_first_fifth() -> None:
    """Who stands within capacity is what the offices can do, where that is known."""
    table = world(5)
    of_a = np.array([value == "a" for value in table["function"].to_pylist()])
    (audit,) = audit_groups(table, ["function"], selected=of_a)
    assert audit.gaps["selection_rate"].difference == 1.0
    assert audit.gaps["selection_rate"].ratio == 0.0
    assert "taken within capacity" in audit.reading.en


def test_groups_too_small_to_judge_are_said_so() -> None:
    """Fewer than two judged groups: no gap, a sentence; nobody's figure is made up."""
    rows = GROUP_LABELLED - 1
    group = np.array(["a"] * 100 + ["b"] * rows)
    label = (np.arange(len(group)) % 4 == 0).astype(float)
    table = scores_of(group, np.arange(len(group), dtype=float), label, np.full(len(group), 0.25))
    (audit,) = audit_groups(table, ["function"])
    assert audit.gaps == {}
    small = next(each for each in audit.groups if each.value == "b")
    assert not small.judged
    assert (small.selection_rate, small.recall, small.calibration_gap) == (None, None, None)
    assert "nothing can be compared" in audit.reading.en


def test_the_empty_group_is_a_group() -> None:
    """A clue without the value is not left out."""
    table = world(1)
    raw = [None if value == "a" else value for value in table["function"].to_pylist()]
    table = table.set_column(table.column_names.index("function"), "function", pa.array(raw))
    (audit,) = audit_groups(table, ["function"])
    assert {group.title.en for group in audit.groups} == {"(empty)", "b"}


def test_an_unknown_column_is_refused() -> None:
    """With the nearest one as the cure."""
    with pytest.raises(Refused) as refused:
        audit_groups(world(1), ["functoin"])
    assert refused.value.cure == "write 'function'"
