"""Training on the small province: honest splits, kept data, a run that can be found again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from base.moment import FixedClock
from base.progress import silent
from governance.home import Home
from scoring.bundle import read_manifest, read_reference
from scoring.champion import read_champion
from scoring.registry import CHAMPION, client, registered_name
from scoring.scorer import Scorer
from training.train import train


def test_the_same_training_gives_the_same_scorer_bit_for_bit(
    province: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """A second run over a copy of the same records has the same digest (P-5)."""
    champion = read_champion(province.scorers).scorer
    copied = Home.open(shutil.copytree(province.path, tmp_path / "home"))
    shutil.rmtree(copied.scorers)
    again = train(copied, "became_case", clock, silent())
    assert again.scorer == champion


def test_the_training_set_is_kept_under_its_digest(province: Home) -> None:
    """Labelled rows only, features as named in the manifest, no column of office habits."""
    champion = read_champion(province.scorers).scorer
    manifest = read_manifest(province.scorers / champion)
    kept = pq.read_table(province.training_sets / f"{manifest.training_set}.parquet")
    assert set(np.unique(kept["label"].to_numpy())) == {0.0, 1.0}
    names = [feature.name for feature in manifest.features]
    assert kept.column_names == ["clue_id", "moment", "subject_id", "label", "label_weight", *names]
    # Survival: a clue that could be followed for half of the horizon stands for more than itself.
    weight = kept["label_weight"].to_numpy()
    assert weight.min() > 0
    assert weight.mean() == pytest.approx(1)
    assert not any(name.startswith("office_habit") for name in names)


def test_a_bundle_keeps_rows_of_the_training_set_for_facts_that_are_missing(
    province: Home,
) -> None:
    """At most 256, spread over it from the first to the last, in the manifest's order."""
    folder = province.scorers / read_champion(province.scorers).scorer
    manifest = read_manifest(folder)
    kept = pq.read_table(province.training_sets / f"{manifest.training_set}.parquet")
    taught = [
        tuple(row.values())
        for row in kept.select([feature.name for feature in manifest.features]).to_pylist()
    ]
    rows = read_reference(folder).rows
    assert 100 < len(rows) <= 256
    assert (rows[0], rows[-1]) == (taught[0], taught[-1])
    assert set(rows) <= set(taught)


def test_the_run_can_be_found_in_the_tracking_store(province: Home) -> None:
    """Parameters, data versions, figures, plots and the bundle; the alias points to it."""
    store = client(province)
    champion = read_champion(province.scorers).scorer
    version = store.get_model_version_by_alias(registered_name(province), CHAMPION)
    assert version.tags["digest"] == champion
    run = store.get_run(version.run_id)
    assert run.data.params["version.outcomes"] == "0"
    assert run.data.params["seed"] == "7"
    assert 0 < run.data.metrics["auc"] < 1
    assert "cases_found/10" in run.data.metrics
    assert len(store.get_metric_history(version.run_id, "split/auc")) == 2
    inputs = {each.dataset.name: each.dataset.digest for each in run.inputs.dataset_inputs}
    assert set(inputs) == {"training_set", "test_clues"}
    assert inputs["training_set"] == (read_manifest(province.scorers / champion).training_set[:36])
    kept = {file.path for file in store.list_artifacts(version.run_id)}
    assert {"report.html", "test_scores.parquet", "bundle"} <= kept


def test_the_report_stands_alone(province: Home) -> None:
    """One HTML file with its plots inside and nothing loaded from elsewhere."""
    report = next(province.reports.glob("became_case-*/report.html")).read_text("utf-8")
    assert report.count("<svg") >= 4
    for outside in ("http://", "https://", "<script", "<link", "src="):
        assert outside not in report


def test_every_test_clue_has_a_score_labelled_or_not(province: Home) -> None:
    """Clues nobody looked at are ranked too, with an empty label."""
    path = next(province.reports.glob("became_case-*/test_scores.parquet"))
    scores = pq.read_table(path)
    assert scores["label"].null_count > 0
    assert scores["score_scorer"].null_count == 0
    assert scores["clue_id"].num_chunks >= 1
    assert len(set(scores["clue_id"].to_pylist())) == scores.num_rows


def test_the_bundle_scores_a_kept_training_row_as_it_did(province: Home) -> None:
    """Training and serving read the same table to the same margin."""
    champion = read_champion(province.scorers).scorer
    scorer = Scorer.load(province.scorers / champion, champion)
    kept = pq.read_table(province.training_sets / f"{scorer.manifest.training_set}.parquet")
    golden = scorer.manifest.golden
    margins = scorer.score(kept).margin
    assert {row.margin for row in golden} <= set(margins.tolist())


def test_the_demo_is_written_as_it_was_told(province: Home) -> None:
    """demo.json has the fixed keys, and no order beats the oracle by the truth."""
    told = json.loads((Path(province.path) / "demo.json").read_text("utf-8"))
    assert {"scorer", "clues", "cases", "cases_found", "tail_recall_loss", "ece", "seconds"} <= set(
        told
    )
    assert told["seconds"]["total"] == pytest.approx(
        sum(v for k, v in told["seconds"].items() if k != "total"), abs=0.01
    )
    oracle = told["auc"].pop("oracle")
    assert all(auc < oracle for auc in told["auc"].values())
    assert told["auc"]["scorer"] > told["auc"]["base_rate"]
