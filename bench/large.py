"""One size in a process of its own: `python -m bench.large make|sweep SIZE FOLDER`."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from base.settings import available_cores
from bench.measure import median_seconds
from bench.worlds import SIZES, definitions, make_world
from features.table import build_features
from governance.reading import Records

RUNS = 3
MEMORY_LIMIT = "600MB"


def make(name: str, folder: Path) -> None:
    """Write the world as Parquet with the system columns of a record set."""
    records, clues = make_world(SIZES[name])
    happened = records["happened_at"]
    records = records.append_column("known_at", happened)
    records = records.append_column("retracted_at", pa.nulls(len(records), pa.timestamp("us")))
    records = records.append_column("record_no", pa.array(np.arange(1, len(records) + 1)))
    pq.write_table(records, folder / "records.parquet")
    pq.write_table(clues, folder / "clues.parquet")


def sweep(folder: Path) -> dict[str, float]:
    """Peak memory of the process after its first run, then the median seconds of three more."""
    clues = pq.read_table(folder / "clues.parquet")
    held = Records.of_files({"payments": [str(folder / "records.parquet")]})
    held.connection().execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    held.connection().execute(f"SET temp_directory = '{folder / 'scratch'}'")

    def run() -> None:
        build_features(definitions(), clues, held, threads=available_cores())

    run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"seconds": median_seconds(run, RUNS, warm=False), "peak_gb": round(peak, 3)}


if __name__ == "__main__":
    step, size, where = sys.argv[1:]
    if step == "make":
        make(size, Path(where))
    else:
        print(json.dumps(sweep(Path(where))))
