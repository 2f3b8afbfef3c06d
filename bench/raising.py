"""Raising: a history of months in few statements beside one run per month; twelve supervision
models over a million persons and some twenty million records."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import clues.sandbox
from base.moment import FixedClock
from base.progress import silent
from base.settings import available_cores
from bench.measure import Comparison, compare
from clues.raising import cycles, raise_until
from clues.register import read_clues
from experiments.province.simulate import simulate
from governance import tables
from governance.engine import connect, file_list
from governance.home import Home
from governance.intake import admit
from governance.jurisdiction import load_jurisdiction

SMALL_CLUES, LARGE_CLUES, PLENTY = 1_200, 100_000, 4.0
UNTIL = datetime(2023, 2, 1)
LAST = datetime(2026, 2, 1)
GOAL_SECONDS = 120.0


def history() -> Iterator[Comparison]:
    """raise.history: two years of months. The peer runs the SQL once per month, as it is written;
    its clues are compared with ours first."""
    with tempfile.TemporaryDirectory() as name:
        home = admitted(Path(name), SMALL_CLUES, 1.0)
        found = [raised(home, rows_at_once=bound) for bound in (5_000_000, 1)]
        if found[0] != found[1]:
            raise AssertionError("many moments at once found other clues")
        yield compare(
            "raise.history",
            lambda: raised(home, rows_at_once=5_000_000),
            lambda: raised(home, rows_at_once=1),
            runs=3,
        )


def large() -> Iterator[Comparison]:
    """raise.large.seconds: one cycle of all twelve. The peer is the goal."""
    with tempfile.TemporaryDirectory() as name:
        grow(admitted(Path(name), LARGE_CLUES, PLENTY))
        done = subprocess.run(
            [sys.executable, "-m", "bench.raising", name],
            capture_output=True,
            text=True,
            check=True,
        )
        told = json.loads(done.stdout)
    load, cores = os.getloadavg()[0], available_cores()
    seconds = round(told["seconds"], 2)
    ratio = round(GOAL_SECONDS / seconds, 3)
    yield Comparison("raise.large.seconds", seconds, GOAL_SECONDS, ratio, "s", 1, load, cores)


def admitted(folder: Path, clues_wanted: int, plenty: float) -> Home:
    """A home with the records of a simulated province."""
    simulate(
        folder / "files", clues=clues_wanted, seed=7, months=60, plenty=plenty, stages=silent()
    )
    home = Home.create(folder / "home", load_jurisdiction("anhui"))
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(each for each in (folder / "files").iterdir() if each.is_file()):
        files[re.sub(r"-\d+$", "", path.name.partition(".")[0])].append(path)
    for record_set in home.jurisdiction.contracts:
        if record_set != "outcomes":
            for path in files[record_set]:
                admit(home, record_set, [path], FixedClock(LAST))
    return home


def grow(home: Home) -> None:
    """Payments of earlier lives: the simulator's, once more for each of seven times six years ago.
    They find nothing new, and are looked at all the same."""
    path = home.table("benefit_payments")
    files, rows = file_list(tables.files(path)), sum(tables.file_rows(path).values())
    with connect(home.scratch) as connection:
        for times in range(1, 8):
            ago = f"INTERVAL {6 * times} YEAR"
            earlier = connection.sql(f"""
                SELECT * REPLACE (record_no + {rows * times} AS record_no,
                       payment_no || '-{times}' AS payment_no, (paid_on - {ago})::DATE AS paid_on,
                       happened_at - {ago} AS happened_at, known_at - {ago} AS known_at)
                FROM {files} WHERE retracted_at IS NULL
            """)
            tables.append(path, earlier.to_arrow_reader(1_000_000), {"batch": f"earlier {times}"})


def raised(home: Home, *, rows_at_once: int) -> list[tuple[str, datetime]]:
    """Every clue with its moment, raised from nothing up to `UNTIL`."""
    for path in (home.path / "raised.json", *home.table("clues").rglob("*.*")):
        path.unlink(missing_ok=True)
    usual, clues.sandbox.ROWS_AT_ONCE = clues.sandbox.ROWS_AT_ONCE, rows_at_once
    try:
        raise_until(home, UNTIL)
    finally:
        clues.sandbox.ROWS_AT_ONCE = usual
    rows = read_clues(home)
    return list(zip(rows["clue_id"].to_pylist(), rows["raised_at"].to_pylist(), strict=True))


def one_cycle(folder: Path) -> dict[str, float]:
    """In a process of its own: seconds and peak memory of the newest cycle, all models."""
    home = Home.open(folder / "home")
    newest = list(cycles(home.jurisdiction, LAST))[-1]
    names = [path.parent.name for path in home.jurisdiction.folder.glob("supervision/*/model.sql")]
    before = {name: list(cycles(home.jurisdiction, LAST))[-2].isoformat() for name in names}
    (home.path / "raised.json").write_text(json.dumps(before), "utf-8")
    started = time.perf_counter()
    raise_until(home, newest)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "clues": float(read_clues(home).num_rows),
    }


if __name__ == "__main__":
    print(json.dumps(one_cycle(Path(sys.argv[1]))))
