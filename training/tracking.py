"""Experiment tracking in MLflow's store: a parent run per run of an experiment, a child per split.

The parent has the means over splits, the artifacts and the bundle with its signature; each child
the figures of its split (every ranking's), its training set and its test as datasets.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from governance.home import Home
from scoring.bundle import ScoredFeature
from scoring.registry import client, register
from training.evaluate import SCORER, Judged
from training.metrics import mean_figures

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import DatasetInput, Metric

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
PARAMETER_LENGTH = 500
BUNDLE = "bundle"
DIGEST_LENGTH = 36


@dataclass(frozen=True)
class Run:
    """One run as it goes to the store. `kept`: where each split's training set lies."""

    experiment: str
    started_ms: int
    ended_ms: int
    parameters: Mapping[str, Any]
    judged: tuple[Judged, ...]
    kept: tuple[Path, ...]
    versions: Mapping[str, int]
    warnings: tuple[str, ...] = ()


def track(home: Home, run: Run, digest: str, artifacts: Path) -> str:
    """Log a finished run with its bundle and report, register the bundle; returns the run's id."""
    store = client(home)
    experiment = _experiment(store, home, run)
    made = store.create_run(
        experiment,
        start_time=run.started_ms,
        run_name=f"{run.experiment} {digest[:8]}",
        tags={"scorer": digest, "warnings": _short("; ".join(run.warnings))},
    )
    run_id: str = made.info.run_id
    _log_figures(store, run_id, run)
    last = len(run.judged) - 1
    store.log_inputs(run_id, list(_datasets(run, last)))
    for at in range(len(run.judged)):
        _log_split(store, experiment, run_id, run, at)
    store.log_artifacts(run_id, str(artifacts))
    store.log_artifacts(run_id, str(home.scorers / digest), BUNDLE)
    _log_signature(store, run_id, digest, run.judged[-1].features)
    register(home, digest, run_id, f"{made.info.artifact_uri}/{BUNDLE}")
    store.set_terminated(run_id, end_time=run.ended_ms)
    return run_id


def flat(figures: Mapping[str, Any], before: str = "") -> dict[str, float]:
    """Nested figures as MLflow keys (cases_found/10, precision_at_10pct), undefined left out."""
    found: dict[str, float] = {}
    for name, value in figures.items():
        key = before + name.replace("@", "_at_").replace("%", "pct").lstrip("_")
        if isinstance(value, Mapping):
            found |= flat(value, f"{key}/")
        elif isinstance(value, int | float):
            found[key] = float(value)
    return found


def _experiment(store: MlflowClient, home: Home, run: Run) -> str:
    name = f"{home.jurisdiction.name}/{run.experiment}"
    known = store.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    # A server keeps artifacts where it keeps them for everybody; a file has them in the home.
    served = home.tracking_uri.startswith(("http://", "https://"))
    place = None if served else home.artifacts.resolve().as_uri()
    return str(store.create_experiment(name, artifact_location=place))


def _log_figures(store: MlflowClient, run_id: str, run: Run) -> None:
    """The parent's: means over splits, and the scorer's figures split by split as a curve."""
    from mlflow.entities import Param

    told = [_rankings(each) for each in run.judged]
    means = {name: mean_figures([each[name] for each in told]) for name in told[0]}
    metrics = _metrics({**means.pop(SCORER), **_named(means)}, run.ended_ms)
    for step, each in enumerate(run.judged, 1):
        metrics += _metrics({"split": each.figures}, run.ended_ms, step)
    parameters = {
        **run.parameters,
        **{f"version.{name}": value for name, value in run.versions.items()},
    }
    store.log_batch(
        run_id,
        metrics=metrics,
        params=[Param(key, _short(value)) for key, value in parameters.items()],
    )


def _log_split(store: MlflowClient, experiment: str, parent: str, run: Run, at: int) -> None:
    """A child run, beneath its parent."""
    from mlflow.entities import Param
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    judged = run.judged[at]
    made = store.create_run(
        experiment,
        start_time=run.started_ms,
        run_name=f"split {at + 1}: {judged.split.test_from:%Y-%m-%d}",
        tags={MLFLOW_PARENT_RUN_ID: parent, "notes": _short("; ".join(judged.fitted.notes))},
    )
    run_id: str = made.info.run_id
    told = _rankings(judged)
    metrics = {**told.pop(SCORER), **_named(told), "count": judged.counts}
    if judged.weighted is not None:
        metrics["weighted"] = _plain(judged.weighted[SCORER])
    parameters = {
        **{name: str(moment) for name, moment in judged.split.model_dump().items()},
        **{f"scorer.{name}": value for name, value in judged.fitted.parameters.items()},
    }
    store.log_batch(
        run_id,
        metrics=_metrics(metrics, run.ended_ms, at + 1),
        params=[Param(key, _short(value)) for key, value in parameters.items()],
    )
    store.log_inputs(run_id, list(_datasets(run, at)))
    store.set_terminated(run_id, end_time=run.ended_ms)


def _rankings(judged: Judged) -> dict[str, dict[str, Any]]:
    return {SCORER: judged.figures, **judged.baselines}


def _named(others: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"ranking/{name}": figures for name, figures in others.items()}


def _plain(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if name != "intervals"}


def _metrics(figures: Mapping[str, Any], at_ms: int, step: int = 0) -> list[Metric]:
    from mlflow.entities import Metric

    return [Metric(key, value, at_ms, step) for key, value in flat(figures).items()]


def _datasets(run: Run, at: int) -> Iterator[DatasetInput]:
    """The rows that taught and those that judged, as they are known by their digests."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    judged = run.judged[at]
    table, tested = judged.training_set.table, judged.scores
    digests = judged.training_set.digest, _digest_of(tested)
    source = json.dumps({"uri": run.kept[at].resolve().as_uri()})
    for name, context, digest, rows in (
        ("training_set", "training", digests[0], table),
        ("test_clues", "evaluation", digests[1], tested),
    ):
        dataset = Dataset(
            name=name,
            digest=digest[:DIGEST_LENGTH],
            source_type="local",
            source=source,
            schema=_schema(rows),
            profile=json.dumps({"num_rows": rows.num_rows}),
        )
        yield DatasetInput(dataset, [InputTag("mlflow.data.context", context)])


def _digest_of(tested: pa.Table) -> str:
    """sha256 hex of which clues judged, and of what became of them."""
    rows = [tested[name].to_pylist() for name in ("clue_id", "label")]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _schema(table: pa.Table) -> str:
    """Columns as MLflow shows them."""
    columns = [
        {"name": column.name, "type": _kind(column.type), "required": not column.nullable}
        for column in table.schema
    ]
    return json.dumps({"mlflow_colspec": columns})


def _kind(of: pa.DataType) -> str:
    if pa.types.is_timestamp(of):
        return "datetime"
    if pa.types.is_integer(of):
        return "long"
    return "double" if pa.types.is_floating(of) else "string"


def _log_signature(
    store: MlflowClient, run_id: str, digest: str, features: tuple[ScoredFeature, ...]
) -> None:
    """What the scorer takes and gives, beside the bundle. No flavor: MLflow cannot load it, so that
    no code in its store is ever run."""
    from mlflow.models import Model
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    def spec(feature: ScoredFeature) -> ColSpec:
        kind = DataType.string if feature.type == "category" else DataType.double
        return ColSpec(kind, feature.name, required=False)

    outputs = Schema([ColSpec(DataType.double, name) for name in ("probability", "margin")])
    model = Model(
        artifact_path=BUNDLE,
        run_id=run_id,
        signature=ModelSignature(Schema([spec(each) for each in features]), outputs),
        metadata={"digest": digest},
        model_uuid=digest[:32],
    )
    store.log_text(run_id, model.to_yaml(), f"{BUNDLE}/MLmodel")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= PARAMETER_LENGTH else text[: PARAMETER_LENGTH - 1] + "…"
