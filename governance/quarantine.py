"""The quarantine: rows that could not be used, as they came, each with its reasons.

The row itself is kept for the steward; messages carry only the shape of a value (digits as 9,
letters as a), so that no personal data reaches a log or an error.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from governance import tables
from governance.access import Noted
from governance.batch import Batch
from governance.home import Home
from governance.reasons import REASON

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


def keep(home: Home, record_set: str, batch: Batch) -> None:
    """Store the bad rows of a batch once, before the batch itself is committed."""
    path = home.quarantine(record_set)
    if batch.quarantined and not tables.has_note(path, "batch", batch.batch):
        tables.put_in(path, batch.quarantined, SCHEMA, {"batch": batch.batch})


def read(home: Home, record_set: str, noted: Noted | None = None) -> list[dict[str, Any]]:
    """Every quarantined row of a record set as it came, oldest batch first.

    `noted` is told before anything is read: rows in the raw are nobody's to read unseen.
    """
    home.jurisdiction.contract(record_set)
    if noted is not None:
        noted(record_set, "quarantined rows as they came")
    stored = tables.dataset(home.quarantine(record_set))
    if stored is None:
        return []
    ordered = stored.to_table().sort_by(
        [("quarantined_at", "ascending"), ("file", "ascending"), ("row", "ascending")]
    )
    return list(ordered.to_pylist())


def by_reason(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many of such rows each reason speaks against, the commonest first; a row may have more
    than one."""
    counts = Counter(
        (reason["column"], reason["wanted"], reason["cure"])
        for row in rows
        for reason in row["reasons"]
    )
    return [
        {"rows": count, "column": column, "wanted": wanted, "cure": cure}
        for (column, wanted, cure), count in sorted(
            counts.items(), key=lambda each: (-each[1], each[0])
        )
    ]
