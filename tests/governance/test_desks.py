"""Blocks are judged side by side, and what comes out knows nothing of it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from governance import quarantine, staging, tables, text_blocks
from governance.home import Home
from governance.intake import Receipt, admit
from governance.reading import Records

HEADER = "person_id,paid_on,amount_cents,kind,rate\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Good rows, bad ones, ragged ones, and every fourth again further down."""
    rows = [f"P{at},2024-01-{1 + at % 28:02},{at},pension,1" for at in range(300)]
    rows += rows[::4]
    rows += [f"X{at},2024-01-05,{at},pension,1" for at in range(40)] + ["P1,2024-01-05"] * 9
    random.Random(3).shuffle(rows)
    path = tmp_path / "many.csv"
    path.write_text(HEADER + "\n".join(rows), "utf-8")
    return path


def taken_in(home: Home, file: Path, clock, monkeypatch, *, bytes_: int, threads: int) -> Receipt:
    monkeypatch.setattr(text_blocks, "BYTES_OF_A_BLOCK", bytes_)
    monkeypatch.setattr(text_blocks, "BYTES_OF_A_PIECE", bytes_ // 4)
    monkeypatch.setenv("CLUES_THREADS", str(threads))
    return admit(home, "payments", [file], clock)


def held(home: Home) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    with Records(home) as records:
        return records.arrow("payments").to_pylist(), quarantine.read(home, "payments")


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_one_block_or_many_at_any_number_of_desks_give_the_same_rows(
    hamlet, hamlet_folder, tmp_path, file, clock, monkeypatch, threads
) -> None:
    """Rows, reasons and counts are those of the file in one block; no number is given twice."""
    at_once = taken_in(hamlet, file, clock, monkeypatch, bytes_=1 << 24, threads=1)
    many = Home.create(tmp_path / "many", hamlet.jurisdiction)
    receipt = taken_in(many, file, clock, monkeypatch, bytes_=700, threads=threads)
    assert (receipt.admitted, receipt.quarantined, receipt.already_admitted) == (300, 49, 75)
    assert receipt.as_json() == at_once.as_json()
    assert sorted(receipt.refused) == sorted(at_once.refused)
    (rows, bad), (rows_at_once, bad_at_once) = held(many), held(hamlet)
    numbers = [row.pop("record_no") for row in rows]
    assert len(set(numbers)) == 300 == len([row.pop("record_no") for row in rows_at_once])
    assert rows == rows_at_once
    assert bad == bad_at_once


def test_a_block_that_fails_ends_the_batch_and_leaves_nothing(
    hamlet, file, clock, monkeypatch
) -> None:
    """Desks that wait for the number of the failed block are let go."""
    judge, calls = staging.Judge.judge, []

    def fails_once(self: staging.Judge, block: Any) -> staging.Judged:
        calls.append(len(block))
        if len(calls) == 3:
            raise OSError("the disk is full")
        return judge(self, block)

    monkeypatch.setattr(staging.Judge, "judge", fails_once)
    with pytest.raises(OSError, match="disk is full"):
        taken_in(hamlet, file, clock, monkeypatch, bytes_=700, threads=3)
    assert not tables.exists(hamlet.table("payments"))
    assert not tables.exists(hamlet.quarantine("payments"))
