"""Chances of having been pursued, weights from them, and figures that allow for the choice."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from base.errors import Refused
from training.metrics import average_precision, calibration_error, evaluate_scores, hits_in_top
from training.propensity import (
    Chances,
    chance_over_drawings,
    effective_sample_size,
    figures_for_all,
    in_top,
    pursuit_chances,
    scaled,
    selection_weights,
    weighted_auc,
    weighted_ece,
    weighted_ratio,
)

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

weighed_rows = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=12
)


def offices_clues(seed: int, count: int) -> tuple[pa.Table, Floats, Bools, Floats]:
    """Clues of 8 offices, their true chance, who was pursued, and the rank an office gave each.

    The chance follows the office, the severity and the office's own ranking.
    """
    draw = np.random.default_rng(seed)
    office, severity = draw.integers(0, 8, count), draw.integers(1, 6, count)
    rank = draw.normal(0, 1, count)
    logit = draw.normal(0, 0.8, 8)[office] + 0.5 * (severity - 3) + 1.2 * rank
    chance = 1 / (1 + np.exp(-logit))
    table = pa.table(
        {
            "clue_id": [f"c{at}" for at in range(count)],
            "subject_id": [f"s{at // 2}" for at in range(count)],
            "supervision_model": [f"m{each}" for each in severity // 2],
            "office_id": [f"o{each}" for each in office],
            "severity": severity,
            "function": ["civil"] * count,
            "raised_at": pa.array([datetime(2024, 1, 1)] * count, pa.timestamp("us")),
        }
    )
    return table, chance, draw.random(count) < chance, rank


def estimated(table: pa.Table, pursued: Bools, also: pa.Table | None = None) -> Chances:
    everyone = np.ones(len(pursued), bool)
    return pursuit_chances(table, pursued, everyone, kind="estimated", noted={}, seed=1, also=also)


def test_what_the_office_saw_recovers_the_chances_and_what_nobody_kept_does_not() -> None:
    """The ranking an office followed is half of the truth here: with it kept, the error falls."""
    table, chance, pursued, rank = offices_clues(1, 6_000)
    blind = estimated(table, pursued)
    seeing = estimated(table, pursued, pa.table({"margin": rank}))
    error = [float(np.sqrt(np.mean((each.value - chance) ** 2))) for each in (blind, seeing)]
    assert error[1] < 0.06
    assert error[0] > 2 * error[1]
    assert seeing.ece is not None
    assert seeing.ece < 0.03
    assert seeing.auc is not None
    assert blind.auc is not None
    assert seeing.auc == pytest.approx(roc_auc_score(pursued, chance), abs=0.02)
    assert blind.auc < seeing.auc
    assert not seeing.noted.any()


def test_no_clue_tells_its_own_chance_nor_that_of_its_subject() -> None:
    """Cross-fitted: what became of a subject's clues moves the chances of other subjects only."""
    table, _, pursued, _ = offices_clues(2, 400)
    other = pursued.copy()
    other[:2] = ~other[:2]
    before, after = estimated(table, pursued).value, estimated(table, other).value
    assert np.array_equal(before[:2], after[:2])
    assert not np.array_equal(before[2:], after[2:])


def test_chances_that_were_noted_are_taken_and_the_rest_estimated() -> None:
    """Only where the experiment declares `known`; the estimate is judged on the rest alone."""
    table, chance, pursued, _ = offices_clues(3, 400)
    noted = {f"c{at}": float(chance[at]) for at in range(0, 400, 2)}
    everyone = np.ones(400, bool)
    known = pursuit_chances(table, pursued, everyone, kind="known", noted=noted, seed=1)
    plain = pursuit_chances(table, pursued, everyone, kind="estimated", noted=noted, seed=1)
    assert np.array_equal(known.value[::2], chance[::2])
    assert np.array_equal(known.value[1::2], plain.value[1::2])
    assert known.noted.sum() == 200
    assert not plain.noted.any()
    whole = {f"c{at}": float(chance[at]) for at in range(400)}
    all_known = pursuit_chances(table, pursued, everyone, kind="known", noted=whole, seed=1)
    assert np.array_equal(all_known.value, chance)
    assert (all_known.auc, all_known.ece) == (None, None)


def test_unripe_and_withdrawn_clues_teach_no_chance() -> None:
    """They have no label for another reason than that nobody pursued them; they get a chance."""
    table, _, pursued, _ = offices_clues(4, 600)
    standing = np.arange(600) < 500
    alone = table.slice(0, 500)
    whole = pursuit_chances(
        table, pursued & standing, standing, kind="estimated", noted={}, seed=1
    ).value
    assert ((whole[500:] > 0.01) & (whole[500:] < 1)).all()
    assert whole[:500].mean() == pytest.approx(
        estimated(alone, pursued[:500]).value.mean(), abs=0.03
    )


def test_where_all_or_none_were_pursued_there_is_no_choice_to_undo() -> None:
    """All: chance 1, weight 1. None: refused, with the cure."""
    table, *_ = offices_clues(5, 60)
    everyone = np.ones(60, bool)
    found = estimated(table, everyone)
    assert np.array_equal(found.value, np.ones(60))
    assert (found.auc, found.ece) == (None, None)
    assert np.array_equal(selection_weights(found.value, everyone, 0.05).value, np.ones(60))
    with pytest.raises(Refused, match="admit outcomes"):
        estimated(table, ~everyone)


def test_a_clue_in_several_queues_had_several_chances() -> None:
    """At least once: one minus the product of the misses. No chance lies outside [0, 1]."""
    found = chance_over_drawings([("a", 0.2), ("b", 1.0), ("a", 0.5), ("c", 0.0)])
    assert found == pytest.approx({"a": 0.6, "b": 1.0, "c": 0.0})
    with pytest.raises(Refused, match="between 0 and 1"):
        chance_over_drawings([("a", 1.2)])


def test_no_clue_counts_more_than_one_over_the_floor() -> None:
    """Weights have mean 1; those below the floor are counted; Kish says what they are worth."""
    chance = np.array([0.5, 0.25, 0.01, 0.9])
    labelled = np.array([True, True, True, False])
    found = selection_weights(chance, labelled, floor=0.1)
    assert found.value.tolist() == pytest.approx([2 * 3 / 16, 4 * 3 / 16, 10 * 3 / 16, 0])
    assert found.floored == 1
    assert found.effective == pytest.approx(16**2 / (4 + 16 + 100))
    assert effective_sample_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_sample_size(np.zeros(7)) == 0
    assert np.array_equal(scaled(np.zeros(4), labelled), np.zeros(4))


@settings(deadline=None)
@given(weighed_rows)
def test_a_weight_of_three_is_the_row_three_times(rows: list[tuple[int, int, int]]) -> None:
    """AUC and average precision of weighed rows are those of repeated rows."""
    score, label, weight = (np.array(part, float) for part in zip(*rows, strict=True))
    often = weight.astype(int)
    many, came = np.repeat(score, often), np.repeat(label, often)
    auc = weighted_auc(score, label, weight)
    if 0 < came.sum() < len(came):
        assert auc is not None
        assert auc.value == pytest.approx(roc_auc_score(came, many))
        found = figures_for_all(score, label, weight).figures["average_precision"]
        assert found == pytest.approx(average_precision(many, came))
    else:
        assert auc is None


@settings(deadline=None)
@given(weighed_rows, st.integers(-1, 14))
def test_places_among_the_first_are_those_of_the_metrics(
    rows: list[tuple[int, int, int]], k: int
) -> None:
    """Chances to be among the first k add up to k, and to the expected hits."""
    score, label, _ = (np.array(part, float) for part in zip(*rows, strict=True))
    chance = in_top(score, k)
    assert chance.sum() == pytest.approx(min(max(k, 0), len(score)))
    assert (chance * label).sum() == pytest.approx(hits_in_top(score, label, k))


def test_with_every_label_and_weights_of_one_the_figures_are_the_plain_ones() -> None:
    """The same names, the same values; ties too."""
    draw = np.random.default_rng(1)
    probability = draw.random(400)
    label = (draw.random(400) < probability).astype(float)
    score = np.round(probability, 1)
    plain = evaluate_scores(score, label, probability)
    found = figures_for_all(score, label, np.ones(400), probability=probability)
    assert plain.pop("labelled") == pytest.approx(found.labelled)
    assert {name: found.figures[name] for name in plain} == {
        name: pytest.approx(value) for name, value in plain.items()
    }
    assert found.labelled == {"all": 400, "@10%": 40, "@100": 100}
    assert found.effective == pytest.approx(400)
    ones = np.ones(400)
    assert weighted_ece(probability, label, ones) == pytest.approx(
        calibration_error(probability, label)
    )


def test_an_undefined_figure_is_none_and_nothing_is_nan() -> None:
    """No case at all; no labelled clue among the first."""
    score = np.arange(200.0)
    label = np.where(score < 50, 0.0, np.nan)
    found = figures_for_all(score, label, (~np.isnan(label)).astype(float))
    assert found.figures["auc"] is None
    assert found.figures["average_precision"] is None
    assert found.figures["precision@10%"] is None
    assert found.figures["precision@100"] is None
    assert found.figures["cases_found"] == {"10": None, "20": None, "30": None}
    assert found.figures["base_rate"] == 0
    assert found.intervals["base_rate"] == pytest.approx((0, 3 / 50))
    assert found.labelled == {"all": 50, "@10%": 0, "@100": 0}
    assert set(found.intervals) == {"base_rate"}


def test_intervals_are_those_of_a_bootstrap_over_subjects() -> None:
    """Rows of one subject move together: half-widths agree within 12 %."""
    draw = np.random.default_rng(3)
    subject = np.repeat(np.arange(300), 3)
    guilt = draw.normal(0, 1, 300)[subject]
    score = guilt + draw.normal(0, 1, 900)
    label = (draw.random(900) < 1 / (1 + np.exp(1 - guilt))).astype(float)
    weight = draw.uniform(0.5, 4, 900)
    names = subject.astype(str)
    drawn: dict[str, list[float]] = {"auc": [], "share": []}
    for _ in range(600):
        often = np.bincount(draw.integers(0, 300, 300), minlength=300)[subject] * weight
        auc, share = weighted_auc(score, label, often), weighted_ratio(label, np.ones(900), often)
        assert auc is not None
        assert share is not None
        drawn["auc"].append(auc.value)
        drawn["share"].append(share.value)
    auc = weighted_auc(score, label, weight, names)
    share = weighted_ratio(label, np.ones(900), weight, names)
    alone = weighted_ratio(label, np.ones(900), weight)
    assert auc is not None
    assert share is not None
    assert alone is not None
    for found, values in ((auc, drawn["auc"]), (share, drawn["share"])):
        assert found.high - found.value == pytest.approx(1.96 * np.std(values), rel=0.12)
    assert share.high - share.low > alone.high - alone.low
