"""Judged splits made of drawn rows with a known signal, for reports."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from training_worlds import asked, drawn_rows, scored

from scoring.matrix import to_matrix
from training.evaluate import Judged
from training.experiment import Experiment, Split
from training.fit import fit, margins
from training.metrics import evaluate_scores
from training.training_set import TrainingSet

FIRST_TEST = datetime(2023, 4, 1)
CATEGORIES = ("a", "b", "c")
# A name that tries to break out of wherever it is put.
HOSTILE = '<img src="https://example.org/x.png" onerror=alert(1)>|`x`'


def question(**declared: Any) -> Experiment:
    """Two splits one after the other, fairness by function."""
    splits = [
        {
            "train_from": "2022-01-01",
            "train_until": "2023-03-01",
            "test_from": FIRST_TEST + timedelta(days=61 * at),
            "test_until": FIRST_TEST + timedelta(days=61 * (at + 1)),
        }
        for at in range(2)
    ]
    return asked(**{"splits": splits, "fairness": ["function"], **declared})


def judged_splits(
    experiment: Experiment, tested: int = 400, unlabelled: int = 120
) -> tuple[Judged, ...]:
    """One Judged per split; the first `unlabelled` test clues have no label."""
    return tuple(
        _judged(experiment, split, seed, tested, unlabelled)
        for seed, split in enumerate(experiment.splits, 1)
    )


def with_labels(judged: Judged, label: np.ndarray) -> Judged:
    """The same split as if its test labels (1, 0, NaN) were these, figures told anew."""
    column = judged.scores.column_names.index("label")
    values = pa.array(label, from_pandas=True)
    scores = judged.scores.set_column(column, "label", values)
    return Judged(
        split=judged.split,
        training_set=judged.training_set,
        features=judged.features,
        fitted=judged.fitted,
        figures=_figures(scores, "scorer"),
        baselines={"severity": _figures(scores, "severity")},
        scores=scores,
        test_rows=judged.test_rows,
        counts=judged.counts,
    )


def _judged(
    experiment: Experiment, split: Split, seed: int, tested: int, unlabelled: int
) -> Judged:
    features = scored(6, categories=(2,))
    teaching, test = drawn_rows(900, seed), drawn_rows(tested, seed + 100)
    fitted = fit(experiment, features, teaching, 1)
    table = _table(test.matrix)
    margin = margins(fitted.booster, to_matrix(features, table))
    label = np.where(np.arange(tested) < unlabelled, np.nan, test.label)
    draw = np.random.default_rng(seed)
    scores = pa.table(
        {
            "clue_id": [f"c{seed}-{at:05}" for at in range(tested)],
            "subject_id": [f"subject-{seed}-{at}" for at in range(tested)],
            "office_id": draw.choice(["AH01", "AH02", HOSTILE], tested),
            "supervision_model": draw.choice(["m1", "m2"], tested),
            "function": draw.choice(["criminal", "civil"], tested),
            "label": pa.array(label, from_pandas=True),
            "probability": fitted.calibrator.probability(margin),
            "score_scorer": margin,
            "score_severity": np.round(test.matrix[:, 1]),
        }
    )
    taught = TrainingSet(
        _table(teaching.matrix).append_column("label", pa.array(teaching.label)), "d" * 64
    )
    return Judged(
        split=split,
        training_set=taught,
        features=features,
        fitted=fitted,
        figures=_figures(scores, "scorer"),
        baselines={"severity": _figures(scores, "severity")},
        scores=scores,
        test_rows=table,
        counts={"train_clues": 900, "test_clues": tested - unlabelled},
    )


def _figures(scores: pa.Table, name: str) -> dict[str, Any]:
    label = np.asarray(scores["label"].to_numpy(), np.float64)
    known = ~np.isnan(label)
    score = np.asarray(scores[f"score_{name}"].to_numpy(), np.float64)
    said = np.asarray(scores["probability"].to_numpy(), np.float64)[known]
    return evaluate_scores(score[known], label[known], said if name == "scorer" else None)


def _table(matrix: np.ndarray) -> pa.Table:
    columns: dict[str, Any] = {f"x{at}": matrix[:, at] for at in range(matrix.shape[1])}
    columns["x2"] = [CATEGORIES[int(code)] for code in matrix[:, 2]]
    return pa.table(columns)
