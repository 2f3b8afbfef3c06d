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

Floats = npt.NDArray[np.float64]
OF_THE_CLUE = (
    "clue_id",
    "subject_id",
    "office_id",
    "supervision_model",
    "function",
    "severity",
    "raised_at",
)


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
    """A split after its test: the scorer it taught, figures, and a row per test clue."""

    split: Split
    training_set: TrainingSet
    features: tuple[ScoredFeature, ...]
    fitted: Fitted
    figures: dict[str, Any]
    baselines: dict[str, dict[str, Any]]
    scores: pa.Table
    test_rows: pa.Table
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
    clues, table, label = _test_rows(question, split, records)
    test = to_matrix(features, table)
    margin = margins(fitted.booster, test)
    rankings: dict[str, Ranking] = {
        "scorer": Ranking(margin, fitted.calibrator.probability(margin))
    }
    for name in question.experiment.baselines:
        learned = (matrix, rows.label)
        rankings[name] = rank_by(name, question.experiment, features, learned, test, clues)
    figures = {name: _figures(ranking, label) for name, ranking in rankings.items()}
    known = ~np.isnan(label)
    return Judged(
        split=split,
        training_set=training_set,
        features=features,
        fitted=fitted,
        figures=figures.pop("scorer"),
        baselines=figures,
        scores=_score_table(clues, label, rankings, question.experiment.fairness),
        test_rows=table,
        counts={
            "train_clues": len(rows.label),
            "train_cases": int(rows.label.sum()),
            "train_unripe": taught.unripe,
            "train_unpursued": taught.unpursued,
            "test_clues": int(known.sum()),
            "test_cases": int(label[known].sum()),
            "test_unlabelled": int((~known).sum()),
        },
    )


def _figures(ranking: Ranking, label: Floats) -> dict[str, Any]:
    """Figures on the labelled rows."""
    known = ~np.isnan(label)
    probability = None if ranking.probability is None else ranking.probability[known]
    return evaluate_scores(ranking.score[known], label[known], probability)


def _training_set(question: Question, split: Split, records: Records) -> tuple[TrainingSet, Labels]:
    chosen = _between(question.clues, split.train_from, split.train_until)
    clues, rows = question.clues.filter(chosen), question.rows.filter(chosen)
    labels = label_clues(question.experiment.label, clues, records, split.test_from)
    identity = {**question.identity, "split": split.model_dump(mode="json")}
    made = make_training_set(rows, clues, labels.values, question.chosen, identity)
    return made, labels


def _test_rows(
    question: Question, split: Split, records: Records
) -> tuple[pa.Table, pa.Table, Floats]:
    """Clues, features and labels (NaN: unknown) of the split's test."""
    chosen = _between(question.clues, split.test_from, split.test_until)
    clues, rows = question.clues.filter(chosen), question.rows.filter(chosen)
    label = label_clues(question.experiment.label, clues, records, judged_at(question, split))
    if np.isnan(label.values).all():
        raise Refused(
            wanted=f"labelled clues between {split.test_from} and {split.test_until}",
            got=f"{clues.num_rows} clues there, none with a known label",
            cure="move the split to months whose outcomes were admitted",
        )
    return clues, rows, label.values


def judged_at(question: Question, split: Split) -> datetime:
    """When every test clue is ripe."""
    label = question.experiment.label
    return label.horizon.after(split.test_until) + timedelta(days=label.reporting_lag_days)


def _between(clues: pa.Table, start: datetime, until: datetime) -> pa.Array:
    moments = micros(clues["raised_at"])
    low, high = micros(pa.array([start, until], pa.timestamp("us")))
    return pa.array((moments >= low) & (moments < high))


def _score_table(
    clues: pa.Table, label: Floats, rankings: Mapping[str, Ranking], groups: tuple[str, ...]
) -> pa.Table:
    """Every test clue: what it is, label (null: unknown), probability, each ranking's score."""
    columns = {f"score_{name}": ranking.score for name, ranking in rankings.items()}
    return pa.table(
        {
            **{name: clues[name] for name in dict.fromkeys([*OF_THE_CLUE, *groups])},
            "label": pa.array(label, from_pandas=True),
            "probability": rankings["scorer"].probability,
            **columns,
        }
    )
