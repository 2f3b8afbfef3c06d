"""Decay: the last champion beside scorers that were told more.

One was told everything the loop knew when the last months began; the other the truth of every clue
raised before them, whether anybody looked at it or not. What the first finds more is what waiting
for a promotion costs; what the second finds more, what selective, late and ageing labels cost. All
are judged on the clues of the last months, by the truth, and differences are paired: resampled by
subject (training/intervals.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from base.moment import FixedClock, add_months
from base.progress import silent
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
from training.baselines import Ranking
from training.experiment import Experiment, find_experiment
from training.fit import fit, margins
from training.intervals import Rows as JudgedRows
from training.intervals import redraw
from training.metrics import evaluate_scores
from training.rows import Rows
from training.train import train
from training.training_set import chosen_features, scored_features

Floats = npt.NDArray[np.float64]
JUDGED_MONTHS = 6
NAMES = ("auc", "average_precision", "ece")
PAIRED = ("cases_found/20", "auc")
LAST = "last_champion"
TOLD_MORE = ("told_what_was_known", "told_everything")


def measure_decay(home: Home, clues: pa.Table, truth: Truth, until: datetime) -> dict[str, Any]:
    """Figures of the first champion, the last one, and two scorers of the same experiment that were
    told more, on the clues of the last `JUDGED_MONTHS` months up to and including `until`.

    `clues` (all that were ever raised) and `truth` are parallel. `differences`: the last champion
    minus each that was told more, with a 95 % interval; `cases_found/20` is the share of the cases
    in the first 20 %.
    """
    definitions = declared_features(home)
    with Records(home) as records:
        rows = build_features(definitions, clues, records, threads=Settings().threads)
    since = add_months(until, 1 - JUDGED_MONTHS)
    judged = pc.greater_equal(clues["raised_at"], pa.scalar(since, pa.timestamp("us")))
    late = np.asarray(judged.to_numpy(zero_copy_only=False), bool)
    label = truth.case.astype(np.float64)
    found = {
        LAST: read_history(home.scorers)[-1].scorer,
        "first_champion": read_history(home.scorers)[0].scorer,
        "told_what_was_known": _told_what_was_known(home, since, until),
    }
    said = {name: _said(home, digest, rows.filter(judged)) for name, digest in found.items()}
    said["told_everything"] = _told_everything(home, rows, clues, label, ~late)
    subject = np.array(clues["subject_id"].to_pylist(), dtype=str)[late]
    return {
        "judged_from": f"{since:%Y-%m}",
        "judged": int(late.sum()),
        "cases": int(label[late].sum()),
        **{name: _figures(*scores, label[late]) for name, scores in said.items()},
        "differences": _differences(said, label[late], subject),
    }


def _said(home: Home, digest: str, rows: pa.Table) -> tuple[Floats, Floats]:
    scores = Scorer.load(home.scorers / digest, digest).score(rows)
    return scores.margin, scores.probability


def _differences(
    said: Mapping[str, tuple[Floats, Floats]], label: Floats, subject: npt.NDArray[np.str_]
) -> dict[str, Any]:
    """The last champion minus each scorer that was told more, over the same clues."""
    rankings = {name: Ranking(*scores) for name, scores in said.items()}
    redrawn = redraw([JudgedRows(label, subject, rankings)], capacities=["20"])
    told = {}
    for name in TOLD_MORE:
        paired = redrawn.differences(LAST, name)
        told[name] = {
            figure: {key: _rounded(value) for key, value in asdict(paired[figure]).items()}
            for figure in PAIRED
            if figure in paired
        }
    return told


def _told_what_was_known(home: Home, since: datetime, until: datetime) -> str:
    """The digest of a scorer of the same experiment, taught all that had been heard by `since`."""
    _, experiment = find_experiment(home.jurisdiction.folder / "experiments", EXPERIMENT)
    after = add_months(until, 1)
    split = {
        "train_from": experiment.splits[0].train_from,
        "train_until": since,
        "test_from": since,
        "test_until": after,
    }
    declared = {**experiment.model_dump(exclude={"splits"}), "splits": [split]}
    asked = Experiment.model_validate(declared)
    return train(home, EXPERIMENT, FixedClock(after), silent(), asked).scorer


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
