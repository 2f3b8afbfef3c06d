"""Which clues are still to be worked on, as known at a moment."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from clues.register import require_clues
from governance.home import Home
from governance.reading import Records, known_before

# A returned clue goes to triage again. A withdrawn case does not: it was decided.
CLOSED = ("case_filed", "unfounded", "transferred", "withdrawn", "case_withdrawn", "split")


def open_clues(home: Home, moment: datetime) -> pa.Table:
    """Clues raised by `moment` whose end was not known then.

    One raised at the moment itself is among them: what its scorer learned from was looked at then.
    """
    clues = require_clues(home)
    clues = clues.filter(pc.field("raised_at") <= pa.scalar(moment, pa.timestamp("us")))
    closed = pa.array(sorted(closed_clues(home, moment)), pa.string())
    return clues.filter(pc.invert(pc.is_in(clues["clue_id"], closed)))


def closed_clues(home: Home, moment: datetime) -> set[str]:
    """Ids of the clues whose end was known before `moment`."""
    if "outcomes" not in home.jurisdiction.contracts:
        return set()
    query = (
        f"SELECT DISTINCT clue_id FROM outcomes WHERE {known_before('$moment')}"
        " AND list_contains($closed, status)"
    )
    with Records(home) as records:
        asked = {"moment": moment, "closed": list(CLOSED)}
        found = records.connection().execute(query, asked).fetchall()
    return {clue_id for (clue_id,) in found}
