"""OpenLineage events of what was admitted and raised, for a catalogue that a province runs already.

Off unless CLUES_OPENLINEAGE names a file (a JSON line is added per event) or an address (each event
is posted there). An event names data sets, columns and counts, never a value. What could not be
told changes nothing: the work is done by then.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from base.moment import Clock
from base.settings import Settings
from governance.jurisdiction import Jurisdiction

PRODUCER = "urn:clues"
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
FACETS = "https://openlineage.io/spec/facets"
SECONDS_TO_ANSWER = 5.0


@dataclass(frozen=True)
class Dataset:
    """A file, a record set or the clues. `columns`: name -> type; `rows`: written by this run."""

    name: str
    columns: Mapping[str, str]
    rows: int | None = None
    is_file: bool = False


def tell_run(
    jurisdiction: Jurisdiction,
    job: str,
    run: str,
    clock: Clock,
    *,
    inputs: Iterable[Dataset],
    outputs: Iterable[Dataset],
) -> str:
    """Tell that `job` (such as `admit.deaths`) ended well; the same `run` has the same run id.

    Returns why it could not be told; empty where it was, or nobody is to be told.
    """
    where = Settings().openlineage
    if not where:
        return ""
    event = run_event(jurisdiction, job, run, clock.now(), inputs=inputs, outputs=outputs)
    try:
        _send(where, event)
    except Exception as error:  # whatever a collector does, the records are in
        return f"OpenLineage: {job} was not told ({type(error).__name__})"
    return ""


def run_event(
    jurisdiction: Jurisdiction,
    job: str,
    run: str,
    at: datetime,
    *,
    inputs: Iterable[Dataset],
    outputs: Iterable[Dataset],
) -> dict[str, Any]:
    """A RunEvent of the OpenLineage standard, version 2. `at`: wall time of the jurisdiction."""
    namespace = f"clues:{jurisdiction.name}"
    named = uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{job}/{run}")
    return {
        "eventType": "COMPLETE",
        "eventTime": at.replace(tzinfo=ZoneInfo(jurisdiction.timezone)).isoformat(),
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}#/$defs/RunEvent",
        "run": {"runId": str(named)},
        "job": {"namespace": namespace, "name": job},
        "inputs": [_dataset(each, namespace) for each in inputs],
        "outputs": [_dataset(each, namespace) for each in outputs],
    }


def _dataset(dataset: Dataset, namespace: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "namespace": "file" if dataset.is_file else namespace,
        "name": dataset.name,
        "facets": {},
    }
    if dataset.columns:
        fields = [{"name": name, "type": kind} for name, kind in dataset.columns.items()]
        told["facets"]["schema"] = _facet("1-1-1/SchemaDatasetFacet", fields=fields)
    if dataset.rows is not None:
        statistics = _facet("1-0-2/OutputStatisticsOutputDatasetFacet", rowCount=dataset.rows)
        told["outputFacets"] = {"outputStatistics": statistics}
    return told


def _facet(name: str, **values: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": f"{FACETS}/{name}.json", **values}


def _send(where: str, event: Mapping[str, Any]) -> None:
    line = json.dumps(event, ensure_ascii=False)
    if where.startswith(("http://", "https://")):
        import httpx

        headers = {"Content-Type": "application/json"}
        answer = httpx.post(where, content=line, headers=headers, timeout=SECONDS_TO_ANSWER)
        answer.raise_for_status()
        return
    path = Path(where)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
