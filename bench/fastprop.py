"""The sweep beside getML's FastProp, which runs in its own environment (`make bench-peers`).

Every value is compared first. The two definitions differ in three ways, none of which shows in this
world: FastProp counts a record at the clue's very moment and leaves one out that is exactly a
window old, the sweep does the opposite; FastProp knows no `known_at` and no retraction; and where
there is no record, FastProp says 0 for a least, greatest or last value, the sweep says nothing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from base.settings import available_cores
from bench.measure import Comparison, compare
from bench.peers.process import interpreter, peer
from bench.worlds import KINDS, SIZES, WINDOWS, definitions, make_world
from features.table import build_features
from governance.reading import Records

RUNS = 3


def comparisons() -> Iterator[Comparison]:
    """features.s.fastprop*: 10,000 clues, 200,000 records, one key, six kinds in four windows.

    .fastprop               transform alone, in two pipelines: the least FastProp can be asked for,
                            and so the smallest of the three ratios
    .fastprop.fit           the same with the fit, without which it cannot transform
    .fastprop.one_pipeline  transform alone, in one pipeline as its manual shows
    """
    python = interpreter(".venv-fastprop")
    if python is None:
        print("features.s.fastprop: NOT MEASURED, there is no .venv-fastprop; run make bench-peers")
        return
    records, clues = make_world(SIZES["s"])
    cores, defined = available_cores(), definitions()
    with (
        tempfile.TemporaryDirectory() as name,
        Records.of_tables({"payments": records}) as held,
    ):
        folder = Path(name)
        pq.write_table(records, folder / "records.parquet")
        pq.write_table(clues, folder / "clues.parquet")

        def ours() -> pa.Table:
            return build_features(defined, clues, held, threads=cores)

        with peer(python, "fastprop_peer.py", folder, str(cores)) as ask:
            swept = ours()
            for way in ("two", "one"):
                told = ask(f"fit {way}")
                ask(f"write {way}")
                _require_equal(swept, pq.read_table(folder / "values.parquet"))
                print(f"  fastprop, {way}: {told['features']} features, equal where asked for")

            def fit_and_transform() -> None:
                ask("fit two")
                ask("transform two")

            yield compare("features.s.fastprop", ours, lambda: ask("transform two"), runs=RUNS)
            yield compare("features.s.fastprop.fit", ours, fit_and_transform, runs=RUNS)
            yield compare(
                "features.s.fastprop.one_pipeline", ours, lambda: ask("transform one"), runs=RUNS
            )


def _require_equal(swept: pa.Table, told: pa.Table) -> None:
    """All 24 columns, missing read as 0 as FastProp says it."""
    for kind in KINDS:
        word = "_".join((kind["kind"], *([kind["column"]] if "column" in kind else [])))
        for window in WINDOWS:
            place = f"{word}_{window if window == 'all' else f'{window}d'}"
            mine = swept[f"own__{place}"].to_pandas().fillna(0).to_numpy()
            differing = int((mine != told[place].to_numpy()).sum())
            assert differing == 0, (place, differing, len(mine))
