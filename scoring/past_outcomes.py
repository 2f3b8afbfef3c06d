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
TABLES_KEPT = 256
Mask = npt.NDArray[np.bool_]


@dataclass
class PastOutcomes:
    """The outcomes of a home, kept in memory and read again when more have been admitted."""

    home: Home
    _version: int = -1
    _rows: pa.Table | None = field(default=None, repr=False)
    # When the last thing about any of them became known, or will.
    _latest: datetime = datetime.min
    _ended: dict[int, tuple[pa.Table, int, Mask]] = field(default_factory=dict, repr=False)

    @property
    def declared(self) -> bool:
        """Whether the jurisdiction takes outcomes back at all."""
        return OUTCOMES in self.home.jurisdiction.contracts

    def ended(self, clues: pa.Table, moment: datetime) -> Mask:
        """Per row of `clues` (clue_id) whether a decision, a case or none, was known before then.

        The answer for a table is kept until more is admitted: an index asks about the same one.
        """
        self._newest()
        settled = moment > self._latest
        kept = self._ended.get(id(clues))
        if settled and kept is not None and kept[0] is clues and kept[1] == self._version:
            return kept[2]
        rows = self._known(moment)
        decided = rows.filter(pc.is_valid(rows["became_case"]))["clue_id"].combine_chunks()
        ended = np.asarray(pc.is_in(clues["clue_id"], decided).to_numpy(), bool)
        if settled:
            if len(self._ended) >= TABLES_KEPT:
                self._ended.clear()
            self._ended[id(clues)] = (clues, self._version, ended)
        return ended

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
                rows = records.arrow(OUTCOMES, COLUMNS)
                self._latest = _latest(rows)
                self._rows, self._version = rows, records.versions[OUTCOMES]
        return self._rows


def _latest(rows: pa.Table) -> datetime:
    times = (pc.max(rows[name]).as_py() for name in ("happened_at", "known_at", "retracted_at"))
    return max((each for each in times if each is not None), default=datetime.min)
