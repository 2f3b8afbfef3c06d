"""Decay: the last champion beside a scorer that was told everything.

The one that was told everything learns the truth of every clue raised before the last months,
whether anybody looked at it or not. What it finds more is what selective, late and ageing labels
cost. All are judged on the clues of the last months, by the truth.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from base.moment import add_months
from base.settings import Settings
from experiments.replay.stage import EXPERIMENT
from experiments.replay.truth import Truth
from features.declared import declared_features
from features.slices import micros
from features.table import build_features
from governance.home import Home
from governance.reading import Records
from scoring.champion import read_history
from scoring.matrix import to_matrix
from scoring.scorer import Scorer
from training.experiment import find_experiment
from training.fit import fit, margins
from training.metrics import evaluate_scores
from training.rows import Rows
from training.training_set import chosen_features, scored_features

Floats = npt.NDArray[np.float64]
JUDGED_MONTHS = 6
NAMES = ("auc", "average_precision", "ece")


def measure_decay(home: Home, clues: pa.Table, truth: Truth, until: datetime) -> dict[str, Any]:
    """Figures of the first champion, the last one, and a scorer of the same experiment taught the
    truth, on the clues of the last `JUDGED_MONTHS` months up to and including `until`.

    `clues` (all that were ever raised) and `truth` are parallel.
    """
    definitions = declared_features(home)
    with Records(home) as records:
        rows = build_features(definitions, clues, records, threads=Settings().threads)
    since = add_months(until, 1 - JUDGED_MONTHS)
    judged = pc.greater_equal(clues["raised_at"], pa.scalar(since, pa.timestamp("us")))
    late = np.asarray(judged.to_numpy(zero_copy_only=False), bool)
    label = truth.case.astype(np.float64)
    found = {
        "last_champion": read_history(home.scorers)[-1].scorer,
        "first_champion": read_history(home.scorers)[0].scorer,
    }
    said: dict[str, tuple[Floats, Floats]] = {}
    for name, digest in found.items():
        scores = Scorer.load(home.scorers / digest, digest).score(rows.filter(judged))
        said[name] = (scores.margin, scores.probability)
    said["told_everything"] = _told_everything(home, rows, clues, label, ~late)
    return {
        "judged_from": f"{since:%Y-%m}",
        "judged": int(late.sum()),
        "cases": int(label[late].sum()),
        **{name: _figures(*scores, label[late]) for name, scores in said.items()},
    }


def _told_everything(
    home: Home, rows: pa.Table, clues: pa.Table, label: Floats, early: npt.NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Margins and probabilities of the late clues, by trees taught the early ones."""
    _, experiment = find_experiment(home.jurisdiction.folder / "experiments", EXPERIMENT)
    chosen = chosen_features(declared_features(home), experiment)
    features = scored_features(chosen, rows.filter(pa.array(early)), {})
    matrix = to_matrix(features, rows)
    taught = Rows(
        matrix[early],
        label[early],
        micros(clues["raised_at"])[early],
        np.array(clues["subject_id"].to_pylist(), dtype=str)[early],
    )
    fitted = fit(experiment, features, taught, Settings().threads)
    margin = margins(fitted.booster, matrix[~early])
    return margin, fitted.calibrator.probability(margin, matrix[~early])


def _figures(margin: Floats, probability: Floats, label: Floats) -> dict[str, Any]:
    found = evaluate_scores(margin, label, probability)
    told = {name: _rounded(found[name]) for name in NAMES}
    return {**told, "cases_found": {k: _rounded(v) for k, v in found["cases_found"].items()}}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
