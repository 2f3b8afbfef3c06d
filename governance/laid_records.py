"""Records of one record set by their numbers: a few out of millions, found at once.

The files of a version are laid beside (governance/laid.py), the columns of the contract only, in
blocks of which the lowest and the highest number are known. Files that a table no longer has leave
the folder when a newer version is laid, and when retention removes records.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from governance.laid import keep_only, laid_name, mapped

ROWS_IN_A_BLOCK = 16_384
FOLDER = "records"


class LaidRecords:
    """Of one version of one record set; never changes, so any number of threads may ask."""

    def __init__(
        self, files: Sequence[str], schema: pa.Schema, folder: Path, known: LaidRecords | None
    ) -> None:
        """Lay down the `columns` of what `known` (an earlier version) has not. Raises OSError."""
        self.columns = frozenset(schema.names)
        before = known.tables if known is not None and known.columns == self.columns else {}
        self.tables: dict[str, pa.Table] = {
            name: before[name] if name in before else mapped(name, schema, folder, ROWS_IN_A_BLOCK)
            for name in files
        }
        keep_only(folder, {laid_name(name, schema) for name in files})
        self._blocks = [
            block for table in self.tables.values() for block in table.to_batches() if len(block)
        ]
        numbers = [_numbers(block) for block in self._blocks]
        self._low = np.array([each.min() for each in numbers], np.int64)
        self._high = np.array([each.max() for each in numbers], np.int64)

    def rows(
        self, numbers: Collection[int], columns: Sequence[str], limit: int
    ) -> list[tuple[Any, ...]]:
        """`columns` of the records that there are among `numbers`, by number, at most `limit`; a
        column that rows are not stored with is missing."""
        found: list[tuple[Any, ...]] = []
        for number in sorted(set(numbers)):
            if len(found) >= limit:
                break
            found += self._row(number, columns)
        return found

    def _row(self, number: int, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        for at in np.flatnonzero((self._low <= number) & (number <= self._high)).tolist():
            block = self._blocks[at]
            places = np.flatnonzero(_numbers(block) == number)
            if len(places):
                place = int(places[0])
                return [
                    tuple(
                        block.column(name)[place].as_py() if name in self.columns else None
                        for name in columns
                    )
                ]
        return []


def _numbers(block: pa.RecordBatch) -> npt.NDArray[np.int64]:
    return np.asarray(block.column("record_no").to_numpy(zero_copy_only=False), np.int64)
