"""The register of clues: reading back what was raised."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from base.errors import NotReady
from clues.clue import clue_schema
from governance import tables
from governance.home import Home


def read_clues(home: Home, clue_ids: Iterable[str] | None = None) -> pa.Table:
    """All clues, or those named (unknown ids are simply not there), by moment, then id."""
    stored = tables.dataset(home.table("clues"))
    if stored is None:
        return clue_schema(home.jurisdiction).empty_table()
    chosen = (
        None
        if clue_ids is None
        else pc.field("clue_id").isin(pa.array(list(clue_ids), pa.string()))
    )
    rows = stored.to_table(filter=chosen)
    return rows.sort_by([("raised_at", "ascending"), ("clue_id", "ascending")])


def require_clues(home: Home) -> pa.Table:
    """All clues; NotReady where none was ever raised."""
    rows = read_clues(home)
    if rows.num_rows == 0:
        raise NotReady(
            wanted="clues", got="none raised yet", cure="run: clues raise --until MOMENT"
        )
    return rows
