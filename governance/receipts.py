"""Receipts: what became of each batch, kept for the steward, a line each, by record set and month.

A receipt is written when the batch is committed or refused, under the writer's lock of its record
set. A crash just before leaves a batch without one; the same call again writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from governance.home import Home

EARLIER_PROFILES = 12
LAST_NUMBER = "last_record_no"


def keep(home: Home, record_set: str, receipt: dict[str, Any], at: datetime) -> None:
    """Add a receipt; it is stamped with `at`."""
    folder = home.receipts / record_set
    folder.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"at": at.isoformat(), **receipt}, ensure_ascii=False, default=vars)
    with (folder / f"{at:%Y-%m}.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def receipts(home: Home, record_set: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """The newest receipts, of one record set or of all, the newest first."""
    names = [record_set] if record_set else list(home.jurisdiction.contracts)
    for name in names:
        home.jurisdiction.contract(name)
    newest = [kept for name in names for kept in _some(newest_first(home, name), limit)]
    return sorted(newest, key=lambda kept: kept["at"], reverse=True)[:limit]


def earlier_profiles(home: Home, record_set: str) -> list[dict[str, Any]]:
    """The profiles of the last batches that were admitted and had one."""
    with_one = (
        kept["profile"]
        for kept in newest_first(home, record_set)
        if kept.get("profile") and kept.get("admitted")
    )
    return _some(with_one, EARLIER_PROFILES)


def last_number(home: Home, record_set: str) -> int:
    """The highest record number that retention found when it removed records; 0: it never did."""
    path = home.receipts / record_set / LAST_NUMBER
    return int(path.read_text("ascii")) if path.is_file() else 0


def keep_last_number(home: Home, record_set: str, number: int) -> None:
    """Remember a record number before its record goes: no number is ever given twice."""
    path = home.receipts / record_set / LAST_NUMBER
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(str(max(number, last_number(home, record_set))), "ascii")
    draft.replace(path)


def newest_first(home: Home, record_set: str) -> Iterator[dict[str, Any]]:
    """Every receipt of a record set, the newest first."""
    for path in sorted((home.receipts / record_set).glob("*.jsonl"), reverse=True):
        yield from reversed(_of_month(path))


def _of_month(path: Path) -> list[dict[str, Any]]:
    """A line that a crash cut off is no receipt: its batch will be told again."""
    told = []
    for line in path.read_text("utf-8").splitlines():
        try:
            told.append(json.loads(line))
        except ValueError:
            continue
    return told


def _some(found: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return [kept for _, kept in zip(range(count), found, strict=False)]
