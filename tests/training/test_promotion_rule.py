"""The promotion rule: every bound decides, each reason is told in both languages."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from base.errors import Refused
from training.promotion_rule import (
    PairedInterval,
    PromotionRule,
    RuleFigures,
    judge,
    load_promotion_rule,
)
from training.side_by_side import (
    JudgedRows,
    Marks,
    error_by_chance,
    gaps_beyond_chance,
    paired_intervals,
    rule_figures,
)

RULE = PromotionRule()
GOOD = RuleFigures(0.60, 0.05, 0.04, 0.03, {"office: recall": 0.1})
CHAMPION = RuleFigures(0.58, 0.05, 0.09)
PAIRED = {"cases_found": PairedInterval(0.02, -0.04, 0.08)}


def passed(figures: RuleFigures, interval: PairedInterval) -> dict[str, bool]:
    verdict = judge(RULE, figures, CHAMPION, {"cases_found": interval})
    return {reason.rule: reason.passed for reason in verdict.reasons}


def rows_of(label: np.ndarray, subjects: list[str], **columns: list[str]) -> JudgedRows:
    clues = {
        "clue_id": [f"c{at:06d}" for at in range(len(label))],
        "subject_id": subjects,
        "raised_at": pa.array([datetime(2025, 1, 1)] * len(label), pa.timestamp("us")),
        **columns,
    }
    return JudgedRows(pa.table(clues), label)


@pytest.mark.parametrize(
    ("figures", "interval", "unmet"),
    [
        (GOOD, PAIRED["cases_found"], None),
        (GOOD, PairedInterval(0.02, -0.05, 0.08), "cases_found"),  # the bound itself is not above
        (GOOD, PairedInterval(-0.001, -0.01, 0.01), "cases_found"),
        (replace(GOOD, tail_recall_loss=0.0701), PAIRED["cases_found"], "tail_recall"),
        (replace(GOOD, tail_recall_loss=None), PAIRED["cases_found"], "tail_recall"),
        (replace(GOOD, ece=0.0801), PAIRED["cases_found"], "calibration"),
        (replace(GOOD, ece=None), PAIRED["cases_found"], "calibration"),
        (replace(GOOD, fairness_gaps={"a": 0.1, "b": 0.201}), PAIRED["cases_found"], "fairness"),
        (replace(GOOD, fairness_gaps=None), PAIRED["cases_found"], None),
    ],
)
def test_each_bound_decides_alone(
    figures: RuleFigures, interval: PairedInterval, unmet: str | None
) -> None:
    """One figure beyond its bound fails its own reason and no other."""
    found = passed(figures, interval)
    assert set(found) == {"cases_found", "tail_recall", "calibration", "fairness"}
    assert [rule for rule, met in found.items() if not met] == ([unmet] if unmet else [])


def test_the_first_champion_needs_the_absolute_bounds_only() -> None:
    """Nobody to be compared with; a miscalibrated one is refused all the same."""
    verdict = judge(RULE, GOOD)
    assert [reason.rule for reason in verdict.reasons] == ["calibration", "fairness"]
    assert verdict.passed
    assert not judge(RULE, replace(GOOD, ece=0.5)).passed


def test_without_an_interval_nothing_is_taken_on_trust() -> None:
    """A comparison that could not be made is a reason against."""
    assert [reason.rule for reason in judge(RULE, GOOD, CHAMPION).failed] == ["cases_found"]


def test_reasons_are_plain_data_in_both_languages() -> None:
    """Title, wanted and got as text; JSON without NaN."""
    for reason in judge(RULE, replace(GOOD, ece=None), CHAMPION, PAIRED).reasons:
        told = json.loads(json.dumps(reason.as_json(), allow_nan=False))
        assert told["passed"] is reason.passed
        for name in ("title", "wanted", "got"):
            assert told[name]["zh"]
            assert told[name]["en"]
            assert "None" not in told[name]["zh"] + told[name]["en"]


def test_a_jurisdiction_declares_its_own_rule(tmp_path: Path) -> None:
    """promotion.yaml, the default where there is none; a misspelt key names the right one."""
    assert load_promotion_rule(tmp_path) == RULE
    (tmp_path / "promotion.yaml").write_text("capacity: 10%\nece_at_most: 0.02\n", "utf-8")
    assert load_promotion_rule(tmp_path) == PromotionRule(capacity="10%", ece_at_most=0.02)
    (tmp_path / "promotion.yaml").write_text("ece_at_mots: 0.02\n", "utf-8")
    with pytest.raises(Refused, match="write 'ece_at_most'"):
        load_promotion_rule(tmp_path)


def test_a_true_probability_meets_the_calibration_bound_on_few_rows_too() -> None:
    """Its bare error is mostly chance. One that is twice as sure as it may be gets through once in
    twenty worlds at most: 300 rows tell no more.
    """
    draw = np.random.default_rng(5)
    met = doubled = bare = 0
    for _ in range(40):
        true = draw.beta(1, 6, 300)
        rows = rows_of((draw.random(300) < true).astype(float), [str(n) for n in range(300)])
        for factor in (1.0, 2.0):
            said = np.minimum(factor * true, 1.0)
            figures = rule_figures(RULE, Marks(said, said), rows)
            passes = judge(RULE, figures).passed
            met += passes and factor == 1.0
            doubled += passes and factor == 2.0
            bare += factor == 1.0 and (figures.ece or 0) <= 0.02
    assert met == 40
    assert doubled <= 2
    assert bare < 10


def test_chance_shrinks_as_rows_grow() -> None:
    """About with one over the root of the rows; 0 where the probability is certain."""
    few, many = (error_by_chance(np.full(count, 0.1)) for count in (200, 20_000))
    assert few == pytest.approx(10 * many, rel=0.25)
    assert error_by_chance(np.array([0.0, 1.0] * 50)) == 0


def test_the_paired_interval_covers_the_difference_there_is() -> None:
    """Over 30 drawn worlds of two clues a subject at least 26 of the 95 % intervals hold it."""
    draw = np.random.default_rng(11)
    signal = draw.normal(0, 1, 200_000)
    case = draw.random(200_000) < 1 / (1 + np.exp(2 - 1.5 * signal))
    ours, theirs = (signal + draw.normal(0, noise, 200_000) for noise in (0.5, 1.5))

    def found(score: np.ndarray) -> float:
        return float(case[score >= np.quantile(score, 0.8)].sum() / case.sum())

    truth = found(ours) - found(theirs)
    held = 0
    for _ in range(30):
        at = draw.integers(0, 200_000, 200).repeat(2)
        rows = rows_of(case[at].astype(float), [f"s{n // 2}" for n in range(400)])
        pair = Marks(ours[at], ours[at]), Marks(theirs[at], theirs[at])
        interval = paired_intervals(RULE, *pair, rows)["cases_found"]
        assert interval.low <= interval.difference <= interval.high
        held += interval.low <= truth <= interval.high
    assert held >= 26


def test_a_scorer_beside_itself_differs_by_nothing() -> None:
    """Paired: the same rows are drawn for both."""
    draw = np.random.default_rng(2)
    label = (draw.random(150) < 0.2).astype(float)
    marks = Marks(draw.normal(size=150), np.full(150, 0.2))
    rows = rows_of(label, [str(n % 60) for n in range(150)])
    for interval in paired_intervals(RULE, marks, marks, rows).values():
        assert (interval.difference, interval.low, interval.high) == (0, 0, 0)


def test_one_class_only_is_undefined_and_not_a_number() -> None:
    """No case in the test: None, no interval, and the rule says no."""
    rows = rows_of(np.zeros(50), [str(n) for n in range(50)])
    marks = Marks(np.arange(50.0), np.full(50, 0.1))
    figures = rule_figures(RULE, marks, rows)
    assert figures.ece is None
    assert paired_intervals(RULE, marks, marks, rows) == {}
    assert not judge(RULE, figures, figures, {}).passed


def test_gaps_between_groups_are_those_counted_by_hand() -> None:
    """Of 40 + 40 rows the first 20 % are one group's; a group of 20 rows is too small to count."""
    group = ["a"] * 40 + ["b"] * 40 + ["small"] * 20
    label = np.array([1.0] * 20 + [0.0] * 20 + [1.0] * 10 + [0.0] * 30 + [np.nan] * 20)
    marks = Marks(np.arange(100.0)[::-1].copy(), np.full(100, 0.2))
    rows = rows_of(label, group, office_level=group)
    gaps = gaps_beyond_chance(RULE, marks, rows, ("office_level",))
    assert gaps == {"office_level/selection_rate": 0.5, "office_level/recall": 1.0}
    figures = rule_figures(RULE, marks, rows, ("office_level",))
    assert "fairness" in [reason.rule for reason in judge(RULE, figures).failed]


def test_a_gap_that_chance_explains_is_none() -> None:
    """A score that knows nothing of eight groups of 40 meets the bound, as it should."""
    draw = np.random.default_rng(4)
    group = [f"g{n % 8}" for n in range(320)]
    rows = rows_of((draw.random(320) < 0.3).astype(float), group, office_level=group)
    marks = Marks(draw.normal(size=320), np.full(320, 0.3))
    gaps = gaps_beyond_chance(RULE, marks, rows, ("office_level",))
    assert set(gaps.values()) == {0.0}
