"""An experiment that asks for everything at once: it runs, tells all, and comes out the same twice.

Survival, selection, tuning, early stopping, monotone, forest, rivals, curve, groups, capacity.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from asked_province import QUESTION, asked_home

from base.moment import FixedClock
from base.progress import silent
from clues.register import read_clues
from governance.home import Home
from scoring.bundle import read_manifest
from scoring.registry import client
from scoring.scorer import Scorer
from training.result import TrainResult
from training.train import train

EVERYTHING: dict[str, Any] = {
    "label": {**QUESTION["label"], "survival": {"step_days": 30}},
    "selection": {"propensity": "known", "floor": 0.1, "seen": ["amount_cents"]},
    "tuning": {
        "trials": 4,
        "folds": 2,
        "ranges": {"num_leaves": {"low": 4, "high": 15}, "lambda_l2": {"low": 0.1, "high": 9.0}},
    },
    "early_stopping": {"rounds": 10, "share": 0.2},
    "monotone": {"model_cases__count_*": 1},
    "baselines": ["base_rate", "severity", "first_come", "logistic_regression", "random_forest"],
    "rivals": [
        {"name": "vendor", "file": "vendor.parquet"},
        {"name": "lost", "file": "lost_{split}.csv", "optional": True},
    ],
    "learning_curve": [0.5],
    "fairness": ["function"],
    "capacity": ["5%"],
}


def vendor_scores(home: Home) -> None:
    """Scores of a vendor who ranks by the amount at stake."""
    (home.path / "rivals").mkdir()
    clues = read_clues(home)
    amount = [each or 0 for each in clues["amount_cents"].to_pylist()]
    table = pa.table({"clue_id": clues["clue_id"], "score": amount})
    pq.write_table(table, home.path / "rivals" / "vendor.parquet")


@pytest.fixture(scope="module")
def answered(
    province: Home, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, TrainResult, dict[str, Any]]:
    """The home, the run, and what the command line would tell of it."""
    home = asked_home(province, tmp_path_factory.mktemp("asked"), **EVERYTHING)
    vendor_scores(home)
    result = train(home, "asked", FixedClock(datetime(2026, 1, 2, 12)), silent())
    return home, result, json.loads(json.dumps(result.as_json()))


def numbers(of: Any) -> Iterator[float]:
    """Every number of plain values."""
    if isinstance(of, dict):
        of = list(of.values())
    if isinstance(of, list):
        for each in of:
            yield from numbers(each)
    elif isinstance(of, float):
        yield of


def test_the_same_declaration_data_and_seed_give_the_same_set_and_scorer(
    answered: tuple[Home, TrainResult, dict[str, Any]], clock: FixedClock, tmp_path: Path
) -> None:
    """With and without the trials of the first run: hashes of both splits and the digest."""
    home, result, _ = answered
    for trials_kept in (True, False):
        again = Home.open(shutil.copytree(home.path, tmp_path / str(trials_kept)))
        shutil.rmtree(again.scorers)
        if not trials_kept:
            shutil.rmtree(again.path / "studies")
        told = train(again, "asked", clock, silent())
        assert told.scorer == result.scorer
        for one, other in zip(told.judged, result.judged, strict=True):
            assert one.training_set.digest == other.training_set.digest


@pytest.mark.slow
def test_another_weight_is_another_set_and_scorer(
    answered: tuple[Home, TrainResult, dict[str, Any]], clock: FixedClock, tmp_path: Path
) -> None:
    """The digest tells what was asked: the floor of the weights changes the training set."""
    home, result, _ = answered
    copied = Home.open(shutil.copytree(home.path, tmp_path / "home"))
    path = home.jurisdiction.folder / "experiments" / "asked.yaml"
    before = path.read_text("utf-8")
    changed = yaml.safe_load(before)
    changed["selection"]["floor"] = 0.9
    try:
        path.write_text(yaml.safe_dump(changed, allow_unicode=True), "utf-8")
        told = train(copied, "asked", clock, silent())
    finally:
        path.write_text(before, "utf-8")
    assert told.scorer != result.scorer
    assert told.judged[-1].training_set.digest != result.judged[-1].training_set.digest


def test_every_ranking_is_judged_naively_and_weighted(
    answered: tuple[Home, TrainResult, dict[str, Any]],
) -> None:
    """Both figures for all, the effective sample size below the number of labels, no NaN."""
    _, _, told = answered
    others = [*EVERYTHING["baselines"], "vendor"]
    assert list(told["baselines"]) == others
    assert set(told["weighted"]) == {"scorer", *others} == set(told["intervals"])
    for split in told["splits"]:
        assert split["train_taught_early"] > 0
        for name, figures in split["weighted"].items():
            plain = split["metrics"] if name == "scorer" else split["baselines"][name]
            assert figures["effective_sample_size"] < plain["labelled"]["all"]
            assert figures["labelled"]["all"] == plain["labelled"]["all"] == split["test_clues"]
            for figure, (low, high) in figures["intervals"].items():
                group, _, part = figure.partition("/")
                value = figures[group][part] if part else figures[group]
                assert low <= value <= high
        assert split["metrics"]["auc"] != split["weighted"]["scorer"]["auc"]
        assert split["capacity"][0]["share"] == 1.0
        assert {group["value"] for group in split["by_group"]["function"]} <= {
            "criminal", "civil", "administrative", "public_interest"
        }  # fmt: skip
    assert not any(math.isnan(each) for each in numbers(told))
    for figure, (low, high) in told["intervals"]["scorer"].items():
        if figure in told["metrics"]:
            assert low <= told["metrics"][figure] <= high


def test_what_a_reader_must_know_is_noted(
    answered: tuple[Home, TrainResult, dict[str, Any]],
) -> None:
    """Tuning, weights, early stopping, an absent rival; the report has each in Chinese too."""
    _, result, told = answered
    report = result.report.read_text("utf-8")
    for judged in result.judged:
        for note in judged.fitted.notes:
            assert escape(note.zh) in report
            assert any(character >= "\u4e00" for character in note.zh)
    assert "rival lost is not compared: no file lost_1.csv, lost_2.csv" in told["warnings"][0]
    notes = " ".join(told["splits"][-1]["notes"])
    for words in ("drawn by lot", "tuned on", "stopped at", "test selection"):
        assert words in notes
    assert list(told["metrics"]["cases_found"]) == ["5", "10", "20", "30"]
    assert told["intervals"]["scorer"]["cases_found/5"]
    point = told["learning_curve"][0]
    assert point["share"] == 0.5
    assert 0 < point["rows"] < told["splits"][-1]["train_clues"]
    assert point["metrics"]["auc"] is not None
    step = told["stability"][0]
    assert 0 < step["overlap"]["20%"] <= 1


def test_tuned_parameters_are_those_the_kept_trees_grew_with(
    answered: tuple[Home, TrainResult, dict[str, Any]],
) -> None:
    """And trees obey the declared direction: more past cases never lower a margin."""
    home, result, told = answered
    last = result.judged[-1]
    tuned = told["splits"][-1]["tuned"]
    assert tuned["trials"] == 4
    assert tuned["parameters"].items() <= dict(last.fitted.parameters).items()
    scorer = Scorer.load(home.scorers / result.scorer, result.scorer)
    rows = last.test_rows
    name = "model_cases__count_365d"
    at = rows.column_names.index(name)
    margins = []
    for count in (0, 3, 30, 300):
        same = pa.array(np.full(rows.num_rows, count), rows[name].type)
        margins.append(scorer.score(rows.set_column(at, name, same)).margin)
    assert (np.diff(margins, axis=0) >= -1e-12).all()


def test_weights_are_kept_with_the_rows_and_rows_with_their_scores(
    answered: tuple[Home, TrainResult, dict[str, Any]],
) -> None:
    """label_weight has mean 1; test rows have the weight they were judged with."""
    home, result, _ = answered
    manifest = read_manifest(home.scorers / result.scorer)
    kept = pq.read_table(home.training_sets / f"{manifest.training_set}.parquet")
    weight = kept["label_weight"].to_numpy()
    assert weight.mean() == pytest.approx(1)
    assert weight.std() > 0
    scores = pq.read_table(result.report.parent / "test_scores.parquet").to_pandas()
    labelled = scores["label"].notna()
    assert (scores.loc[labelled, "selection_weight"] > 0).all()
    assert (scores.loc[~labelled, "selection_weight"] == 0).all()


def test_the_store_has_a_child_run_per_split_with_the_same_figures(
    answered: tuple[Home, TrainResult, dict[str, Any]],
) -> None:
    """Figures, datasets with schemas, the signature; nothing that MLflow could run."""
    home, result, told = answered
    store = client(home)
    parent = store.get_run(result.run)
    assert parent.data.metrics["auc"] == pytest.approx(told["metrics"]["auc"])
    vendor = told["baselines"]["vendor"]["precision@10%"]
    assert parent.data.metrics["ranking/vendor/precision_at_10pct"] == pytest.approx(vendor)
    found = store.search_runs(
        [parent.info.experiment_id], f"tags.mlflow.parentRunId = '{result.run}'"
    )
    children = sorted(found, key=lambda run: run.info.run_name)
    assert len(children) == 2
    for child, split in zip(children, told["splits"], strict=True):
        assert child.data.metrics["auc"] == pytest.approx(split["metrics"]["auc"])
        assert child.data.metrics["count/test_cases"] == split["test_cases"]
        assert child.data.metrics["weighted/auc"] == pytest.approx(
            split["weighted"]["scorer"]["auc"]
        )
        inputs = {each.dataset.name: each.dataset for each in child.inputs.dataset_inputs}
        assert inputs["training_set"].digest == split["training_set"][:36]
        columns = json.loads(inputs["training_set"].schema)["mlflow_colspec"]
        assert {"clue_id", "label", "label_weight"} <= {each["name"] for each in columns}
        assert json.loads(inputs["test_clues"].profile)["num_rows"] > split["test_clues"]
    local = store.download_artifacts(result.run, "bundle/MLmodel")
    model = yaml.safe_load(Path(local).read_text("utf-8"))
    names = [each["name"] for each in json.loads(model["signature"]["inputs"])]
    assert names == [each.name for each in result.judged[-1].features]
    assert not model.get("flavors")
