"""The register of clues as it stood when the clue was raised: the moment of groups over it.

A clue is scored long after its raising, too, and learned from at its raising. Over the register it
must not meet itself, nor what was raised after it: so such groups look at the earlier of the two
moments. All other groups look at the moment asked about.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clues.clue import RAISING
from features.definition import Grouping

REGISTER = "clues"


def as_raised(clues: pa.Table) -> pa.Table:
    """Clues with the moment at which they look at the register as their `raised_at`."""
    if RAISING not in clues.column_names:
        return clues
    kind = pa.timestamp("us")
    moment = pc.min_element_wise(clues["raised_at"].cast(kind), clues[RAISING].cast(kind))
    return clues.set_column(clues.schema.get_field_index("raised_at"), "raised_at", moment)


def moment_of(grouping: Grouping, clue: Mapping[str, Any]) -> datetime:
    """The moment at which one clue looks at a grouping's records."""
    asked: datetime = clue["raised_at"]
    raised: datetime | None = clue.get(RAISING)
    if grouping.source != REGISTER or raised is None:
        return asked
    return min(asked, raised)
