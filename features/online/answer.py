"""One grouping asked about one clue: the features' values, from all segments together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.definition import Feature
from features.online import kernel
from features.online.plan import Kept, hit_name, key_text
from features.online.segment import Segment, key_digest
from features.slices import MICROS_PER_DAY
from features.sweep import finite

Ints = npt.NDArray[np.int64]
Value = float | str | None
FROM_THE_START = np.iinfo(np.int64).min
Totals = tuple[list[int], list[Any], list[Any], list[Any]]


@dataclass(frozen=True)
class History:
    """One grouping as the store holds it: its segments, and the words behind its codes."""

    kept: Kept
    segments: tuple[Segment, ...]
    codebooks: dict[str, pa.Array]

    def ask(self, clue: dict[str, Any], moment_us: int) -> Answer | None:
        """The records of the clue's key; None where the key is missing."""
        text = key_text(self.kept.grouping, clue)
        if text is None:
            return None
        wanted = text.encode()
        digest = np.uint64(key_digest(wanted))
        sinces = moment_us - self._reach
        sinces[self._endless] = FROM_THE_START
        parts = []
        for segment in self.segments:
            key = segment.find(wanted, digest)
            if key >= 0:
                parts.append(_Part.of(segment, key, moment_us, sinces))
        return Answer(self, parts, clue, moment_us)

    @cached_property
    def place(self) -> dict[int | None, int]:
        """Where each window stands in the kernel's answers."""
        return {window: at for at, window in enumerate(self.kept.windows)}

    @cached_property
    def _reach(self) -> Ints:
        return np.array([(days or 0) * MICROS_PER_DAY for days in self.kept.windows], np.int64)

    @cached_property
    def _endless(self) -> npt.NDArray[np.bool_]:
        return np.array([days is None for days in self.kept.windows], np.bool_)


@dataclass(frozen=True)
class _Part:
    """What counts of one key in one segment, for each window: whole tiles, and single rows."""

    segment: Segment
    tiles: Ints
    tile_cut: Ints
    rows: Ints
    row_cut: Ints

    @classmethod
    def of(cls, segment: Segment, key: int, moment: int, sinces: Ints) -> _Part:
        base, held = segment.base, segment.tiles
        return cls(
            segment,
            *kernel.counting(
                base["entry"], base["happened"], base["first"], key, held["tile"],
                held["tile_low"], held["tile_high"], held["odd_at"], held["odd_until"],
                moment, sinces,
            ),
        )  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """Values of features at one moment; what several features need is found once."""

    history: History
    parts: list[_Part]
    clue: dict[str, Any]
    moment: int
    _found: dict[tuple[str, str], Any] = field(default_factory=dict)

    def value(self, feature: Feature) -> Value:
        """A feature's value as the batch engine gives it; None = missing."""
        return KINDS[feature.kind](self, feature, self.history.place[feature.window_days])

    def count(self, window_days: int | None) -> int:
        """Records that count."""
        return self._counts[self.history.place[window_days]]

    def hits(self, numerator: str, window_days: int | None) -> int:
        """Of these, those in the numerator."""
        _, total, _, _ = self._totals(hit_name(self.history.kept, numerator))
        return int(total[self.history.place[window_days]])

    def sum(self, feature: Feature, window: int) -> Value:
        """Exact: the column is whole, and its size was bounded when it was taken in."""
        return float(self._totals(str(feature.column))[1][window])

    def mean(self, feature: Feature, window: int) -> Value:
        """None over no value."""
        count, total, _, _ = self._totals(str(feature.column))
        return float(total[window]) / count[window] if count[window] else None

    def least(self, feature: Feature, window: int) -> Value:
        """None over no value."""
        count, _, least, _ = self._totals(str(feature.column))
        return float(least[window]) if count[window] else None

    def most(self, feature: Feature, window: int) -> Value:
        """None over no value."""
        count, _, _, most = self._totals(str(feature.column))
        return float(most[window]) if count[window] else None

    def last(self, feature: Feature, window: int) -> Value:
        """The state as of the moment; None where it is unknown."""
        found, column = self._latest[window], str(feature.column)
        if found is None:
            return None
        segment, row = found
        if feature.type == "numeric":
            known = segment.base[f"valid {column}"][row]
            return float(segment.base[f"value {column}"][row]) if known else None
        code = int(segment.base[f"code {column}"][row])
        word = None if code < 0 else self.history.codebooks[column][code]
        return None if word is None else word.cast(pa.string()).as_py()

    def days_since_last(self, _: Feature, window: int) -> Value:
        """Whole days."""
        found = self._latest[window]
        if found is None:
            return None
        segment, row = found
        return float((self.moment - int(segment.base["happened"][row])) // MICROS_PER_DAY)

    def distinct(self, feature: Feature, window: int) -> Value:
        """Exact, by a bit for each word of the codebook."""
        return float(self._distinct(str(feature.column))[window])

    def rank(self, feature: Feature, window: int) -> Value:
        """Share of values below the clue's own; None without either."""
        own = self.clue[str(feature.of)]
        if own is None:
            return None
        lower, count = self._below(str(feature.column), _comparable(own, str(feature.of)))
        return lower[window] / count[window] if count[window] else None

    @cached_property
    def _counts(self) -> list[int]:
        count = np.zeros(len(self.history.kept.windows), np.int64)
        for part in self.parts:
            tile_rows = part.segment.tiles["tile_rows"]
            kernel.counted(part.tiles, part.tile_cut, part.row_cut, tile_rows, count)
        return count.tolist()

    def _totals(self, name: str) -> Totals:
        """Of the records with a value, per window: how many, their sum, least and greatest."""
        if ("totals", name) not in self._found:
            value = f"value {name}"
            kind = self.parts[0].segment.base[value].dtype if self.parts else np.int64
            count = np.zeros(len(self.history.kept.windows), np.int64)
            total, least, most = np.zeros((3, len(count)), kind)
            for part in self.parts:
                base, held = part.segment.base, part.segment.tiles
                kernel.totals(
                    part.tiles, part.tile_cut, part.rows, part.row_cut,
                    base[value], base[f"valid {name}"],
                    held[f"n {name}"], held[f"sum {name}"],
                    held[f"min {name}"], held[f"max {name}"],
                    count, total, least, most,
                )  # fmt: skip
            told = count.tolist(), total.tolist(), least.tolist(), most.tolist()
            self._found["totals", name] = told
        return self._found["totals", name]

    @cached_property
    def _latest(self) -> list[tuple[Segment, int] | None]:
        """The record that happened last; of equals the one that entered last, then by number."""
        windows = len(self.history.kept.windows)
        found: list[tuple[Segment, int] | None] = [None] * windows
        order: list[tuple[int, int, int]] = [(0, 0, 0)] * windows
        best = np.empty(windows, np.int64)
        for part in self.parts:
            base, last = part.segment.base, part.segment.tiles["tile_last"]
            kernel.latest(
                part.tiles, part.tile_cut, part.rows, part.row_cut, base["happened"], last, best
            )
            for window, row in enumerate(best.tolist()):
                if row >= 0:
                    at = base["happened"][row], base["entry"][row], base["record_no"][row]
                    if found[window] is None or at > order[window]:
                        found[window], order[window] = (part.segment, row), at
        return found

    def _distinct(self, column: str) -> list[int]:
        if ("distinct", column) not in self._found:
            count = np.zeros(len(self.history.kept.windows), np.int64)
            words = len(self.history.codebooks[column]) // 64 + 1
            seen = np.zeros((len(count), words), np.uint64)
            for part in self.parts:
                held = part.segment.tiles
                kernel.mark(
                    part.tiles, part.tile_cut, part.rows, part.row_cut,
                    part.segment.base[f"code {column}"],
                    held[f"tile_first {column}"], held[f"tile_codes {column}"],
                    held[f"group_first {column}"], held[f"group_codes {column}"], seen,
                )  # fmt: skip
            kernel.ones(seen, count)
            self._found["distinct", column] = count.tolist()
        return self._found["distinct", column]

    def _below(self, column: str, own: float) -> tuple[list[int], list[int]]:
        asked = "below", f"{column} {own}"
        if asked not in self._found:
            lower, count = np.zeros((2, len(self.history.kept.windows)), np.int64)
            for part in self.parts:
                base, held = part.segment.base, part.segment.tiles
                kernel.below(
                    part.tiles, part.tile_cut, part.rows, part.row_cut,
                    base[f"value {column}"], base[f"valid {column}"], own,
                    base[f"ordered {column}"], base[f"ordered_n {column}"],
                    held["tile_begin"], held["odd_at"], lower, count,
                )  # fmt: skip
            self._found[asked] = lower.tolist(), count.tolist()
        return self._found[asked]


def _comparable(own: Any, column: str) -> float | int:
    """Whole numbers are compared as such, beyond 2^53 too. Raises Refused for NaN or infinity."""
    if isinstance(own, int):
        return int(own)
    finite(pa.array([own], pa.float64()), f"the clue's {column}")
    return float(own)


KINDS: dict[str, Callable[[Answer, Feature, int], Value]] = {
    "count": lambda answer, feature, _: float(answer.count(feature.window_days)),
    "exists": lambda answer, feature, _: float(answer.count(feature.window_days) > 0),
    "sum": Answer.sum,
    "mean": Answer.mean,
    "min": Answer.least,
    "max": Answer.most,
    "last": Answer.last,
    "days_since_last": Answer.days_since_last,
    "distinct": Answer.distinct,
    "rank": Answer.rank,
}
