"""Experiment tracking: what a run was asked, saw and found, in MLflow's store."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance.home import Home
from scoring.registry import client, register

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
PARAMETER_LENGTH = 500


@dataclass(frozen=True)
class Run:
    """One run as it goes to the store. `figures` may nest; None (undefined) is left out."""

    experiment: str
    started_ms: int
    parameters: Mapping[str, Any]
    figures: Mapping[str, Any]
    per_split: tuple[Mapping[str, Any], ...]
    versions: Mapping[str, int]
    training_set: Path
    training_digest: str


def track(home: Home, run: Run, digest: str, artifacts: Path, ended_ms: int) -> str:
    """Log a finished run with its bundle and report, register the bundle; returns the run's id."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    store = client(home)
    name = f"{home.jurisdiction.name}/{run.experiment}"
    known = store.get_experiment_by_name(name)
    experiment = (
        known.experiment_id
        if known is not None
        else store.create_experiment(name, artifact_location=home.artifacts.resolve().as_uri())
    )
    made = store.create_run(experiment, start_time=run.started_ms, tags={"scorer": digest})
    run_id: str = made.info.run_id
    metrics = [Metric(key, value, ended_ms, 0) for key, value in flat(run.figures).items()]
    for step, figures in enumerate(run.per_split, 1):
        metrics += [
            Metric(f"split/{key}", value, ended_ms, step) for key, value in flat(figures).items()
        ]
    parameters = {
        **run.parameters,
        **{f"version.{name}": value for name, value in run.versions.items()},
    }
    store.log_batch(
        run_id,
        metrics=metrics,
        params=[Param(key, _short(value)) for key, value in parameters.items()],
    )
    dataset = Dataset(
        name="training_set",
        digest=run.training_digest[:36],
        source_type="local",
        source=json.dumps({"uri": run.training_set.resolve().as_uri()}),
    )
    store.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    store.log_artifacts(run_id, str(artifacts))
    store.log_artifacts(run_id, str(home.scorers / digest), "bundle")
    register(home, digest, run_id, f"{made.info.artifact_uri}/bundle")
    store.set_terminated(run_id, end_time=ended_ms)
    return run_id


def flat(figures: Mapping[str, Any], before: str = "") -> dict[str, float]:
    """Nested figures as MLflow keys: cases_found/10, precision_at_10pct."""
    found: dict[str, float] = {}
    for name, value in figures.items():
        key = before + name.replace("@", "_at_").replace("%", "pct")
        if isinstance(value, Mapping):
            found |= flat(value, f"{key}/")
        elif value is not None:
            found[key] = float(value)
    return found


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= PARAMETER_LENGTH else text[: PARAMETER_LENGTH - 1] + "…"
