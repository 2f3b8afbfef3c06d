"""The audit chain: each row's digest covers the row before, so that no row can be changed alone.

Rows are appended in the transaction of what they tell: both stay or neither does. The one row of
`audit_head` is held until that transaction ends, so that no two rows take the same place.
A chain rewritten whole, or cut at its end, is found by checkpoints (scoring/audit.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson
import sqlalchemy as sa

from scoring.ledger.prepared import insert_rows, run
from scoring.ledger.tables import audit

GENESIS = "0" * 64
COLUMNS = tuple(column.name for column in audit.c)
Kind = Literal[
    "scores", "registered", "transition", "outcomes", "promotion", "key", "read", "watch",
    "exchange",
    "account",
]  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One thing to tell. `who` and `about` are ids; `body` holds ids, times and digests only."""

    kind: Kind
    who: str
    about: str
    body: Mapping[str, Any]
    at: datetime


def append(connection: sa.Connection, entries: Sequence[Entry]) -> int:
    """Append rows in the caller's transaction; returns the number of the last one.

    On SQLite the transaction must be one of `writing`, or have written before it read.
    """
    grown = "UPDATE audit_head SET seq = seq + ? WHERE head_id = 1 RETURNING seq, digest"
    ((last, previous),) = run(connection, grown, (len(entries),))
    rows = []
    for seq, entry in enumerate(entries, last - len(entries) + 1):
        at, body = entry.at.isoformat(), canonical(entry.body).decode()
        row = (seq, at, entry.kind, entry.who, entry.about, body, previous)
        previous = digest_of(*row)
        rows.append((*row, previous))
    if rows:
        insert_rows(connection, audit, COLUMNS, rows)
        run(connection, "UPDATE audit_head SET digest = ? WHERE head_id = 1", (previous,))
    return int(last)


def digest_of(seq: int, at: str, kind: str, who: str, about: str, body: str, previous: str) -> str:
    """sha256 over the canonical JSON of a row without its digest; `previous` is in it."""
    told = orjson.dumps([seq, at, kind, who, about, body, previous])
    return hashlib.sha256(told).hexdigest()


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8, ISO times: the same bytes for equal values."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
