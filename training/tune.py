"""Tuning: parameters chosen on the training rows alone, where later rows judge earlier ones.

inner_folds   blocks of rows, each judged by trees that grew on what was ripe before it
tune          trials over those folds (training/study.py keeps them), then the best of them
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from base.moment import to_micros
from base.progress import Bar, SilentBar
from scoring.bundle import ScoredFeature
from training.experiment import Experiment, Label, Tuning
from training.fit import (
    BIN_PARAMETERS,
    Binned,
    Parameters,
    bin_rows,
    grow_binned,
    monotone_constraints,
    used_parameters,
    worthwhile_threads,
)
from training.note import Note
from training.rows import Rows, has_both_classes
from training.study import ATTEMPTS, BATCH, SAMPLER, Outcome, opened

Floats = npt.NDArray[np.float64]
Chosen = npt.NDArray[np.bool_]
CAPACITY = 0.2


NOT_TUNED = Note(
    "not tuned: no training row is ripe before a later one",
    "未调参：没有训练样本在更晚的样本之前成熟",
)


@dataclass(frozen=True)
class Fold:
    """Rows that grow trees, and later rows that judge them; both (n,)."""

    growing: Chosen
    judged: Chosen


@dataclass(frozen=True)
class Tuned:
    """What tuning came to. `parameters` is empty where nothing could be tuned.

    `value` and `declared` are the metric's means over the inner folds, of the chosen trial and of
    the declared parameters; the first is the best of many and so too good to be believed.
    """

    parameters: Parameters
    value: float | None = None
    declared: float | None = None
    trials: int = 0
    given_up: int = 0
    folds: int = 0
    study: Path | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class StudyPlace:
    """Where trials are kept: `folder` of the home, the experiment's name, its training set."""

    folder: Path
    experiment: str
    training_set: str

    def identity(self, experiment: Experiment, rows: Rows) -> str:
        """sha256 hex over everything that decides a trial: another question is another study."""
        asked = {
            "training_set": self.training_set,
            "lightgbm": lgb.__version__,
            "sampler": SAMPLER,
            "parameters": used_parameters(experiment),
            **experiment.model_dump(
                mode="json",
                include={"tuning", "early_stopping", "monotone", "seed", "label"},
            ),
        }
        whole = hashlib.sha256(json.dumps(asked, sort_keys=True).encode())
        if rows.weight is not None:
            whole.update(np.ascontiguousarray(rows.weight).tobytes())
        return whole.hexdigest()

    def path(self, identity: str) -> Path:
        return self.folder / f"{self.experiment}-{identity[:16]}.db"


def tune(
    experiment: Experiment,
    features: tuple[ScoredFeature, ...],
    rows: Rows,
    place: StudyPlace,
    threads: int,
    bar: Bar | None = None,
) -> Tuned:
    """Choose parameters by `experiment.tuning` on training rows; `bar` goes on by trials.

    Without a forward fold nothing is chosen, and a note says so. Raises Refused where LightGBM
    takes no parameters of the ranges, NotReady where another process runs the same study.
    """
    tuning = experiment.tuning
    assert tuning is not None, "ask only experiments that declare tuning"
    monotone_constraints(experiment, features)
    folds = inner_folds(experiment.label, rows, tuning.folds)
    if not folds:
        return Tuned({}, notes=(NOT_TUNED,))
    identity = place.identity(experiment, rows)
    path = place.path(identity)
    judge = _Judge(experiment, features, rows, folds)
    threads_each = worthwhile_threads(threads, max(int(fold.growing.sum()) for fold in folds))
    workers = max(1, threads // threads_each)
    with (
        opened(path, identity, experiment, tuning, len(folds), bar or SilentBar()) as trials,
        ThreadPoolExecutor(workers) as pool,
    ):

        def judged(parameters: Parameters, step: int) -> Future[float]:
            return pool.submit(judge, parameters, step, threads_each)

        trials.begin()
        for start in range(0, tuning.trials, BATCH):
            trials.run_batch(start, judged)
        outcome = trials.outcome()
    return Tuned(
        parameters=outcome.parameters,
        value=outcome.value,
        declared=outcome.declared,
        trials=outcome.trials,
        given_up=outcome.given_up,
        folds=len(folds),
        study=path,
        notes=tuple(_notes(tuning, outcome, len(folds))),
    )


def inner_folds(label: Label, rows: Rows, wanted: int) -> tuple[Fold, ...]:
    """At most `wanted` folds forward in time: a block of rows, and the rows ripe at its beginning.

    The gap between them is the label's horizon and its reporting lag, as between training and
    test. Judging begins once a fair share of the rows is ripe; a moment is never cut in two. Folds
    that lack cases or other clues on either side are left out.
    """
    moments, places, counts = np.unique(rows.moment, return_inverse=True, return_counts=True)
    ripe_at = np.array([_ripe_at(label, moment) for moment in moments])
    ripe = np.cumsum(counts)[np.searchsorted(ripe_at, moments, "right") - 1]
    ripe[moments < ripe_at[0]] = 0
    later = counts[::-1].cumsum()[::-1]
    if not ripe.any():
        return ()
    enough = np.flatnonzero(ripe >= len(rows.label) / (wanted + 1))
    opening = int(np.argmax(np.minimum(ripe, later)))
    opening = min(opening, int(enough[0])) if len(enough) else opening
    few = max(int(np.argmax(ripe > 0)), len(moments) - wanted)
    opening = min(opening, few)
    at = _blocks(counts[opening:], wanted)
    found = []
    for first, last in zip(at[:-1] + opening, at[1:] + opening, strict=True):
        judged = (places >= first) & (places < last)
        growing = ripe_at[places] <= moments[first]
        if has_both_classes(rows.label[growing]) and has_both_classes(rows.label[judged]):
            found.append(Fold(growing, judged))
    return tuple(found)


def judge_scores(
    metric: str, probability: Floats, label: Floats, weight: Floats | None = None
) -> float:
    """The metric of rows with both classes, weighted; ties count by their expectation."""
    if metric == "auc":
        return float(roc_auc_score(label, probability, sample_weight=weight))
    if metric == "average_precision":
        return float(average_precision_score(label, probability, sample_weight=weight))
    if metric == "log_loss":
        return float(log_loss(label, probability, sample_weight=weight, labels=[0, 1]))
    weight = np.ones(len(label)) if weight is None else weight
    order = np.argsort(-probability, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(probability[order])), len(order) - 1)
    queue = np.append(0.0, np.cumsum(weight[order])[ends])
    cases = np.append(0.0, np.cumsum((weight * label)[order])[ends])
    return float(np.interp(CAPACITY * queue[-1], queue, cases) / cases[-1])


def _ripe_at(label: Label, moment: int) -> int:
    raised = datetime(1970, 1, 1) + timedelta(microseconds=int(moment))
    return to_micros(label.horizon.after(raised) + timedelta(days=label.reporting_lag_days))


def _blocks(counts: npt.NDArray[np.int64], wanted: int) -> npt.NDArray[np.int64]:
    """Edges between at most `wanted` runs of moments that hold about as many rows each."""
    if len(counts) <= wanted:
        return np.arange(len(counts) + 1)
    ends = np.cumsum(counts)
    edges = np.searchsorted(ends, ends[-1] * np.arange(1, wanted) / wanted) + 1
    return np.unique(np.concatenate([[0], edges, [len(counts)]]))


@dataclass
class _Judge:
    """A trial's metric on one fold. Each thread bins each fold once and keeps the bins."""

    experiment: Experiment
    features: tuple[ScoredFeature, ...]
    rows: Rows
    folds: Sequence[Fold]
    kept: threading.local = field(default_factory=threading.local)

    def __call__(self, parameters: Parameters, step: int, threads: int) -> float:
        tuning = self.experiment.tuning
        assert tuning is not None
        binned = self._binned(parameters, step, threads)
        booster = grow_binned(self.experiment, self.features, binned, threads, parameters)
        judged = self.folds[step].judged
        said = np.asarray(booster.predict(self.rows.matrix[judged], num_threads=threads))
        weight = None if self.rows.weight is None else self.rows.weight[judged]
        return judge_scores(tuning.metric, said, self.rows.label[judged], weight)

    def _binned(self, parameters: Parameters, step: int, threads: int) -> Binned:
        bins: dict[Any, Binned] = self.kept.__dict__.setdefault("bins", {})
        key = (step, *((name, parameters[name]) for name in BIN_PARAMETERS if name in parameters))
        if key not in bins:
            rows = self.rows.where(self.folds[step].growing)
            bins[key] = bin_rows(self.experiment, self.features, rows, threads, parameters)
        return bins[key]


def _notes(tuning: Tuning, outcome: Outcome, folds: int) -> Iterator[Note]:
    best = f"tuned on {folds} forward folds: {tuning.metric} {outcome.value:.4f} in trial"
    best += f" {outcome.number} of {outcome.trials} ({outcome.given_up} given up early)"
    zh = f"在 {folds} 个向前的折上调参：{tuning.metric} {outcome.value:.4f}，"
    zh += f"第 {outcome.number} 次试验，共 {outcome.trials} 次，提前放弃 {outcome.given_up} 次"
    if outcome.declared is not None:
        best += f", declared parameters {outcome.declared:.4f}"
        zh += f"，声明的参数为 {outcome.declared:.4f}"
    yield Note(best, zh)
    if folds < tuning.folds:
        yield Note(
            f"{folds} of {tuning.folds} inner folds hold ripe rows of both classes",
            f"{tuning.folds} 个内部折中只有 {folds} 个含两类成熟样本",
        )
    if outcome.died:
        yield Note(
            f"{outcome.died} trials died {ATTEMPTS} times and were left out",
            f"{outcome.died} 次试验中断 {ATTEMPTS} 次，已略去",
        )
