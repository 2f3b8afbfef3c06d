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

from scoring.ledger.tables import audit, audit_head

GENESIS = "0" * 64
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
    grown = (
        sa.update(audit_head)
        .where(audit_head.c.head_id == 1)
        .values(seq=audit_head.c.seq + len(entries))
        .returning(audit_head.c.seq, audit_head.c.digest)
    )
    last, previous = connection.execute(grown).one()
    rows = []
    for seq, entry in enumerate(entries, last - len(entries) + 1):
        row = {
            "seq": seq,
            "at": entry.at.isoformat(),
            "kind": entry.kind,
            "who": entry.who,
            "about": entry.about,
            "body": canonical(entry.body).decode(),
            "previous": previous,
        }
        previous = row["digest"] = digest_of(*row.values())
        rows.append(row)
    if rows:
        connection.execute(sa.insert(audit), rows)
        connection.execute(
            sa.update(audit_head).where(audit_head.c.head_id == 1).values(digest=previous)
        )
    return int(last)


def digest_of(seq: int, at: str, kind: str, who: str, about: str, body: str, previous: str) -> str:
    """sha256 over the canonical JSON of a row without its digest; `previous` is in it."""
    told = orjson.dumps([seq, at, kind, who, about, body, previous])
    return hashlib.sha256(told).hexdigest()


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8, ISO times: the same bytes for equal values."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
