"""One split of an experiment: teach on what was ripe then, judge on what became known later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from base.bilingual import Bilingual
from base.errors import Refused
from features.definition import Feature
from features.slices import micros
from governance.reading import Records
from scoring.bundle import ScoredFeature
from scoring.matrix import to_matrix
from training.baselines import Ranking, rank_by
from training.experiment import Experiment, Split
from training.fit import Fitted, Rows, fit, margins
from training.label import Labels, label_clues
from training.metrics import evaluate_scores
from training.training_set import TrainingSet, make_training_set, scored_features


@dataclass(frozen=True)
class Question:
    """What all splits of an experiment share. `clues` and `rows` (their features) are parallel."""

    experiment: Experiment
    clues: pa.Table
    rows: pa.Table
    chosen: tuple[Feature, ...]
    identity: Mapping[str, Any]
    labels: Mapping[str, Mapping[str, Bilingual]]
    threads: int


@dataclass(frozen=True)
class Judged:
    """A split after its test: the scorer it taught, figures, and a row per labelled test clue."""

    split: Split
    training_set: TrainingSet
    features: tuple[ScoredFeature, ...]
    fitted: Fitted
    figures: dict[str, Any]
    baselines: dict[str, dict[str, Any]]
    scores: pa.Table
    counts: dict[str, int]


def judge_split(question: Question, split: Split, records: Records) -> Judged:
    """Fit on the split's training rows, rank its test rows, compare with every baseline.

    Training labels are those known strictly before `test_from`; test labels those known once the
    last test clue's horizon and the reporting lag have passed.
    """
    training_set, taught = _training_set(question, split, records)
    features = scored_features(question.chosen, training_set.table, question.labels)
    matrix = to_matrix(features, training_set.table)
    rows = Rows(
        matrix,
        training_set.label,
        micros(training_set.table["moment"]),
        np.array(training_set.table["subject_id"].to_pylist(), dtype=str),
    )
    fitted = fit(question.experiment, features, rows, question.threads)
    clues, table, label, unknown = _test_rows(question, split, records)
    test = to_matrix(features, table)
    margin = margins(fitted.booster, test)
    probability = fitted.calibrator.probability(margin)
    rankings: dict[str, Ranking] = {
        name: rank_by(name, question.experiment, features, (matrix, rows.label), test, clues)
        for name in question.experiment.baselines
    }
    return Judged(
        split=split,
        training_set=training_set,
        features=features,
        fitted=fitted,
        figures=evaluate_scores(margin, label, probability),
        baselines={
            name: evaluate_scores(ranking.score, label, ranking.probability)
            for name, ranking in rankings.items()
        },
        scores=_score_table(clues, label, margin, probability, rankings),
        counts={
            "train_clues": len(rows.label),
            "train_cases": int(rows.label.sum()),
            "train_unripe": taught.unripe,
            "train_unpursued": taught.unpursued,
            "test_clues": len(label),
            "test_cases": int(label.sum()),
            "test_unlabelled": unknown,
        },
    )


def _training_set(question: Question, split: Split, records: Records) -> tuple[TrainingSet, Labels]:
    chosen = _between(question.clues, split.train_from, split.train_until)
    clues, rows = question.clues.filter(chosen), question.rows.filter(chosen)
    labels = label_clues(question.experiment.label, clues, records, split.test_from)
    identity = {**question.identity, "split": split.model_dump(mode="json")}
    made = make_training_set(rows, clues, labels.values, question.chosen, identity)
    return made, labels


def _test_rows(
    question: Question, split: Split, records: Records
) -> tuple[pa.Table, pa.Table, npt.NDArray[np.float64], int]:
    chosen = _between(question.clues, split.test_from, split.test_until)
    clues, rows = question.clues.filter(chosen), question.rows.filter(chosen)
    label = label_clues(question.experiment.label, clues, records, judged_at(question, split))
    known = ~np.isnan(label.values)
    if not known.any():
        raise Refused(
            wanted=f"labelled clues between {split.test_from} and {split.test_until}",
            got=f"{clues.num_rows} clues there, none with a known label",
            cure="move the split to months whose outcomes were admitted",
        )
    mask = pa.array(known)
    return clues.filter(mask), rows.filter(mask), label.values[known], int((~known).sum())


def judged_at(question: Question, split: Split) -> datetime:
    """When every test clue is ripe."""
    label = question.experiment.label
    return label.horizon.after(split.test_until) + timedelta(days=label.reporting_lag_days)


def _between(clues: pa.Table, start: datetime, until: datetime) -> pa.Array:
    moments = micros(clues["raised_at"])
    low, high = micros(pa.array([start, until], pa.timestamp("us")))
    return pa.array((moments >= low) & (moments < high))


def _score_table(
    clues: pa.Table,
    label: npt.NDArray[np.float64],
    margin: npt.NDArray[np.float64],
    probability: npt.NDArray[np.float64],
    rankings: Mapping[str, Ranking],
) -> pa.Table:
    return pa.table(
        {
            "clue_id": clues["clue_id"],
            "label": label,
            "margin": margin,
            "probability": probability,
            **{f"baseline_{name}": ranking.score for name, ranking in rankings.items()},
        }
    )
