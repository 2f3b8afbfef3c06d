"""Tuning: forward folds only, one choice whatever the cores and the accidents."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from training_worlds import DAY, START, asked, drawn_rows
from tuning_worker import TRIALS, TUNING, small_question, tune_small

from base.errors import NotReady, Refused
from training.metrics import hits_in_top
from training.rows import Rows
from training.tune import Tuned, inner_folds, judge_scores

ROOT = Path(__file__).resolve().parents[2]


class CountingBar:
    """A bar that remembers."""

    def __init__(self) -> None:
        self.steps, self.total = 0.0, 0.0

    def advance(self, steps: float = 1) -> None:
        self.steps += steps

    def expect(self, total: float) -> None:
        self.total = total


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """What tuning comes to when nothing happens to it."""
    return tune_small(tmp_path_factory.mktemp("studies"), small_question())


def kept(study: Path | None) -> list[tuple[object, ...]]:
    """Every trial of a study file: number, state, value, parameters."""
    assert study is not None
    with sqlite3.connect(study) as opened:
        return opened.execute(
            """
            SELECT t.number, t.state, v.value, group_concat(p.param_name || p.param_value)
            FROM trials t LEFT JOIN trial_values v USING (trial_id)
            LEFT JOIN (SELECT * FROM trial_params ORDER BY param_name) p USING (trial_id)
            GROUP BY t.number ORDER BY t.number
            """
        ).fetchall()


def choice(tuned: Tuned) -> Tuned:
    """All but where it was kept."""
    return replace(tuned, study=None)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=4, max_size=60),
    st.integers(1, 5),
    st.integers(1, 12),
    st.integers(0, 3),
)
def test_folds_only_look_forward(days: list[int], wanted: int, horizon: int, lag: int) -> None:
    """Grown rows are ripe before the first judged one; blocks follow each other, none overlaps."""
    moment = START + np.sort(np.array(days)) * DAY
    draw = np.random.default_rng(len(days))
    label = draw.integers(0, 2, len(days)).astype(float)
    rows = Rows(np.zeros((len(days), 1)), label, moment, np.array(["s"] * len(days)))
    asks = {"kind": "outcome", "horizon_days": horizon, "reporting_lag_days": lag}
    folds = inner_folds(asked(label=asks).label, rows, wanted)
    assert len(folds) <= wanted
    until = -1
    for fold in folds:
        first = moment[fold.judged].min()
        assert moment[fold.growing].max() + (horizon + lag) * DAY <= first
        assert first > until
        until = moment[fold.judged].max()
        assert 0 < label[fold.growing].mean() < 1
        assert 0 < label[fold.judged].mean() < 1
    if folds:
        judged = np.any([fold.judged for fold in folds], axis=0)
        assert not np.isin(moment[judged], moment[~judged]).any()


def test_folds_share_the_rows_fairly() -> None:
    """Three blocks of about the same size, the first grown from about a quarter of the rows."""
    rows = drawn_rows(4_000)
    folds = inner_folds(asked().label, rows, 3)
    sizes = [int(fold.judged.sum()) for fold in folds]
    assert max(sizes) < 1.2 * min(sizes)
    assert folds[0].growing.sum() == pytest.approx(1_000, rel=0.05)
    growing = [int(fold.growing.sum()) for fold in folds]
    assert growing == sorted(growing)


def test_without_a_later_row_nothing_is_chosen(tmp_path: Path) -> None:
    """One moment, or a horizon longer than the training rows: a note, and no study."""
    short = small_question(label={"kind": "outcome", "horizon_days": 400})
    tuned = tune_small(tmp_path, short)
    assert tuned.parameters == {}
    assert "not tuned" in tuned.notes[0]
    assert list(tmp_path.iterdir()) == []


def test_the_choice_is_no_worse_than_what_was_declared(undisturbed: Tuned) -> None:
    """The declared parameters are the first trial; some trials are given up early."""
    assert undisturbed.declared is not None
    assert undisturbed.value is not None
    assert undisturbed.value > undisturbed.declared
    assert undisturbed.trials == TRIALS
    assert 0 < undisturbed.given_up < TRIALS
    assert undisturbed.folds == 3
    assert set(undisturbed.parameters) == set(TUNING["ranges"])  # type: ignore[call-overload]
    assert isinstance(undisturbed.parameters["num_leaves"], int)
    first = kept(undisturbed.study)[0]
    assert first[2] == undisturbed.declared
    assert "num_leaves7.0" in str(first[3])


@pytest.mark.parametrize("threads", [1, 4])
def test_the_choice_does_not_depend_on_the_cores(
    tmp_path: Path, undisturbed: Tuned, threads: int
) -> None:
    """One worker or four: every trial is the same, to the last digit."""
    tuned = tune_small(tmp_path, small_question(), threads)
    assert choice(tuned) == choice(undisturbed)
    assert kept(tuned.study) == kept(undisturbed.study)


def test_a_finished_study_is_only_read(tmp_path: Path, undisturbed: Tuned) -> None:
    """Asked again, it answers at once, and its bar is full."""
    assert undisturbed.study is not None
    bar = CountingBar()
    started = time.perf_counter()
    tuned = tune_small(undisturbed.study.parent, small_question(), bar=bar)
    assert time.perf_counter() - started < 3
    assert tuned == undisturbed
    assert bar.steps == bar.total == TRIALS


@pytest.mark.parametrize(
    "declared",
    [
        {"seed": 8},
        {"monotone": {"x0": 1}},
        {"early_stopping": {}},
        {"scorer": {"n_estimators": 41, "num_leaves": 7}},
        {"tuning": {**TUNING, "metric": "auc"}},
        {"label": {"kind": "outcome", "horizon_days": 31}},
    ],
    ids=lambda declared: next(iter(declared)),
)
def test_another_question_is_another_study(
    tmp_path: Path, undisturbed: Tuned, declared: dict[str, object]
) -> None:
    """Whatever decides a trial is in the name of its file."""
    assert undisturbed.study is not None
    few = {**TUNING, **declared.get("tuning", {}), "trials": 2}  # type: ignore[dict-item]
    tuned = tune_small(tmp_path, small_question(**{**declared, "tuning": few}))
    same = tune_small(tmp_path, small_question(tuning={**TUNING, "trials": 2}))
    assert tuned.study != same.study
    assert same.study != tmp_path / undisturbed.study.name


def test_killed_at_any_moment_it_goes_on_to_the_same_choice(
    tmp_path: Path, undisturbed: Tuned
) -> None:
    """kill -9 twice while trials run: what finished is kept, the rest comes to the same trials."""
    finished = [0]
    for least in (3, 18):
        worker = _started(tmp_path)
        try:
            _wait_for(tmp_path, least, worker)
        finally:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
        states = [row[1] for row in kept(next(tmp_path.glob("small-*.db")))]
        finished.append(sum(state in ("COMPLETE", "PRUNED") for state in states))
        assert least <= finished[-1] < TRIALS
    assert finished == sorted(finished)
    bar = CountingBar()
    tuned = tune_small(tmp_path, small_question(), bar=bar)
    assert bar.steps == bar.total == TRIALS
    assert choice(tuned) == choice(undisturbed)
    assert kept(tuned.study) == kept(undisturbed.study)


def _started(folder: Path) -> subprocess.Popen[bytes]:
    worlds = ROOT / "tests" / "worlds"
    return subprocess.Popen(
        [sys.executable, str(worlds / "tuning_worker.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{worlds}"},
    )


def _wait_for(folder: Path, finished: int, worker: subprocess.Popen[bytes]) -> None:
    """Until so many trials have ended; the study grows while it is watched."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert worker.poll() is None, "it ended before it could be killed"
        for path in folder.glob("small-*.db"):
            try:
                states = [row[1] for row in kept(path)]
            except sqlite3.OperationalError:
                continue
            if sum(state in ("COMPLETE", "PRUNED") for state in states) >= finished:
                return
        time.sleep(0.005)
    raise AssertionError("the worker finished nothing in a minute")


def test_a_trial_that_always_kills_its_process_is_left_out_in_the_end(
    tmp_path: Path, undisturbed: Tuned
) -> None:
    """Found running three times, it fails; the others go on."""
    assert undisturbed.study is not None
    copied = tmp_path / undisturbed.study.name
    copied.write_bytes(undisturbed.study.read_bytes())
    with sqlite3.connect(copied) as opened:
        last = opened.execute("SELECT max(trial_id) FROM trials").fetchone()[0]
        opened.execute("UPDATE trials SET state = 'RUNNING' WHERE trial_id = ?", [last])
        opened.execute(
            "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, 'died', '2')",
            [last],
        )
    tuned = tune_small(tmp_path, small_question())
    assert "1 trials died 3 times" in tuned.notes[-1]
    assert kept(tuned.study)[-1][1] == "FAIL"


def test_one_study_is_run_by_one_process(tmp_path: Path, undisturbed: Tuned) -> None:
    """A second one is told to wait; a file that is no study is refused."""
    assert undisturbed.study is not None
    with (tmp_path / undisturbed.study.name).with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NotReady, match="another process holds"):
            tune_small(tmp_path, small_question())
    (tmp_path / undisturbed.study.name).write_bytes(b"no database" * 1_000)
    with pytest.raises(Refused, match="remove it"):
        tune_small(tmp_path, small_question())


@pytest.mark.parametrize("threads", [1, 4])
def test_parameters_lightgbm_does_not_take_are_refused(tmp_path: Path, threads: int) -> None:
    """The values that failed are told, and where they were declared."""
    ranges = {"boosting": {"choices": ["rf"]}}
    with pytest.raises(Refused, match=r"tuning\.ranges.*boosting"):
        tune_small(tmp_path, small_question(tuning={"trials": 9, "ranges": ranges}), threads)


@pytest.mark.parametrize("metric", ["auc", "average_precision", "log_loss", "cases_found_20"])
def test_each_metric_finds_the_better_scorer(tmp_path: Path, metric: str) -> None:
    """Many trees of a sane rate win over a rate that learns nothing, by every metric."""
    ranges = {"learning_rate": {"choices": [1e-6, 0.1]}}
    question = small_question(tuning={"trials": 8, "metric": metric, "ranges": ranges})
    assert tune_small(tmp_path, question).parameters == {"learning_rate": 0.1}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1), st.integers(1, 3)), min_size=2))
def test_a_weight_counts_as_so_many_rows(rows: list[tuple[int, int, int]]) -> None:
    """Metrics of weighted rows are those of rows repeated."""
    score, label, weight = (np.array(part, float) for part in zip(*rows, strict=True))
    if not 0 < label.sum() < len(label):
        label[0], label[-1] = 0.0, 1.0
    times = weight.astype(int)
    many_scores, many_labels = np.repeat(score, times), np.repeat(label, times)
    said, many_said = (score + 1) / 6, (many_scores + 1) / 6
    for metric in ("auc", "average_precision", "log_loss", "cases_found_20"):
        weighed = judge_scores(metric, said, label, weight)
        assert weighed == pytest.approx(judge_scores(metric, many_said, many_labels)), metric
    assert judge_scores("average_precision", said, label) == pytest.approx(
        average_precision_score(label, said)
    )


def test_cases_found_is_the_share_in_the_first_fifth() -> None:
    """The same figure as in the report where a fifth is a whole number of rows."""
    draw = np.random.default_rng(2)
    score, label = draw.integers(0, 12, 200).astype(float), draw.integers(0, 2, 200).astype(float)
    wanted = hits_in_top(score, label, 40) / label.sum()
    assert judge_scores("cases_found_20", score, label) == pytest.approx(wanted)
