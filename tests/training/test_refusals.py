"""Bad input to a training: a clear refusal or a named warning, never a NaN."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from asked_province import SPLITS, asked_home

from base.errors import CluesError, NotFound, NotReady, Refused
from base.moment import FixedClock
from base.progress import silent
from clues.register import read_clues
from governance.home import Home
from training.train import train


def refusal(home: Home, clock: FixedClock) -> CluesError:
    """What training says; nothing was kept."""
    before = {path.name for path in home.scorers.iterdir()}
    with pytest.raises((Refused, NotFound, NotReady)) as told:
        train(home, "asked", clock, silent())
    assert {path.name for path in home.scorers.iterdir()} == before
    return told.value


def split(**moments: str) -> list[dict[str, str]]:
    return [{**SPLITS[-1], **moments}]


def test_one_class_only(province: Home, clock: FixedClock, tmp_path: Path) -> None:
    """Of clues that were never returned to an office all labels say the same within one day."""
    home = asked_home(
        province, tmp_path, label={"kind": "outcome", "horizon_days": 1}, splits=split()
    )
    told = refusal(home, clock)
    assert told.wanted.startswith("cases and other clues")
    assert told.got.startswith("0 cases among")


def test_all_labels_unripe(province: Home, clock: FixedClock, tmp_path: Path) -> None:
    """Rows raised in the last weeks before the test, a horizon of nine months."""
    home = asked_home(
        province, tmp_path, splits=split(train_from="2024-07-01", train_until="2024-09-01")
    )
    told = refusal(home, clock)
    assert "none labelled" in told.got
    unripe = int(told.got.split(" unripe")[0].split()[-1])
    clues = read_clues(home)
    moment = pc.field("raised_at")
    raised = clues.filter(
        (moment >= pa.scalar(datetime(2024, 7, 1))) & (moment < pa.scalar(datetime(2024, 9, 1)))
    )
    assert unripe == raised.num_rows > 0
    assert "earlier" in told.cure


def test_no_row_in_the_training_fold(province: Home, clock: FixedClock, tmp_path: Path) -> None:
    """Months before the first clue."""
    home = asked_home(
        province, tmp_path, splits=split(train_from="2019-01-01", train_until="2019-06-01")
    )
    assert refusal(home, clock).got.startswith("0 clues there, none labelled")


def test_no_row_in_the_test_fold(province: Home, clock: FixedClock, tmp_path: Path) -> None:
    """Months after the last clue."""
    home = asked_home(
        province, tmp_path, splits=split(test_from="2031-01-01", test_until="2031-06-01")
    )
    assert refusal(home, clock).got.startswith("0 clues there, none with a known label")


def test_constant_features_are_named_and_nothing_is_nan(
    province: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """Clues of the supervision models of one function: the function is constant."""
    clues = read_clues(province).select(["supervision_model", "function"]).to_pylist()
    functions = [row["function"] for row in clues]
    most = max(set(functions), key=functions.count)
    models = sorted({row["supervision_model"] for row in clues if row["function"] == most})
    home = asked_home(
        province,
        tmp_path,
        clues={"supervision_models": models},
        splits=split(),
        baselines=["base_rate", "severity", "logistic_regression", "random_forest"],
    )
    result = train(home, "asked", clock, silent())
    told = result.as_json()
    notes = " ".join(told["splits"][0]["notes"])
    assert "constant in training, so never used: " in notes
    assert "function" in notes
    assert "nan" not in json.dumps(told).lower().replace("finance", "")
    assert not math.isnan(told["metrics"]["auc"])
    report = result.report.read_text("utf-8")
    assert ">nan<" not in report.lower()
    assert "constant in training" in report


def test_a_missing_rival_file_is_refused_before_anything_is_computed(
    province: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """Each file by name; the cure says how to go on without."""
    home = asked_home(province, tmp_path, rivals=[{"name": "vendor", "file": "v_{split}.csv"}])
    told = refusal(home, clock)
    assert [fault.got for fault in told.faults] == ["no file v_1.csv", "no file v_2.csv"]
    assert "optional" in told.cure


def test_a_missing_rival_score_is_refused(
    province: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """One labelled test clue without a score; its id and the number are told."""
    home = asked_home(province, tmp_path, rivals=[{"name": "vendor", "file": "v.parquet"}])
    (home.path / "rivals").mkdir()
    kept = train_without_rivals(province, clock, tmp_path)
    known = kept.filter(pc.is_valid(kept["label"]))
    left_out = known["clue_id"][0].as_py()
    others = kept.filter(pc.not_equal(kept["clue_id"], left_out))
    told = pa.table({"clue_id": others["clue_id"], "score": others["score_scorer"]})
    pq.write_table(told, home.path / "rivals" / "v.parquet")
    error = refusal(home, clock)
    assert error.where == "rivals.vendor"
    assert error.got == f"none for 1 of them, such as {left_out}"


def train_without_rivals(province: Home, clock: FixedClock, folder: Path) -> pa.Table:
    """The test rows of the same splits."""
    home = asked_home(province, folder / "plain")
    result = train(home, "asked", clock, silent())
    return pq.read_table(result.report.parent / "test_scores.parquet")


@pytest.mark.parametrize(
    ("declared", "where"),
    [
        ({"fairness": ["functoin"]}, "fairness"),
        ({"selection": {"seen": ["amount_cent"]}}, "selection.seen"),
    ],
)
def test_a_column_that_no_clue_has(
    province: Home, clock: FixedClock, tmp_path: Path, declared: dict[str, Any], where: str
) -> None:
    """With the nearest one that it has."""
    told = refusal(asked_home(province, tmp_path, **declared), clock)
    assert told.where == where
    assert "function" in told.cure or "amount_cents" in told.cure


@pytest.mark.parametrize(
    ("declared", "where", "got"),
    [
        ({"fairness": ["clue_id"]}, "fairness", "clue_id with"),
        ({"features": {"exclude": ["*"]}}, "features.exclude", "all "),
    ],
)
def test_what_leaves_nothing_to_compare_or_to_learn_from(
    province: Home,
    clock: FixedClock,
    tmp_path: Path,
    declared: dict[str, Any],
    where: str,
    got: str,
) -> None:
    """A column whose values are nearly all different groups nothing; nor do no features teach."""
    told = refusal(asked_home(province, tmp_path, **declared), clock)
    assert told.where == where
    assert told.got.startswith(got)


def test_tests_that_overlap(province: Home, clock: FixedClock, tmp_path: Path) -> None:
    """The same month tested twice would count twice."""
    twice = [SPLITS[0], {**SPLITS[1], "test_from": "2024-08-01"}]
    home = asked_home(province, tmp_path, splits=twice)
    assert "tests overlap" in str(refusal(home, clock))


def test_a_rolling_origin_without_a_ripe_clue(
    province: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """The first test is nearer to train_from than horizon and lag."""
    home = asked_home(
        province,
        tmp_path,
        splits=None,
        rolling={
            "train_from": "2024-01-01",
            "first_test": "2024-06-01",
            "test_months": 3,
            "every_months": 3,
            "until": "2025-01-01",
        },
    )
    assert "no ripe clue to learn from" in str(refusal(home, clock))
