"""The quarantine: rows that could not be used, as they came, each with its reasons.

The row itself is kept for the steward; messages carry only the shape of a value (digits as 9,
letters as a), so that no personal data reaches a log or an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from base.errors import Fault
from base.moment import Clock
from governance import tables
from governance.checks import Check
from governance.home import Home
from governance.source import Source

REASON = pa.struct(
    [("column", pa.string()), ("wanted", pa.string()), ("got", pa.string()), ("cure", pa.string())]
)
SCHEMA = pa.schema(
    [
        ("batch", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("raw", pa.string()),
        ("reasons", pa.list_(REASON)),
        ("quarantined_at", pa.timestamp("us")),
    ]
)


@dataclass(frozen=True)
class QuarantinedRows:
    """The bad rows of one file: row number, row as it came, reasons."""

    file: str
    rows: list[tuple[int, str, list[dict[str, str]]]]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, source: Source, bad: pa.Table, found: list[Check]) -> QuarantinedRows:
        """From staged rows (source_row, raw, reasons as check numbers, masks) and spoilt ones."""
        rows = [
            (
                row["source_row"],
                row["raw"],
                [_reason(found[i], row["masks"][i]) for i in row["reasons"]],
            )
            for row in bad.to_pylist()
        ]
        for spoilt in source.spoilt:
            reason = {"column": "", "wanted": spoilt.wanted, "got": spoilt.got, "cure": spoilt.cure}
            rows.append((spoilt.row, spoilt.text, [reason]))
        return cls(source.name, sorted(rows, key=lambda row: row[0]))

    def notices(self) -> Iterator[Fault]:
        """One message for each kind of reason: the first row that has it, and how many do."""
        first: dict[tuple[str, str], tuple[int, dict[str, str]]] = {}
        counts: dict[tuple[str, str], int] = {}
        for row, _, reasons in self.rows:
            for reason in reasons:
                kind = (reason["column"], reason["wanted"])
                first.setdefault(kind, (row, reason))
                counts[kind] = counts.get(kind, 0) + 1
        for kind, (row, reason) in first.items():
            column = f", column {reason['column']}" if reason["column"] else ""
            more = f" ({counts[kind]} rows in all)" if counts[kind] > 1 else ""
            where = f"{self.file}: row {row}{column}"
            yield Fault(reason["wanted"], reason["got"] + more, reason["cure"], where)


def _reason(check: Check, mask: str | None) -> dict[str, str]:
    got = "nothing" if mask is None or not mask.strip() else mask
    return {"column": check.column, "wanted": check.wanted, "got": got, "cure": check.cure}


def keep(
    home: Home, record_set: str, batch: str, files: list[QuarantinedRows], clock: Clock
) -> None:
    """Store quarantined rows once per batch, before the batch itself is committed."""
    path = home.quarantine(record_set)
    if not any(files) or tables.has_note(path, "batch", batch):
        return
    now = clock.now()
    rows = [
        {
            "batch": batch,
            "file": rows.file,
            "row": row,
            "raw": raw,
            "reasons": reasons,
            "quarantined_at": now,
        }
        for rows in files
        for row, raw, reasons in rows.rows
    ]
    tables.append(path, pa.Table.from_pylist(rows, schema=SCHEMA), {"batch": batch})


def read(home: Home, record_set: str) -> list[dict[str, Any]]:
    """Every quarantined row of a record set, oldest batch first."""
    home.jurisdiction.contract(record_set)
    stored = tables.dataset(home.quarantine(record_set))
    if stored is None:
        return []
    ordered = stored.to_table().sort_by(
        [("quarantined_at", "ascending"), ("file", "ascending"), ("row", "ascending")]
    )
    return list(ordered.to_pylist())
