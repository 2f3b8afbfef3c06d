"""What is held of each record set: rows and since when, batches as they came, what was put aside.

For the steward. Values of records are not told; of a quarantined row those are that its reader may
read, and of the others their shape.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from governance import tables
from governance.contract import Contract
from governance.engine import connect, file_list
from governance.freshness import quarantined_share
from governance.home import Home

RAW_LENGTH = 400


@dataclass(frozen=True)
class Batch:
    """One commit. `at`: when it came (wall time), None where that is not told any more."""

    batch: str
    at: datetime | None
    admitted: int
    retracted: int
    quarantined: int


@dataclass(frozen=True)
class Reason:
    """Why rows were put aside: one column and what was wanted of it; `got` is a shape."""

    column: str
    wanted: str
    got: str
    cure: str
    rows: int


@dataclass(frozen=True)
class Held:
    """One record set. `happened_until`, `known_until`: of its newest record, None without any."""

    contract: Contract
    rows: int
    retracted: int
    quarantined: int
    happened_until: datetime | None
    known_until: datetime | None
    batches: tuple[Batch, ...]
    reasons: tuple[Reason, ...]

    @property
    def refused_share(self) -> float | None:
        """Quarantined rows among all that came and were not there before."""
        return quarantined_share(self.rows, self.quarantined)

    @property
    def newest(self) -> Batch | None:
        """The batch that came last."""
        return self.batches[0] if self.batches else None


def held(home: Home, record_set: str) -> Held:
    """What is held of a record set now. Raises NotFound for one that is not declared.

    Read anew only where a batch came since it was asked last.
    """
    contract = home.jurisdiction.contract(record_set)
    path, aside = home.table(record_set), home.quarantine(record_set)
    versions = tables.version(path), tables.version(aside)
    return _held(home, record_set, contract.digest, *versions)


def all_held(home: Home) -> list[Held]:
    """The same of every record set."""
    return [held(home, name) for name in home.jurisdiction.contracts]


@lru_cache(maxsize=256)
def _held(home: Home, record_set: str, _: str, version: int, aside: int) -> Held:
    rows = _by_batch(home, record_set, version)
    refused, reasons = _refused(home, record_set, aside)
    names = {**dict.fromkeys(rows), **dict.fromkeys(refused)}
    came = _times(home, record_set)
    batches = [
        Batch(name, came.get(name), *rows.get(name, (0, 0, None, None))[:2], refused.get(name, 0))
        for name in names
    ]
    batches.sort(key=lambda each: each.at or datetime.min, reverse=True)
    return Held(
        home.jurisdiction.contract(record_set),
        sum(each.admitted for each in batches),
        sum(each.retracted for each in batches),
        sum(each.quarantined for each in batches),
        _latest(row[2] for row in rows.values()),
        _latest(row[3] for row in rows.values()),
        tuple(batches),
        reasons,
    )


def quarantined_rows(
    home: Home, record_set: str, column: str, start: int, limit: int, seen: Collection[str]
) -> list[dict[str, Any]]:
    """Quarantined rows, the newest batch first, after `start` of them; `column`: only those put
    aside for it (empty: all). Each has `told`: (column, text) as it came; one with the column ""
    where the row could not be taken apart.

    Values of a classification that is not in `seen` are told by their shape; so is what is of no
    column of the contract, unless all of them are in `seen`.
    """
    files = tables.files(home.quarantine(record_set))
    if not files:
        return []
    query = f"""
        SELECT batch, file, "row", raw, reasons, quarantined_at FROM {file_list(files)}
        WHERE $column = '' OR list_contains(list_transform(reasons, lambda r: r."column"), $column)
        ORDER BY quarantined_at DESC, batch, file, "row" LIMIT $limit OFFSET $start"""
    asked = {"column": column, "limit": limit, "start": start}
    with connect(home.scratch) as connection:
        found = connection.sql(query, params=asked).to_arrow_table().to_pylist()
    classes = {
        each.name: each.classification for each in home.jurisdiction.contract(record_set).columns
    }
    open_ = {name for name, classification in classes.items() if classification in seen}
    for row in found:
        row["told"] = [
            (name, text if name in open_ or open_ >= set(classes) else shape(text))
            for name, text in _taken_apart(row.pop("raw") or "")
        ]
    return found


def _taken_apart(raw: str) -> list[tuple[str, str]]:
    try:
        values = json.loads(raw)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        return [("", raw[:RAW_LENGTH])]
    return [
        (name, "" if value is None else str(value)[:RAW_LENGTH])
        for name, value in values.items()
        if name != "source_row"  # of our own: it stands beside
    ]


def shape(text: str) -> str:
    """What a text looks like without what it says: digits as 9, letters as a, characters as 字."""
    return "".join(
        "9" if each.isdigit() else ("a" if each.isascii() else "字") if each.isalnum() else each
        for each in text
    )


def _by_batch(
    home: Home, record_set: str, version: int
) -> dict[str, tuple[int, int, datetime | None, datetime | None]]:
    files = tables.files(home.table(record_set), version) if version >= 0 else []
    if not files:
        return {}
    query = f"""
        SELECT batch, count(*), count(retracted_at), max(happened_at), max(known_at)
        FROM {file_list(files)} GROUP BY batch"""
    with connect(home.scratch) as connection:
        return {name: tuple(row) for name, *row in connection.execute(query).fetchall()}


def _refused(
    home: Home, record_set: str, version: int
) -> tuple[dict[str, int], tuple[Reason, ...]]:
    files = tables.files(home.quarantine(record_set), version) if version >= 0 else []
    if not files:
        return {}, ()
    listed = file_list(files)
    kinds = f"""
        SELECT r."column", r.wanted, arg_min(r.got, "row"), arg_min(r.cure, "row"), count(*)
        FROM (SELECT "row", unnest(reasons) AS r FROM {listed})
        GROUP BY 1, 2 ORDER BY 5 DESC, 1, 2"""
    with connect(home.scratch) as connection:
        counts = connection.execute(f"SELECT batch, count(*) FROM {listed} GROUP BY batch")
        refused = {str(name): int(count) for name, count in counts.fetchall()}
        reasons = tuple(Reason(*row) for row in connection.execute(kinds).fetchall())
    return refused, reasons


def _times(home: Home, record_set: str) -> dict[str, datetime]:
    """Batch -> when its first commit was made, in wall time, by the Delta log of what it left."""
    zone = ZoneInfo(home.jurisdiction.timezone)
    told: dict[str, datetime] = {}
    for path in (home.table(record_set), home.quarantine(record_set)):
        table = tables.open_table(path)
        for entry in table.history() if table else ():
            if "batch" in entry and "timestamp" in entry:
                at = datetime.fromtimestamp(entry["timestamp"] / 1_000, zone).replace(tzinfo=None)
                told[entry["batch"]] = min(at, told.get(entry["batch"], at))
    return told


def _latest(moments: Iterable[datetime | None]) -> datetime | None:
    return max((each for each in moments if each is not None), default=None)
