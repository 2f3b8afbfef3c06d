"""Intervals hold the truth as often as they say; subjects are redrawn, rankings are paired."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest

from base.errors import Refused
from training.baselines import Ranking
from training.intervals import Rows, redraw
from training.metrics import evaluate_scores

Floats = npt.NDArray[np.float64]
WORLDS, SUBJECTS, REDRAWS = 100, 200, 300
JUDGED = (
    "auc",
    "average_precision",
    "precision@10%",
    "recall@10%",
    "cases_found/20",
    "tail_recall_loss",
    "log_loss",
    "brier",
)


def world(seed: int, subjects: int = SUBJECTS) -> Rows:
    """Subjects with one to four clues that share their fate; a good ranking and a poorer one."""
    draw = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), draw.integers(1, 5, subjects))
    guilt = draw.normal(-1.5, 1.5, subjects)[subject]
    label = (draw.random(len(subject)) < 1 / (1 + np.exp(-guilt))).astype(float)
    seen = guilt + draw.normal(0, 0.8, subjects)[subject] + draw.normal(0, 0.5, len(subject))
    poor = guilt + draw.normal(0, 2.5, len(subject))
    return Rows(
        label,
        subject.astype(str),
        {
            "good": Ranking(seen, 1 / (1 + np.exp(-0.7 * seen))),
            "poor": Ranking(poor, 1 / (1 + np.exp(-0.3 * poor))),
        },
    )


def flat(rows: Rows, name: str) -> dict[str, float]:
    """Figures of one ranking by their flat names."""
    ranking = rows.rankings[name]
    told = evaluate_scores(ranking.score, rows.label, ranking.probability)
    return {**told, **{f"cases_found/{part}": v for part, v in told["cases_found"].items()}}


@pytest.fixture(scope="module")
def truth() -> dict[str, dict[str, float]]:
    """The figures of 150,000 subjects."""
    everybody = world(1, 150_000)
    return {name: flat(everybody, name) for name in everybody.rankings}


@pytest.mark.slow
def test_intervals_hold_the_truth_in_ninety_of_a_hundred_worlds(
    truth: dict[str, dict[str, float]],
) -> None:
    """Figures and paired differences, 95 % intervals, 200 subjects; rows alone would claim more."""
    held: Counter[str] = Counter()
    by_rows: Counter[str] = Counter()
    for seed in range(100, 100 + WORLDS):
        rows = world(seed)
        found = redraw([rows], redraws=REDRAWS, seed=seed)
        intervals, paired = found.intervals("good"), found.differences("good", "poor")
        apart = Rows(rows.label, np.arange(len(rows.label)).astype(str), rows.rankings)
        alone = redraw([apart], redraws=REDRAWS, seed=seed).intervals("good")
        for name in JUDGED:
            low, high = intervals[name]
            held[name] += low <= truth["good"][name] <= high
            by_rows[name] += alone[name][0] <= truth["good"][name] <= alone[name][1]
            gap = truth["good"][name] - truth["poor"][name]
            held[f"{name}, paired"] += paired[name].low <= gap <= paired[name].high
    assert min(held.values()) >= 90, held
    assert by_rows["log_loss"] < held["log_loss"]
    assert sum(by_rows.values()) < sum(held[name] for name in JUDGED) - 15, by_rows


@pytest.mark.parametrize("gap", [0.0, 0.03, 0.08])
def test_a_calibration_error_is_not_told_larger_than_it_is(gap: float) -> None:
    """Chance adds to the error seen and again to every resample; the interval allows for both.

    The probabilities are too high by the gap everywhere: that is the error, whatever the bins. Of
    an error as small as what chance shows (about 0.035 here) plain percentiles know nothing.
    """
    held = by_percentiles = 0
    for seed in range(50):
        draw = np.random.default_rng(seed)
        true = draw.uniform(0.05, 0.5, 800)
        label = (draw.random(800) < true).astype(float)
        rows = Rows(label, np.arange(800).astype(str), {"high": Ranking(true, true + gap)})
        found = redraw([rows], redraws=200, seed=seed)
        low, high = found.intervals("high")["ece"]
        assert 0 <= low <= found.seen["high"]["ece"] <= high
        held += low <= gap <= high
        ends = np.quantile(found.drawn["high"]["ece"], [0.025, 0.975])
        by_percentiles += ends[0] <= gap <= ends[1]
    assert held >= 45
    assert gap > 0.05 or by_percentiles < 25


def test_paired_differences_of_calibration_errors_hold_the_truth() -> None:
    """One is right, the other 0.05 too high."""
    held = 0
    for seed in range(50):
        draw = np.random.default_rng(seed)
        true = draw.uniform(0.05, 0.5, 800)
        label = (draw.random(800) < true).astype(float)
        both = {"right": Ranking(true, true), "high": Ranking(true, true + 0.05)}
        found = redraw([Rows(label, np.arange(800).astype(str), both)], redraws=200, seed=seed)
        apart = found.differences("high", "right")["ece"]
        held += apart.low <= 0.05 <= apart.high
    assert held >= 45


def test_the_same_seed_gives_the_same_intervals_and_figures_are_those_of_the_metrics() -> None:
    """Bit for bit; another seed gives others; what is seen is what evaluate_scores says."""
    rows = world(3)
    one, again, other = (redraw([rows], redraws=200, seed=seed) for seed in (5, 5, 6))
    assert one.intervals("good") == again.intervals("good")
    assert one.intervals("good") != other.intervals("good")
    plain = flat(rows, "good")
    assert {name: plain[name] for name in JUDGED} == pytest.approx(
        {name: one.seen["good"][name] for name in JUDGED}
    )


def test_paired_differences_are_narrower_than_differences_of_strangers() -> None:
    """Two rankings that share most of their noise differ by little, and surely so."""
    rows = world(4)
    near = rows.rankings["good"].score + np.random.default_rng(0).normal(0, 0.05, len(rows.label))
    both = Rows(rows.label, rows.subject, {"one": rows.rankings["good"], "near": Ranking(near)})
    found = redraw([both], redraws=400)
    paired = found.differences("one", "near")["auc"]
    low, high = found.intervals("one")["auc"]
    assert paired.high - paired.low < (high - low) / 4
    for itself in found.differences("one", "one").values():
        assert (itself.difference, itself.low, itself.high) == (0, 0, 0)
    back = found.differences("near", "one")["auc"]
    assert back.low == pytest.approx(-paired.high)
    assert "brier" not in found.differences("one", "near")


def test_a_subject_in_two_splits_is_drawn_alike_in_both() -> None:
    """The same rows twice vary as once; two unrelated halves vary less."""
    rows = world(5)
    renamed = Rows(rows.label, np.char.add("other ", rows.subject), rows.rankings)
    once, twice, strangers = (
        redraw(parts, redraws=400) for parts in ([rows], [rows, rows], [rows, renamed])
    )
    spread = [np.std(each.drawn["good"]["auc"]) for each in (once, twice, strangers)]
    assert spread[0] == pytest.approx(spread[1])
    assert spread[2] < 0.8 * spread[0]
    assert once.subjects == twice.subjects == SUBJECTS
    assert strangers.subjects == 2 * SUBJECTS


def test_weights_count_rows_as_often() -> None:
    """Rows of weight 2 are those rows twice, in what is seen and in every resample."""
    rows = world(6, 60)
    often = np.random.default_rng(1).integers(1, 3, len(rows.label))
    at = np.repeat(np.arange(len(rows.label)), often)
    written = Rows(
        rows.label[at],
        rows.subject[at],
        {name: Ranking(each.score[at]) for name, each in rows.rankings.items()},
    )
    plain = {name: Ranking(each.score) for name, each in rows.rankings.items()}
    weighted = Rows(rows.label, rows.subject, plain, weight=often.astype(float))
    one, other = (redraw([each], redraws=200) for each in (weighted, written))
    assert one.seen["poor"] == pytest.approx(other.seen["poor"])
    for name, drawn in one.drawn["poor"].items():
        assert drawn == pytest.approx(other.drawn["poor"][name]), name


def test_cases_found_at_capacity_are_a_share_of_the_cases() -> None:
    """Each case counts its chance of a place."""
    label = np.array([1.0, 1, 0, 1, 0, 0] * 20)
    chance = np.array([1.0, 0.5, 1, 0, 0, 0] * 20)
    subject = np.arange(120).astype(str)
    rows = Rows(label, subject, {"any": Ranking(chance)}, taken={"any": chance})
    found = redraw([rows], redraws=300)
    assert found.seen["any"]["cases_found_at_capacity"] == pytest.approx(0.5)
    low, high = found.intervals("any")["cases_found_at_capacity"]
    assert 0.35 < low < 0.5 < high < 0.65


def test_nothing_lost_among_few_cases_is_not_certain() -> None:
    """The rule of three: 40 cases of 20 subjects, all on top; 40 clues prove no more than 20."""
    label = np.array([1.0] * 40 + [0.0] * 160)
    subject = np.array([f"case {at // 2}" for at in range(40)] + [f"no {at}" for at in range(160)])
    found = redraw([Rows(label, subject, {"best": Ranking(label.copy())})], redraws=200)
    intervals = found.intervals("best")
    assert intervals["tail_recall_loss"] == pytest.approx((0, 3 / 20))
    assert intervals["auc"] == pytest.approx((1 - 3 / 20, 1))
    assert intervals["precision@10%"][1] == 1


def test_what_is_undefined_has_no_interval() -> None:
    """One class only, or a case that most resamples lack: left out, never a NaN."""
    draw = np.random.default_rng(2)
    subject = np.arange(50).astype(str)
    none = redraw([Rows(np.zeros(50), subject, {"any": Ranking(draw.random(50))})], redraws=100)
    assert none.intervals("any") == {"precision@10%": pytest.approx((0, 3 / 5))}
    one = np.zeros(50)
    one[7] = 1
    rare = redraw([Rows(one, subject, {"any": Ranking(draw.random(50))})], redraws=200)
    assert 0 < np.isnan(rare.drawn["any"]["auc"]).mean() < 1
    assert "auc" not in rare.intervals("any")
    assert set(rare.intervals("any")) == {"precision@10%"}


def test_what_cannot_be_compared_is_refused() -> None:
    """No row, a missing score, a ranking that one split lacks: each with its cure."""
    subject, label = np.array(["a", "b"]), np.array([0.0, 1.0])
    whole = Rows(label, subject, {"any": Ranking(np.array([1.0, 2.0]))})
    with pytest.raises(Refused, match="labelled test rows"):
        redraw([Rows(label[:0], subject[:0], {"any": Ranking(label[:0])})])
    with pytest.raises(Refused, match="any: wanted a score for every labelled row; got 1 missing"):
        redraw([Rows(label, subject, {"any": Ranking(np.array([1.0, np.nan]))})])
    with pytest.raises(Refused, match="in every split"):
        redraw([whole, Rows(label, subject, {"other": Ranking(label)})])
