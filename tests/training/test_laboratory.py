"""The simulated province as a laboratory: its truth says whether labels, weights and calibration
recover what they claim to.

Worlds are drawn by the province's own simulator (who is guilty, what offices take up and decide),
without writing records. In months 1-24 offices choose by severity and whim, later by a ranking with
a share by lot; chances are the simulator's. Here that ranking is a hunch that no record keeps, the
worst that can be: the province itself ranks by records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest

from clues.register import read_clues
from experiments.province.findings import Findings, plan_findings
from experiments.province.history import play_history
from experiments.province.kinds import KINDS
from experiments.province.offices import make_institutions
from experiments.province.world import make_world
from governance.home import Home
from governance.reading import Records
from scoring.calibration import SigmoidCalibrator
from training.experiment import OutcomeLabel, Survival
from training.label import Labels, label_clues
from training.metrics import calibration_bins
from training.propensity import (
    SelectedFigures,
    figures_for_all,
    pursuit_chances,
    selection_weights,
    weighted_ratio,
)

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
WORLDS = 100
FLOOR = 0.05
# All worlds are of one province: they differ in their people, not in their offices and bodies.
INSTITUTIONS = make_institutions(np.random.default_rng(5))
LABEL = OutcomeLabel(kind="outcome", horizon_days=270, reporting_lag_days=30)


@dataclass(frozen=True)
class Drawn:
    """A world: clues as offices saw them, true chances and labels, and a scorer's scores."""

    clues: pa.Table
    findings: Findings
    chance: Floats
    pursued: Bools
    became: Floats
    score: Floats

    @property
    def label(self) -> Floats:
        return np.where(self.pursued, self.became, np.nan)

    @property
    def noted(self) -> dict[str, float]:
        ids = self.clues["clue_id"].to_pylist()
        return dict(zip(ids, self.chance.tolist(), strict=True))


def province_world(seed: int, *, count: int, months: int) -> Drawn:
    """A province of `count` clues; the scorer knows the true log-odds up to noise."""
    draw = np.random.default_rng(seed)
    world = make_world(count, draw, institutions=INSTITUTIONS)
    found = plan_findings(world, count, months, draw)
    ids = [f"c{at}" for at in range(count)]
    history = play_history(world, found, ids, months, seed, policy="hunch")
    clues = pa.table(
        {
            "clue_id": ids,
            "subject_id": found.person.astype(str),
            "supervision_model": [KINDS[kind].name for kind in found.kind],
            "office_id": found.office.astype(str),
            "severity": [KINDS[kind].severity for kind in found.kind],
            "function": ["-"] * count,
            "raised_at": pa.array(found.moment, pa.timestamp("us")),
        }
    )
    score = np.log(found.probability / (1 - found.probability)) + draw.normal(0, 2, count)
    became = history.became_case.astype(float)
    return Drawn(clues, found, history.propensity, history.pursued, became, score)


def weights_of(world: Drawn, *, known: bool) -> Floats:
    """Weights as training makes them: from noted chances, or from what offices saw."""
    found = pursuit_chances(
        world.clues,
        world.pursued,
        np.ones(len(world.became), bool),
        kind="known" if known else "estimated",
        noted=world.noted if known else {},
        seed=1,
    )
    return selection_weights(found.value, world.pursued, FLOOR).value


FIGURES = ("base_rate", "auc", "precision@10%", "tail_recall_loss", "cases_found/20")


def plain(figures: SelectedFigures, name: str) -> float:
    group, _, part = name.partition("/")
    value = figures.figures[group]
    return float(value[part] if part else value)


@dataclass(frozen=True)
class Verdict:
    """Over worlds: figure -> mean error, and in how many worlds the interval held the truth of
    that world's own clues (`held`), and of all worlds' (`expected`: clues yet to come)."""

    error: dict[str, float]
    held: dict[str, int]
    expected: dict[str, int]


def judged(worlds: Sequence[Drawn], weigh: Callable[[Drawn], Floats]) -> Verdict:
    """Figures from labelled clues beside those of everyone's true labels, world by world."""
    error: dict[str, list[float]] = {name: [] for name in FIGURES}
    held, expected = dict.fromkeys(FIGURES, 0), dict.fromkeys(FIGURES, 0)
    truths = [
        figures_for_all(each.score, each.became, np.ones(len(each.became))) for each in worlds
    ]
    mean = {name: np.mean([plain(each, name) for each in truths]) for name in FIGURES}
    for world, truth in zip(worlds, truths, strict=True):
        subject = np.array(world.clues["subject_id"].to_pylist(), dtype=str)
        found = figures_for_all(world.score, world.label, weigh(world), subject=subject)
        for name in FIGURES:
            low, high = found.intervals[name]
            error[name].append(plain(found, name) - plain(truth, name))
            held[name] += low <= plain(truth, name) <= high
            expected[name] += bool(low <= mean[name] <= high)
    errors = {name: float(np.mean(each)) for name, each in error.items()}
    return Verdict(errors, held, expected)


def naive(world: Drawn) -> Floats:
    return world.pursued.astype(float)


@pytest.fixture(scope="module")
def ranked_worlds() -> list[Drawn]:
    """60 months: most labels come from months in which offices followed a ranking."""
    return [province_world(seed, count=1_500, months=60) for seed in range(WORLDS)]


def test_with_noted_chances_the_intervals_hold_the_truth(ranked_worlds: list[Drawn]) -> None:
    """At least 90 of 100 worlds for every figure; the naive share of cases in none."""
    plainly = judged(ranked_worlds, naive)
    weighted = judged(ranked_worlds, lambda world: weights_of(world, known=True))
    assert plainly.error["base_rate"] > 0.03
    assert plainly.error["auc"] < -0.01
    assert plainly.held["base_rate"] <= 5
    assert min(weighted.held.values()) >= 90, weighted.held
    assert min(weighted.expected.values()) >= 90, weighted.expected
    for name in FIGURES:
        assert abs(weighted.error[name]) < 0.006, weighted.error
    assert abs(weighted.error["base_rate"]) < 0.1 * plainly.error["base_rate"]
    assert abs(weighted.error["auc"]) < 0.2 * abs(plainly.error["auc"])


@pytest.mark.slow
def test_an_estimate_cannot_undo_what_nobody_wrote_down(ranked_worlds: list[Drawn]) -> None:
    """Offices followed a ranking that no column keeps: part of the bias stays. So chances are
    noted when clues are drawn."""
    few = ranked_worlds[:20]
    plainly = judged(few, naive).error["base_rate"]
    estimated = judged(few, lambda world: weights_of(world, known=False)).error["base_rate"]
    noted = judged(few, lambda world: weights_of(world, known=True)).error["base_rate"]
    assert 0.25 * plainly < estimated < 0.75 * plainly
    assert abs(noted) < 0.25 * estimated


@pytest.mark.slow
def test_where_offices_chose_by_what_is_seen_the_estimate_recovers_the_truth() -> None:
    """24 months of severity and whim: chances estimated, intervals hold in 90 of 100 worlds."""
    worlds = [province_world(seed, count=1_500, months=24) for seed in range(WORLDS)]
    plainly = judged(worlds, naive)
    weighted = judged(worlds, lambda world: weights_of(world, known=False))
    assert plainly.error["base_rate"] > 0.007
    assert plainly.expected["base_rate"] < 90
    assert abs(weighted.error["base_rate"]) < 0.3 * plainly.error["base_rate"]
    assert min(weighted.held.values()) >= 90, weighted.held
    assert min(weighted.expected.values()) >= 90, weighted.expected


def columns_of(found: Findings) -> Floats:
    """What the records show of a finding; nothing hidden."""
    shown = (
        found.kind,
        found.body,
        found.by_name,
        found.repaid_percent,
        found.lag_days,
        found.amount_cents,
    )
    return np.column_stack([each.astype(float) for each in shown])


def calibrated(world: Drawn, weight: Floats, part: npt.NDArray[np.int64]) -> Floats:
    """Probabilities of part 2, by trees grown on part 0 and a calibrator fitted on part 1."""
    columns, teach = columns_of(world.findings), world.pursued & (part == 0)
    options = {"objective": "binary", "num_leaves": 15, "learning_rate": 0.05, "verbose": -1}
    booster = lgb.train(
        {**options, "seed": 1, "deterministic": True, "num_threads": 1, "min_child_samples": 40},
        lgb.Dataset(
            columns[teach], world.became[teach], weight=weight[teach], categorical_feature=[0, 1]
        ),
        80,
    )
    margin = np.asarray(booster.predict(columns, raw_score=True), np.float64)
    later = np.flatnonzero(world.pursued & (part == 1))
    # Rows drawn in proportion to their weight stand for weighted rows.
    drawn = np.random.default_rng(1).choice(
        later, 4 * len(later), p=weight[later] / weight[later].sum()
    )
    fitted = SigmoidCalibrator.fit(margin[drawn], world.became[drawn])
    return fitted.probability(margin[part == 2])


def test_calibration_recovers_the_chance_of_a_case_if_pursued() -> None:
    """Beside the true P(case | pursued) of clues never seen, pursued or not, mean of 6 worlds:
    each tenth within 0.02, and no lean. Labels taken as they are promise too much in most."""
    gaps: dict[str, list[Floats]] = {"naive": [], "noted": []}
    for seed in range(6):
        world = province_world(seed, count=12_000, months=60)
        part = np.random.default_rng(seed).integers(0, 3, len(world.became))
        true = world.findings.probability[part == 2]
        for name, weight in (("naive", naive(world)), ("noted", weights_of(world, known=True))):
            bins = calibration_bins(calibrated(world, weight, part), true)
            gaps[name].append(np.array([said - came for said, came, _ in bins]))
    error = {name: float(np.abs(each).mean()) for name, each in gaps.items()}
    lean = {name: np.mean(each, axis=0) for name, each in gaps.items()}
    assert np.abs(lean["noted"]).max() < 0.02, lean
    assert abs(lean["noted"].mean()) < 0.003, lean
    assert error["noted"] < 0.01, error
    assert (lean["naive"] > 0).sum() >= 8, lean
    assert lean["naive"].mean() > 0.004, lean
    assert lean["naive"].mean() > 2 * abs(lean["noted"].mean()), lean


@pytest.fixture(scope="module")
def truth(province: Home) -> pd.DataFrame:
    """The province's truth by clue, with the statuses its outcomes were told under, in order."""
    folder = Path(province.path) / "simulated"
    told = pd.read_csv(folder / "outcomes.csv").sort_values("reported_at")
    words = told.groupby("clue_id")["status"].agg(list).rename("words")
    frame = pd.read_parquet(folder / "truth" / "clues.parquet").set_index("clue_id").join(words)
    frame["words"] = [each if isinstance(each, list) else [] for each in frame["words"]]
    return frame


def labelled(
    province: Home, truth: pd.DataFrame, cut: datetime, label: OutcomeLabel = LABEL
) -> tuple[pa.Table, Labels, pd.DataFrame]:
    """The province's clues raised before `cut`, their labels then, and the truth beside them."""
    clues = read_clues(province)
    ids = clues["clue_id"].to_pylist()
    moments = clues["raised_at"].to_pylist()
    there = [i in truth.index and m < cut for i, m in zip(ids, moments, strict=True)]
    clues = clues.filter(pa.array(there))
    with Records(province) as records:
        found = label_clues(label, clues, records, cut)
    return clues, found, truth.loc[clues["clue_id"].to_pylist()]


def test_labels_are_the_truth_where_clues_are_ripe_and_pursued(
    province: Home, truth: pd.DataFrame
) -> None:
    """Every label is what the truth says, but for words corrected after the horizon; what has no
    label was not pursued or was returned, and the counts say so."""
    _, found, true = labelled(province, truth, datetime(2026, 1, 1))
    ripe = true["moment"] <= datetime(2026, 1, 1) - timedelta(days=300)
    known = ~np.isnan(found.values)
    corrected = true["words"].map(len) > 1
    differs = known & (found.values != true["became_case"])
    assert known.sum() > 500
    assert not (differs & ~corrected).any()
    assert differs.sum() <= 0.01 * known.sum()
    returned = true["words"].map(lambda words: words[-1:] == ["returned"])
    assert np.array_equal(known, ripe & true["pursued"] & ~returned)
    assert found.unpursued == (ripe & ~true["pursued"]).sum()
    assert found.unripe == (~ripe).sum()
    assert found.undecided == {"returned": (ripe & returned).sum()}
    withdrawn = true["words"].map(lambda words: words[-1:] == ["case_withdrawn"])
    assert found.cases_withdrawn == (ripe & withdrawn).sum()


def test_labels_that_come_early_are_the_truth_too_and_weigh_as_all_pursued_clues(
    province: Home, truth: pd.DataFrame
) -> None:
    """Unripe clues that ended: the truth says the same, but for words corrected later. The
    weighted share of cases is that of all clues up to the cut that were pursued, not returned."""
    label = LABEL.model_copy(update={"survival": Survival(step_days=30)})
    cut = datetime(2024, 9, 1)
    clues, found, true = labelled(province, truth, cut, label)
    _, ripe_only, _ = labelled(province, truth, cut)
    known = ~np.isnan(found.values)
    early = known & np.isnan(ripe_only.values)
    assert found.taught_early == early.sum() > 50
    corrected = true["words"].map(len) > 1
    assert not (early & (found.values != true["became_case"]) & ~corrected).any()
    assert np.array_equal(found.values[~early], ripe_only.values[~early], equal_nan=True)
    assert (found.weight[known] >= 1).all()
    assert (found.weight[~known] == 0).all()
    share = weighted_ratio(found.values[known], np.ones(known.sum()), found.weight[known])
    assert share is not None
    returned = true["words"].map(lambda words: words[-1:] == ["returned"])
    concluded = true[true["pursued"] & ~returned]
    assert share.low <= concluded["became_case"].mean() <= share.high
    assert clues.num_rows == len(true)
