"""Five million payments, a quarter of them dirty, through the contract; beside a pandas clean-up.

The file is written with its truth: what must become of each line, and why. Both sides read the
same file, keep good rows once, keep bad rows with their reasons, and write both to disk.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from base.moment import WallClock
from base.settings import available_cores
from bench.measure import Comparison
from governance import tables
from governance.home import Home
from governance.intake import admit
from governance.jurisdiction import load_jurisdiction

ROWS = int(os.environ.get("BENCH_ADMIT_ROWS", "5000000"))
GOAL_ROWS_PER_S, GOAL_GB = 1_000_000, 2.0
COLUMNS = ("payment_no", "person_id", "agency_id", "paid_on", "amount_cents", "remark")
SENT_TWICE = 0.05
PERSON = r"^99[0-9]{4}(19|20)[0-9]{9}[0-9X]$"


@dataclass(frozen=True)
class Dirt:
    """A kind of fault: its share of the rows, and the column and words of its reason."""

    share: float
    column: str
    wanted: str


DIRT = {
    "letters_in_amount": Dirt(0.04, "amount_cents", "a whole number"),
    "short_identity_number": Dirt(0.04, "person_id", f"text like {PERSON}"),
    "impossible_date": Dirt(0.04, "paid_on", "a date written %Y-%m-%d"),
    "no_agency": Dirt(0.03, "agency_id", "a value"),
    "formula": Dirt(0.01, "remark", "text, not a formula"),
    "ragged": Dirt(0.02, "", "6 values"),
    "nul": Dirt(0.01, "", "UTF-8 text"),
    "undecodable": Dirt(0.01, "", "UTF-8 text"),
}
KINDS = ("good", "sent_twice", *DIRT)
# Faults of lines of text, which a Parquet file cannot have.
OF_LINES = ("ragged", "nul", "undecodable")


def write_dirty(path: Path, rows: int, seed: int = 7) -> npt.NDArray[np.int8]:
    """Write `rows` rows as the path's name ends; returns the kind of each, as a place in KINDS."""
    draw = np.random.default_rng(seed)
    shares = [SENT_TWICE, *(dirt.share for dirt in DIRT.values())]
    kinds = draw.choice(len(KINDS), size=rows, p=[1 - sum(shares), *shares]).astype(np.int8)
    kinds[0] = 0
    typed = path.suffix == ".parquet"
    if typed:
        kinds[np.isin(kinds, [KINDS.index(name) for name in OF_LINES])] = 0
    # What is sent twice repeats the last good line before it.
    good_before = np.maximum.accumulate(np.where(kinds == 0, np.arange(rows), 0))
    number = np.where(kinds == 1, good_before, np.arange(rows))
    parts = (slice(low, low + 500_000) for low in range(0, rows, 500_000))
    tables_of = (pa.table(_texts(number[part], kinds[part])) for part in parts)
    if typed:
        with pq.ParquetWriter(path, pa.schema([(name, pa.string()) for name in COLUMNS])) as file:
            for table in tables_of:
                file.write_table(table)
        return kinds
    with path.open("wb") as file:
        file.write((",".join(COLUMNS) + "\n").encode())
        for table in tables_of:
            file.write(_lines(table))
    return kinds


def _texts(number: npt.NDArray[np.int64], kinds: npt.NDArray[np.int8]) -> dict[str, pa.Array]:
    """Everything in a row follows from its number, so that a repeated one is the same."""
    mixed = (number * 2_654_435_761) % 4_294_967_291
    kind = {name: kinds == at for at, name in enumerate(KINDS)}
    text = {
        "payment_no": _padded("Z", number, 9),
        "person_id": _joined("99", _padded("", mixed % 10_000, 4), "19", _padded("", mixed, 10)),
        "agency_id": _padded("A", mixed % 37, 3),
        "paid_on": _days(mixed),
        "amount_cents": pa.array(10_000 + mixed % 900_000).cast(pa.string()),
        "remark": pc.if_else(pa.array(mixed % 5 == 0), "补发", ""),
    }  # fmt: skip
    text["person_id"] = pc.utf8_slice_codeunits(text["person_id"], 0, 18)
    spoilt = {
        "letters_in_amount": ("amount_cents", _joined(text["amount_cents"], "O")),
        "short_identity_number": ("person_id", pc.utf8_slice_codeunits(text["person_id"], 0, 16)),
        "impossible_date": ("paid_on", pa.scalar("2021-02-30")),
        "no_agency": ("agency_id", pa.scalar("")),
        "formula": ("remark", pa.scalar("=1+1")),
        "ragged": ("remark", pa.scalar("a,b")),
        "nul": ("remark", pa.scalar("a\0b")),
        "undecodable": ("remark", pa.scalar("\ufdd0")),
    }  # fmt: skip
    for name, (column, values) in spoilt.items():
        text[column] = pc.if_else(pa.array(kind[name]), values, text[column])
    return text


def _lines(table: pa.Table) -> bytes:
    columns = [column.combine_chunks() for column in table.columns]
    lines = pc.binary_join_element_wise(*columns, ",")
    whole = "\n".join(lines.to_pylist()) + "\n"
    return whole.encode().replace("\ufdd0".encode(), b"\xff\xff")


def _days(mixed: npt.NDArray[np.int64]) -> pa.Array:
    year, month, day = 20 + mixed % 5, 1 + mixed % 12, 1 + mixed // 7 % 28
    parts = [part for each in (year, month, day) for part in (_padded("", each, 2), "-")]
    return _joined("20", *parts[:-1])


def _padded(before: str, number: npt.NDArray[np.int64], width: int) -> pa.Array:
    digits = pc.utf8_lpad(pa.array(number).cast(pa.string()), width, "0")
    return _joined(before, digits) if before else digits


def _joined(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def comparisons() -> Iterator[Comparison]:
    """admit.rows_per_s beside the clean-up, and beside the goal; admit.peak_gb beside its goal.

    `.parquet`: the same rows as text in a Parquet file, but for faults that only lines have.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, other = Path(name), Path(name) / "parquet"
        kinds = write_dirty(folder / "payments.csv", ROWS)
        ours = _in_a_process("ours", folder)
        require_truth(Home.open(folder / "home"), kinds, ours, first_row=2)
        peer = _in_a_process("peer", folder)
        require_alike(ours, peer)
        other.mkdir()
        kinds = write_dirty(other / "payments.parquet", ROWS)
        typed = _in_a_process("ours", other)
        require_truth(Home.open(other / "home"), kinds, typed, first_row=1)
    load, cores = os.getloadavg()[0], available_cores()
    speed, theirs = ROWS / ours["seconds"], ROWS / peer["seconds"]
    told = ("rows/s", 1, load, cores)
    yield Comparison(
        "admit.rows_per_s", round(speed), round(theirs), round(speed / theirs, 2), *told
    )
    goal = round(speed / GOAL_ROWS_PER_S, 2)
    yield Comparison("admit.rows_per_s.goal", round(speed), GOAL_ROWS_PER_S, goal, *told)
    speed = ROWS / typed["seconds"]
    goal = round(speed / GOAL_ROWS_PER_S, 2)
    yield Comparison("admit.rows_per_s.parquet", round(speed), GOAL_ROWS_PER_S, goal, *told)
    peak = round(ours["gb"], 2)
    share = round(GOAL_GB / peak, 2)
    yield Comparison("admit.peak_gb", peak, GOAL_GB, share, "GB", 1, load, cores)


def _in_a_process(side: str, folder: Path) -> dict[str, float]:
    """One side in a process of its own, so that its memory is its own."""
    command = [sys.executable, "-m", "bench.admit", side, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def admitted(folder: Path) -> dict[str, float]:
    """Ours: into a new home of anhui."""
    home = Home.create(folder / "home", load_jurisdiction("anhui"))
    started, used = time.perf_counter(), time.process_time()
    receipt = admit(home, "benefit_payments", sorted(folder.glob("payments.*")), WallClock())
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - used,
        "rows": receipt.rows,
        "admitted": receipt.admitted,
        "quarantined": receipt.quarantined,
        "already_admitted": receipt.already_admitted,
    }


def cleaned(folder: Path) -> dict[str, float]:
    """The peer: what a careful pandas script does, whole columns at a time.

    Lines of more values than the header go unseen (`on_bad_lines="skip"`, as the manual advises
    for damaged files); a line count before tells how many.
    """
    started, used = time.perf_counter(), time.process_time()
    file = folder / "payments.csv"
    with file.open("rb") as stream:
        rows = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 24), b"")) - 1
    frame = pd.read_csv(
        file, dtype=str, keep_default_na=False, encoding_errors="replace", on_bad_lines="skip"
    )
    reasons = _reasons(frame)
    bad = reasons != ""
    good = frame[~bad].drop_duplicates()
    good = good.assign(
        paid_on=pd.to_datetime(good["paid_on"], format="%Y-%m-%d"),
        amount_cents=pd.to_numeric(good["amount_cents"]),
    )
    good.to_parquet(folder / "good.parquet")
    frame[bad].assign(reasons=reasons[bad]).to_parquet(folder / "bad.parquet")
    return {
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - used,
        "rows": rows,
        "admitted": len(good),
        "quarantined": int(bad.sum()) + rows - len(frame),
    }


def _reasons(frame: pd.DataFrame) -> pd.Series:
    """Reasons of each row, joined; empty for a good one."""
    text = {name: frame[name].str.strip() for name in frame.columns}
    found = {
        "payment_no: a value": text["payment_no"] == "",
        "person_id: form": ~text["person_id"].str.fullmatch(PERSON),
        "agency_id: a value": text["agency_id"] == "",
        "paid_on: form": pd.to_datetime(text["paid_on"], format="%Y-%m-%d", errors="coerce").isna(),
        "amount_cents: form": ~text["amount_cents"].str.fullmatch(r"[+-]?[0-9]{1,18}"),
        "remark: formula": text["remark"].str.startswith("="),
        "remark: text": text["remark"].str.contains("[\0\ufffd]"),
    }
    reasons = pd.Series("", index=frame.index)
    for reason, bad in found.items():
        reasons = reasons.mask(bad, reasons + reason + "; ")
    return reasons


def require_truth(
    home: Home, kinds: npt.NDArray[np.int8], told: dict[str, float], first_row: int
) -> None:
    """Every row became what it must become, each bad one with exactly its reason."""
    bad = np.flatnonzero(kinds > 1)
    assert told["rows"] == len(kinds)
    assert told["quarantined"] == len(bad)
    assert told["already_admitted"] == int((kinds == 1).sum())
    assert told["admitted"] == int((kinds == 0).sum())
    kept = tables.dataset(home.quarantine("benefit_payments")).to_table(["row", "reasons"])
    kept = kept.sort_by("row")
    assert np.array_equal(kept["row"].to_numpy(), bad + first_row)
    lists = kept["reasons"].combine_chunks()
    assert pc.all(pc.equal(pc.list_value_length(lists), 1)).as_py()
    reasons = pc.list_flatten(lists)
    for part in ("column", "wanted"):
        meant = pa.array([getattr(DIRT.get(name), part, "") for name in KINDS])
        assert pc.struct_field(reasons, part).equals(meant.take(pa.array(kinds[bad])))


def require_alike(ours: dict[str, float], peer: dict[str, float]) -> None:
    """Both kept the same number of good and of bad rows."""
    for name in ("rows", "admitted", "quarantined"):
        assert ours[name] == peer[name], (name, ours[name], peer[name])


if __name__ == "__main__":
    side = {"ours": admitted, "peer": cleaned}[sys.argv[1]]
    result = side(Path(sys.argv[2]))
    result["gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(result))
