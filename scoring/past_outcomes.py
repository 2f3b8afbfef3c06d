"""What became of clues, as known at a moment: the last word on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from governance import tables
from governance.home import Home
from governance.reading import Records

COLUMNS = ["clue_id", "status", "became_case", "happened_at", "known_at", "retracted_at"]
OUTCOMES = "outcomes"


@dataclass
class PastOutcomes:
    """The outcomes of a home, kept in memory and read again when more have been admitted."""

    home: Home
    _version: int = -1
    _rows: pa.Table | None = field(default=None, repr=False)

    @property
    def declared(self) -> bool:
        """Whether the jurisdiction takes outcomes back at all."""
        return OUTCOMES in self.home.jurisdiction.contracts

    def ended(self, clue_ids: pa.ChunkedArray, moment: datetime) -> npt.NDArray[np.bool_]:
        """Per clue whether a decision on it (a case or none) was known before `moment`."""
        rows = self._known(moment)
        decided = rows.filter(pc.is_valid(rows["became_case"]))
        return np.asarray(pc.is_in(clue_ids, decided["clue_id"].combine_chunks()).to_numpy(), bool)

    def of_clues(self, clue_ids: Sequence[str], moment: datetime) -> dict[str, dict[str, Any]]:
        """Clue -> status, became_case (bool) and decided_at of its last word known then."""
        rows = self._known(moment)
        rows = rows.filter(pc.is_in(rows["clue_id"], pa.array(list(clue_ids), pa.string())))
        told: dict[str, dict[str, Any]] = {}
        order = [("happened_at", "ascending"), ("known_at", "ascending"), ("status", "ascending")]
        for row in rows.sort_by(order).to_pylist():
            if row["became_case"] is not None:
                told[row["clue_id"]] = {
                    "status": row["status"],
                    "became_case": bool(row["became_case"]),
                    "decided_at": row["happened_at"],
                }
        return told

    def _known(self, moment: datetime) -> pa.Table:
        rows = self._newest()
        at = pa.scalar(moment, pa.timestamp("us"))
        known = (pc.field("known_at") < at) & (pc.field("happened_at") < at)
        stands = pc.field("retracted_at").is_null() | (pc.field("retracted_at") >= at)
        return rows.filter(known & stands)

    def _newest(self) -> pa.Table:
        table = self.home.table(OUTCOMES)
        if self._rows is None or tables.newer_than(table, self._version):
            with Records(self.home, only=[OUTCOMES]) as records:
                self._rows = records.arrow(OUTCOMES, COLUMNS)
                self._version = records.versions[OUTCOMES]
        return self._rows
