"""One grouping swept: each aggregate over each window, for every clue that has the key.

Results are arrays in the caller's row order; clues without a key stay missing, never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from base.errors import Refused
from features import kernel
from features.definition import Feature
from features.slices import MICROS_PER_DAY, Ints, Slices

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
GREATEST_SUM = 2**62
RECORDS_WORTH_A_THREAD = 50_000


class Sweep:
    """The aggregates of one grouping; what several features need is computed once."""

    def __init__(self, slices: Slices, clues: pa.Table, threads: int) -> None:
        self.slices, self.clues, self.threads = slices, clues, threads
        self._value = lru_cache(maxsize=None)(self._value_of)
        self._summable = lru_cache(maxsize=None)(self._summable_of)
        self._codes = lru_cache(maxsize=None)(self._codes_of)
        self._following = lru_cache(maxsize=None)(self._following_of)
        self._counted = lru_cache(maxsize=None)(self._count_and_sum)
        self._greatest = lru_cache(maxsize=None)(self._greatest_of)

    def column(self, feature: Feature) -> pa.Array:
        """A feature's values, one per clue: float64, or strings for a category; null = missing."""
        kinds: dict[str, Callable[[Feature], pa.Array]] = {
            "count": lambda f: self._placed(self._counted(None, f.window_days)[0]),
            "exists": lambda f: self._placed(self._counted(None, f.window_days)[0] > 0),
            "sum": lambda f: self._placed(self._counted(f.column, f.window_days)[1]),
            "mean": self._mean,
            "min": self._extreme,
            "max": self._extreme,
            "last": self._last,
            "days_since_last": self._days_since_last,
            "distinct": self._distinct,
            "rank": self._rank,
        }
        return kinds[feature.kind](feature)

    def columns(self, features: Sequence[Feature]) -> dict[str, pa.Array]:
        """All of `features`, several at a time where the records are worth a thread.

        Threads take a feature each, not a run of keys: one hot key would keep the others waiting.
        """
        for window in {feature.window_days for feature in features}:
            self.slices.leave(window)
        if self.threads <= 1 or len(self.slices.entry) < RECORDS_WORTH_A_THREAD:
            return {feature.name: self.column(feature) for feature in features}
        for column in {str(f.column) for f in features if f.kind in ("sum", "mean", "min", "max")}:
            self._value(column)
        for column in {str(f.column) for f in features if f.kind == "distinct"}:
            self._following(column)
        with ThreadPoolExecutor(self.threads) as pool:
            found = pool.map(self.column, features)
            return dict(zip((feature.name for feature in features), found, strict=True))

    def counts(self, computed: str | None, window_days: int | None) -> tuple[Ints, Ints]:
        """Per clue row: active records, and those for which the 0/1 column `computed` is 1.

        Clues without a key have none of either.
        """
        count, total = self._counted(computed, window_days)
        spread = np.zeros((2, self.clues.num_rows), np.int64)
        spread[:, self.slices.clue_at] = count, total
        return spread[0], spread[1]

    def _mean(self, feature: Feature) -> pa.Array:
        count, total = self._counted(feature.column, feature.window_days)
        with np.errstate(invalid="ignore"):
            return self._placed(total / np.where(count > 0, count, np.nan))

    def _extreme(self, feature: Feature) -> pa.Array:
        found = self._greatest(feature.column, feature.window_days, feature.kind == "min")
        values, _ = self._value(feature.column)
        return self._gathered(found, values)

    def _last(self, feature: Feature) -> pa.Array:
        found = self._greatest(None, feature.window_days, False)
        given = self._given(str(feature.column))
        if feature.type == "numeric":
            column = given.cast(pa.float64(), safe=False)  # the nearest, beyond 2^53
            # A null becomes NaN: the last state may be unknown.
            return self._gathered(found, column.to_numpy(zero_copy_only=False))
        texts = given.cast(pa.string())
        spread = np.full(self.clues.num_rows, -1, np.int64)
        spread[self.slices.clue_at] = found
        return texts.take(pa.array(spread, mask=spread < 0))

    def _days_since_last(self, feature: Feature) -> pa.Array:
        found = self._greatest(None, feature.window_days, False)
        if len(self.slices.happened) == 0:
            return self._placed(np.full(len(found), np.nan))
        days = (self.slices.moment - self.slices.happened[found]) // MICROS_PER_DAY
        return self._placed(np.where(found >= 0, days, np.nan))

    def _distinct(self, feature: Feature) -> pa.Array:
        column = str(feature.column)
        code, codes = self._codes(column)
        leave, s = self.slices.leave(feature.window_days), self.slices
        count = np.zeros(len(s.moment), np.int64)

        kernel.distinct(
            s.entry,
            leave,
            code,
            codes,
            self._enters,
            self._following(column),
            s.first,
            s.last,
            s.lead,
            s.tail,
            s.moment,
            count,
        )
        return self._placed(count)

    def _rank(self, feature: Feature) -> pa.Array:
        """Share of active records whose value lies below the clue's own; missing without either."""
        s = self.slices
        values, counted = self._value(str(feature.column))
        given = finite(self.clues[str(feature.of)].combine_chunks(), f"the clue's {feature.of}")
        exact = values.dtype == np.int64 and pa.types.is_integer(given.type)
        own = given.cast(pa.int64() if exact else pa.float64(), safe=False).fill_null(0)
        asked = given.is_valid().to_numpy(zero_copy_only=False)[s.clue_at]
        place, own_place = _places(
            values if exact else values.astype(np.float64),
            counted,
            own.to_numpy(zero_copy_only=False)[s.clue_at],
            s,
        )
        leave = s.leave(feature.window_days)
        lower, count = np.zeros((2, len(s.moment)), np.int64)

        kernel.below(
            s.entry,
            leave,
            place,
            counted,
            own_place,
            s.first,
            s.last,
            s.lead,
            s.tail,
            s.moment,
            lower,
            count,
        )
        known = (count > 0) & asked
        return self._placed(np.where(known, lower / np.maximum(count, 1), np.nan))

    def _count_and_sum(self, column: str | None, window_days: int | None) -> tuple[Ints, Ints]:
        s, leave = self.slices, self.slices.leave(window_days)
        values, counted = self._summable(column) if column else (s.entry, self._all)
        count, total = np.zeros((2, len(s.moment)), np.int64)

        kernel.count_and_sum(
            s.entry,
            leave,
            values,
            counted,
            s.first,
            s.last,
            s.lead,
            s.tail,
            s.moment,
            count,
            total,
        )
        return count, total

    def _greatest_of(self, column: str | None, window_days: int | None, least: bool) -> Ints:
        s, leave = self.slices, self.slices.leave(window_days)
        values, counted = self._value(column) if column else (s.happened, self._all)
        if least:
            values = np.negative(values)
        found = np.full(len(s.moment), -1, np.int64)

        kernel.greatest(
            s.entry,
            leave,
            values,
            counted,
            s.first,
            s.last,
            s.lead,
            s.tail,
            s.moment,
            found,
        )
        return found

    def _given(self, column: str) -> pa.Array:
        return finite(self.slices.records[column].combine_chunks(), column)

    def _value_of(self, column: str) -> tuple[npt.NDArray[np.generic], Flags]:
        """A numeric column and where it has a value; int64 stays int64, all else is float64."""
        given = self._given(column)
        counted = given.is_valid().to_numpy(zero_copy_only=False)
        exact = pa.types.is_integer(given.type) or pa.types.is_boolean(given.type)
        kind = pa.int64() if exact else pa.float64()
        values = given.cast(kind).fill_null(0).to_numpy(zero_copy_only=False)
        return np.ascontiguousarray(values), np.ascontiguousarray(counted)

    def _summable_of(self, column: str) -> tuple[Ints, Flags]:
        values, counted = self._value(column)
        return _addable(values, counted, column), counted

    def _codes_of(self, column: str) -> tuple[Ints, int]:
        """A column's values as numbers 0, 1, ... (-1: none), and how many there are."""
        given = self._given(column)
        if pa.types.is_floating(given.type):
            given = pc.add(given, 0.0)  # -0.0 and 0.0 are one value
        encoded = given.dictionary_encode()
        code = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        return code, max(1, len(encoded.dictionary))

    def _following_of(self, column: str) -> npt.NDArray[np.int32]:
        code, codes = self._codes(column)
        following = np.empty(len(code), np.int32)
        kernel.next_alike(code, codes, self.slices.first, self.slices.last, following)
        return following

    @cached_property
    def _enters(self) -> npt.NDArray[np.int32]:
        s = self.slices
        enters = np.empty(len(s.entry), np.int32)
        kernel.entering(s.entry, s.first, s.last, s.lead, s.tail, s.moment, enters)
        return enters

    @cached_property
    def _all(self) -> Flags:
        return np.ones(len(self.slices.entry), np.bool_)

    def _gathered(self, found: Ints, values: npt.NDArray[np.generic]) -> pa.Array:
        if len(values) == 0:
            return self._placed(np.full(len(found), np.nan))
        return self._placed(np.where(found >= 0, values[found].astype(np.float64), np.nan))

    def _placed(self, values: npt.NDArray[np.generic]) -> pa.Array:
        """Values of the sorted clues back in the caller's rows, as float64 with nulls."""
        spread = np.full(self.clues.num_rows, np.nan)
        spread[self.slices.clue_at] = values
        return pa.array(spread, from_pandas=True)


def finite(values: pa.Array, column: str) -> pa.Array:
    """`values`, none of which is NaN or infinite: engines compare those each in their own way.

    Contracts quarantine such values, so that they come only from tables that bypassed intake, or
    from a `transformLogic`. Raises Refused with how many there are.
    """
    if not pa.types.is_floating(values.type):
        return values
    bad = pc.sum(pc.invert(pc.is_finite(values))).as_py() or 0
    if bad:
        raise Refused(
            wanted=f"finite numbers in {column} to compare",
            got=f"NaN or infinite in {bad} of {len(values)}",
            cure="leave the value empty where it is not known, at the source or in transformLogic",
        )
    return values


def _addable(values: npt.NDArray[np.generic], counted: Flags, column: str) -> Ints:
    """Integers whose sum cannot overflow, whatever subset is active."""
    if values.dtype != np.int64:
        raise Refused(
            wanted=f"whole numbers in {column} to add up",
            got=str(values.dtype),
            cure="declare the column as integer (cents)",
        )
    size = np.abs(values[counted].astype(np.float64)).sum()
    if size >= GREATEST_SUM:
        raise Refused(
            wanted=f"sums of {column} below 2^62",
            got=f"up to {size:.3g}",
            cure="look for a wrong unit in the source, and bound the column in its contract",
        )
    return values.astype(np.int64, copy=False)


def _places(
    values: npt.NDArray[np.generic], counted: Flags, own: npt.NDArray[np.generic], s: Slices
) -> tuple[Ints, Ints]:
    """Each record's place among its key's values (from 1); how many lie below each own value."""
    place = np.ones(len(values), np.int64)
    own_place = np.zeros(len(own), np.int64)
    for k in range(len(s.first)):
        rows = slice(int(s.first[k]), int(s.last[k]))
        ordered = np.sort(values[rows][counted[rows]])
        place[rows] = np.searchsorted(ordered, values[rows], side="left") + 1
        asking = slice(int(s.lead[k]), int(s.tail[k]))
        own_place[asking] = np.searchsorted(ordered, own[asking], side="left")
    return place, own_place
