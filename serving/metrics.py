"""Figures for Prometheus. No label holds anything a caller sent.

With several workers each writes its own files in PROMETHEUS_MULTIPROC_DIR (serving/run.py makes the
folder) and `/metrics` of any worker tells the sum; gauges tell the newest.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter as Counted
from time import perf_counter

import numpy as np
import numpy.typing as npt
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from scoring.scorer import Scorer, Scores

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
STAGES = ("parse", "features", "score", "explain", "reply", "ledger")
BANDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
FAST = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0)
# How much of the drift figure the newest clue is: about the last thousand count.
NEWEST = 0.001

stage_seconds = Histogram(
    "clues_stage_seconds", "Time in a stage of scoring, per turn", ["stage"], buckets=FAST
)
request_seconds = Histogram(
    "clues_request_seconds", "Time to answer, by route", ["route"], buckets=FAST
)
requests = Counter("clues_requests", "Requests answered", ["route", "method", "status"])
scores = Counter("clues_scores", "Scores given, by probability up to `band`", ["band"])
flags = Counter("clues_flags", "What was odd about inputs", ["flag"])
drift = Gauge(
    "clues_missing_drift",
    "Largest difference, over the features, of the share missing lately and in training",
    multiprocess_mode="mostrecent",
)
champion = Gauge(
    "clues_champion", "1 for the scorer in use", ["scorer"], multiprocess_mode="mostrecent"
)
_stages = {name: stage_seconds.labels(name) for name in STAGES}
_bands = [scores.labels(f"{band:g}") for band in BANDS]


class Stages:
    """A stopwatch: `end(stage)` notes the time since the stage before ended."""

    def __init__(self) -> None:
        self._began = perf_counter()

    def end(self, stage: str) -> None:
        now = perf_counter()
        note_stage(stage, now - self._began)
        self._began = now


def note_stage(stage: str, seconds: float) -> None:
    """Time spent in a stage."""
    _stages[stage].observe(seconds)


class Inputs:
    """What the scores of one scorer show about its inputs; used by one thread at a time."""

    def __init__(self, scorer: Scorer) -> None:
        features = scorer.manifest.features
        self._trained = np.array([feature.missing_share for feature in features])
        self._lately = self._trained.copy()

    def note(self, given: Scores, missing: npt.NDArray[np.bool_]) -> None:
        """`missing` (rows, features): which inputs were not there."""
        note_scores(given)
        newest = min(0.5, NEWEST * len(missing))
        self._lately += newest * (missing.mean(axis=0) - self._lately)
        drift.set(float(np.abs(self._lately - self._trained).max(initial=0.0)))


def note_scores(given: Scores) -> None:
    """Count scores by band and flags by kind."""
    places = (min(bisect_left(BANDS, p), len(BANDS) - 1) for p in given.probability.tolist())
    for place, count in Counted(places).items():
        _bands[place].inc(count)
    for kind, count in Counted(
        flag.partition(":")[0] for row in given.flags for flag in row
    ).items():
        flags.labels(kind).inc(count)


def note_champion(digest: str, before: str | None) -> None:
    """Tell which scorer answers from now on."""
    if before is not None:
        champion.labels(before).set(0)
    champion.labels(digest).set(1)


def told_metrics() -> tuple[bytes, str]:
    """The text that Prometheus reads, and its content type."""
    registry = REGISTRY
    if FOLDER in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST
