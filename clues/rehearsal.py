"""A rehearsal: what raising would find, with samples that tell nobody who is meant.

A value that not every reader is cleared for is told by its shape alone: digits as 9, letters as a.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb

from governance.checks import quoted
from governance.jurisdiction import OPEN, Jurisdiction
from governance.shapes import shape_sql

# Of the clue's fixed columns: which subject and which of its matters could name a person.
HIDDEN = ("subject_id", "ground_key")


@dataclass
class Rehearsed:
    """What one supervision model would raise and merge, with `samples` of what it would raise.

    `up_to_date_until`: the last cycle that this version of it ran, where none is due. Then these
    are the counts of all its cycles, which a raising would not run again.
    """

    raised: int
    merged: int
    runs: int
    up_to_date_until: datetime | None = None
    samples: list[dict[str, Any]] = field(default_factory=list)


def told_samples(
    connection: duckdb.DuckDBPyConnection | None,
    jurisdiction: Jurisdiction,
    model: str,
    number: int,
) -> list[dict[str, Any]]:
    """`number` clues of a supervision model, the newest first, spread by their id, masked."""
    if connection is None:
        return []
    masked = hidden_columns(jurisdiction)
    own = [*HIDDEN, *jurisdiction.clue_columns]
    shown = ", ".join(
        f"{shape_sql(quoted(name))} AS {quoted(name)}" if name in masked else quoted(name)
        for name in own
    )
    rows = connection.execute(
        f"SELECT clue_id, raised_at, office_id, {shown}, len(evidence) AS evidence FROM found"
        " WHERE supervision_model = $model ORDER BY raised_at DESC, clue_id LIMIT $number",
        {"model": model, "number": number},
    )
    names = [name for name, *_ in rows.description or []]
    told = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    return [{name: value for name, value in row.items() if value is not None} for row in told]


def hidden_columns(jurisdiction: Jurisdiction) -> frozenset[str]:
    """Columns of a clue whose values are told by their shape."""
    classified = jurisdiction.clue_classifications
    return frozenset(HIDDEN) | {name for name, kind in classified.items() if kind not in OPEN}
