"""Supervision models side by side: how many clues each raised of late and what became of them.

Counted from the records, where outcomes of every origin end. A clue counts for the office where it
stands now, so that an office counts nothing that is another's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import sqlalchemy as sa

from dispatch.outcome import RECORD_SET
from governance.home import Home
from governance.reading import Records, known_before
from scoring.ledger import clue_states

# Registered, then scored: who stands at a later version was moved by somebody.
UNTOUCHED = 1
QUERY = """
    WITH own AS (
        SELECT c.clue_id, c.supervision_model, coalesce(m.office_id, c.office_id) AS office_id
        FROM clues c LEFT JOIN moved m USING (clue_id) WHERE c.raised_at >= $since
    ), became AS (
        SELECT DISTINCT ON (clue_id) clue_id, status, became_case FROM outcomes
        WHERE {known} ORDER BY clue_id, decided_at DESC, record_no DESC
    )
    SELECT supervision_model, count(*) AS clues, count(b.clue_id) AS ended,
           count(b.became_case) AS judged, coalesce(sum(b.became_case), 0) AS cases,
           count(*) FILTER (b.status = 'returned') AS returned
    FROM own LEFT JOIN became b USING (clue_id)
    WHERE $every OR list_contains($offices, office_id)
    GROUP BY 1 ORDER BY 1"""


@dataclass(frozen=True)
class Line:
    """One supervision model. `judged`: clues of which it is known whether they became a case."""

    supervision_model: str
    clues: int
    ended: int
    judged: int
    cases: int
    returned: int

    @property
    def conversion(self) -> float | None:
        """Share of the judged that became cases; None: none is judged."""
        return self.cases / self.judged if self.judged else None

    @property
    def returned_share(self) -> float | None:
        return self.returned / self.ended if self.ended else None


def league(
    home: Home,
    ledger: sa.Engine,
    offices: Collection[str] | None,
    now: datetime,
    since: datetime,
) -> list[Line]:
    """Supervision models by conversion, the best first; those without a judged clue last.

    `offices` None: all. Clues raised since `since`, outcomes known before `now`.
    """
    if RECORD_SET not in home.jurisdiction.contracts:
        return []
    with Records(home, only=("clues", RECORD_SET)) as records:
        if "clues" not in records.record_sets:
            return []
        connection = records.connection()
        connection.register("moved", _moved(ledger))
        asked = {
            "since": since,
            "now": now,
            "every": offices is None,
            "offices": sorted(offices or ()),
        }
        rows = connection.execute(QUERY.format(known=known_before("$now")), asked).fetchall()
    lines = [Line(*row) for row in rows]
    return sorted(lines, key=lambda line: (-(line.conversion or 0.0), -line.judged, -line.clues))


def _moved(ledger: sa.Engine) -> pa.Table:
    """Clues that somebody moved, and the office where each stands."""
    query = sa.select(clue_states.c.clue_id, clue_states.c.office_id).where(
        clue_states.c.version > UNTOUCHED
    )
    with ledger.connect() as connection:
        rows = connection.execute(query).all()
    schema = pa.schema([("clue_id", pa.string()), ("office_id", pa.string())])
    columns = zip(*rows, strict=True) if rows else ([], [])
    return pa.table([list(each) for each in columns], schema=schema)
