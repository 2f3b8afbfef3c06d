"""Quotes in csv lines: which separators they hide, and values that go on over several lines.

A quote may open a value, close it, or stand doubled inside one; anywhere else the line is not csv
and nobody can say what was meant. A value with line breaks is taken only where it closes properly,
the whole has the right number of values, and no line inside it would be a row of its own: a
forgotten quote must not swallow rows.
"""

from __future__ import annotations

import csv
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
MOST_LINES, MOST_BYTES = 1_000, 1 << 20
FOLLOWS = np.frombuffer(b',\n\r"', np.uint8)
PRECEDES = np.frombuffer(b',"', np.uint8)


class Quotes:
    """The quotes of a block whose every line ends in LF."""

    def __init__(self, data: bytes, starts: Ints, ends: Ints, commas: Ints, columns: int) -> None:
        self.data, self.starts, self.ends, self.columns = data, starts, ends, columns
        self.bytes = np.frombuffer(data, np.uint8)
        self.at = np.flatnonzero(self.bytes == 34)
        self.first = np.searchsorted(self.at, starts)
        self.after = np.searchsorted(self.at, ends)
        self.commas = commas

    def holds(self, positions: Ints) -> npt.NDArray[np.bool_]:
        """Whether each position stands between quotes of its own line."""
        line = np.searchsorted(self.ends, positions)
        return ((np.searchsorted(self.at, positions) - self.first[line]) & 1).astype(bool)

    @cached_property
    def separators(self) -> Ints:
        """Commas outside quotes, of each line by itself."""
        outside = self.commas[~self.holds(self.commas)]
        return np.searchsorted(outside, self.ends) - np.searchsorted(outside, self.starts)

    @cached_property
    def well_placed(self) -> npt.NDArray[np.bool_]:
        """Whether each quote stands where a quote may, seen from the beginning of its own line."""
        line = np.searchsorted(self.ends, self.at)
        closing = ((np.arange(len(self.at)) - self.first[line]) & 1).astype(bool)
        before = self.bytes[np.maximum(self.at - 1, 0)]
        at_start = self.at == self.starts[line]
        opens = at_start | np.isin(before, PRECEDES)
        return np.where(closing, np.isin(self.bytes[self.at + 1], FOLLOWS), opens)

    def join(
        self, kinds: npt.NDArray[np.int8], refused: int, *, last: bool
    ) -> tuple[npt.NDArray[np.bool_], int]:
        """Mark lines with misplaced quotes in `kinds`, join those that go on.

        Returns which lines belong to the line before, and the first line that must wait for the
        next block. Within a joined row only its own grammar counts, which `_closes` has followed.
        """
        joined = np.zeros(len(self.ends), bool)
        misplaced = np.searchsorted(self.ends, self.at[~self.well_placed])
        odd = ((self.after - self.first) & 1).astype(bool)
        kinds[misplaced] = refused
        odd[misplaced] = False
        done = 0
        for line in np.flatnonzero(odd).tolist():
            if line < done:
                continue
            end = self._closes(line)
            if end is None and not last and self._may_wait(line):
                return joined, line
            if end is None or not self._is_one_row(line, end):
                kinds[line] = refused
                continue
            kinds[line : end + 1] = 0
            joined[line + 1 : end + 1] = True
            done = end + 1
        return joined, len(self.ends)

    def _closes(self, line: int) -> int | None:
        """The line at whose end a value opened on `line` is closed again; None if on none."""
        quote, inside = int(self.after[line]), True
        while quote < len(self.at):
            at = int(self.at[quote])
            end = int(np.searchsorted(self.ends, at))
            if end - line > MOST_LINES or at - self.starts[line] > MOST_BYTES:
                return None
            following = self.bytes[at + 1]
            if inside and following == 34:
                quote += 2
                continue
            good = following in FOLLOWS if inside else self.bytes[at - 1] == 44
            if not good:
                return None
            inside, quote = not inside, quote + 1
            if not inside and (quote == len(self.at) or self.at[quote] > self.ends[end]):
                return end
        return None

    def _may_wait(self, line: int) -> bool:
        """Whether the rest of the block could be one value that goes on."""
        few = len(self.ends) - line <= MOST_LINES
        return few and len(self.data) - int(self.starts[line]) <= MOST_BYTES

    def _is_one_row(self, line: int, end: int) -> bool:
        inner = self.separators[line + 1 : end]
        if self.columns > 1 and bool((inner == self.columns - 1).any()):
            return False
        text = self.data[self.starts[line] : self.ends[end]].decode("utf-8", "replace")
        try:
            rows = list(csv.reader([text], strict=True))
        except csv.Error:
            return False
        return len(rows) == 1 and len(rows[0]) == self.columns
