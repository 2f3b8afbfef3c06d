"""`python tuning_worker.py FOLDER`: tunes the small question in FOLDER, to be killed meanwhile."""

from __future__ import annotations

import sys
from pathlib import Path

from training_worlds import asked, drawn_rows, scored

from base.progress import Bar
from training.experiment import Experiment
from training.tune import StudyPlace, Tuned, tune

TRIALS = 40
TUNING = {
    "trials": TRIALS,
    "folds": 3,
    "ranges": {
        "num_leaves": {"low": 3, "high": 31, "log": True},
        "learning_rate": {"low": 0.01, "high": 0.3, "log": True},
        "feature_fraction": {"low": 0.3, "high": 1.0},
        "max_bin": {"choices": [63, 255]},
    },
}


def small_question(**declared: object) -> Experiment:
    """Forty trials of four parameters."""
    return asked(**{"tuning": TUNING, **declared})


def tune_small(
    folder: Path, experiment: Experiment, threads: int = 2, bar: Bar | None = None
) -> Tuned:
    """Tune on the same drawn rows every time."""
    place = StudyPlace(folder, "small", "0" * 64)
    return tune(experiment, scored(6, (2,)), drawn_rows(), place, threads, bar)


if __name__ == "__main__":
    tune_small(Path(sys.argv[1]), small_question())
