"""Drift: how far what comes in now differs from what a scorer learned from, feature by feature.

Population stability index: the sum over bins of (now - then) · ln(now / then), with half a clue
added to each bin, so that an empty one is no infinity. Bins are tenths of the training rows for a
number, values for a category; missing is a bin of its own. Below 0.1 nothing has moved; above 0.25
the scorer sees other clues than it learned from (thresholds as credit scoring uses them).

Both bounds are for what is steady. What they cannot know is told beside the index as `usual`: what
chance alone shows on so few clues (drawn from the shares of then), or twice as far as any stretch
of the training rows as long as that of now lay from all the others. A level that all clues of a
month have in common is another in every year: it has moved where it went clearly further than it
went while the scorer learned (three years are three such stretches: the next may well be the
furthest of four), or where it went far outside of all training rows, of which no stretch can speak.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.bundle import ScoredFeature

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
BINS = 10
STEADY, MOVED = 0.1, 0.25
# A steady feature lies further off in one of so many draws.
DRAWS, SEED = 1_000, 20261126
# How much further than any stretch is still usual.
FURTHER = 2.0
# From such a share of values on that are far outside of all training rows, chance alone is usual.
UNSEEN = 0.05
# A stretch begins every such part of its length; of more than so many, every second one is taken.
PARTS, MOST_STRETCHES = 4, 48


@dataclass(frozen=True)
class Drift:
    """`index`: of now against the training rows. `usual`: as far as it lies apart by chance, or
    twice as far as it lay among the training rows themselves."""

    index: float
    usual: float

    @property
    def state(self) -> str:
        """steady, moving or moved."""
        if self.index < STEADY:
            return "steady"
        return "moved" if self.index >= MOVED and self.index > self.usual else "moving"

    def beyond(self, bound: float) -> bool:
        """Further off than a bound, and than is usual."""
        return self.index > max(bound, self.usual)


@dataclass(frozen=True)
class Reference:
    """How training rows fell into bins. `edges`: inner ones of a number, ascending; `values`: of a
    category, in the order of their bins; `places` (n,): the bin of each row; `span`: the range of
    a number with as much again on either side. The last bin is what is missing, the one before it
    (of a category) any other value."""

    edges: Floats | None
    values: tuple[str, ...]
    places: Ints
    span: tuple[float, float] = (-np.inf, np.inf)

    @property
    def bins(self) -> int:
        return (len(self.values) if self.edges is None else len(self.edges)) + 2

    @property
    def counts(self) -> Floats:
        """(bins,)."""
        return self._counted(self.places)

    def count(self, given: Sequence[Any]) -> Floats:
        """Values of now in the same bins, (bins,)."""
        return self._counted(self._places(given))

    def index(self, given: Sequence[Any]) -> float:
        """The population stability index of `given` against the training rows."""
        return stability_index(self.counts, self.count(given))

    def drift(self, given: Sequence[Any], stretches: Sequence[Bools] = ()) -> Drift:
        """The same beside what is usual; `stretches`: of the training rows (`stretches_of`)."""
        now = self.count(given)
        usual = by_chance(self.counts, now)
        for stretch in stretches if self.unseen(given) < UNSEEN else ():
            inside = self._counted(self.places[stretch])
            usual = max(usual, FURTHER * stability_index(self.counts - inside, inside))
        return Drift(stability_index(self.counts, now), usual)

    def unseen(self, given: Sequence[Any]) -> float:
        """The share of values that no training row has; of a number, far outside of all theirs."""
        if self.edges is None:
            return float((_by_value(given, self.values) == len(self.values)).mean())
        values = _numbers(given)
        return float(((values < self.span[0]) | (values > self.span[1])).mean())

    def _counted(self, places: Ints) -> Floats:
        return np.bincount(places, minlength=self.bins).astype(np.float64)

    def _places(self, given: Sequence[Any]) -> Ints:
        if self.edges is None:
            return _by_value(given, self.values)
        return _by_edge(given, self.edges)


def score_reference(margins: Sequence[float]) -> Reference:
    """The bins of a scorer from the margins that it gives to training rows."""
    return _of_numbers(margins)


def reference_of(feature: ScoredFeature, given: Sequence[Any]) -> Reference:
    """The bins of a feature from its training rows (None = missing)."""
    if feature.type != "category":
        return _of_numbers(given)
    values = tuple(sorted({str(value) for value in given if value is not None}))
    return Reference(None, values, _by_value(given, values))


def stretches_of(moments: Ints, span: int) -> list[Bools]:
    """Stretches of training rows, each of `span` (both in microseconds) or of half of all where
    that is shorter, as masks (n,); none where all rows are of one moment."""
    if len(moments) == 0 or moments.min() == moments.max():
        return []
    first, last = int(moments.min()), int(moments.max()) + 1
    length = min(max(span, 1), -(-(last - first) // 2))
    starts = range(first, last - length + 1, max(1, length // PARTS))
    while len(starts) > MOST_STRETCHES:
        starts = starts[::2]
    # The newest rows are one, too, where steps do not end on them.
    found = [(moments >= start) & (moments < start + length) for start in {*starts, last - length}]
    return [each for each in found if each.any() and not each.all()]


def by_chance(then: Floats, now: Floats) -> float:
    """The index that two samples of these sizes of one population hardly exceed, (bins,) each: the
    largest of many drawn."""
    if then.sum() == 0 or now.sum() == 0:
        return 0.0
    draw, shares = np.random.default_rng(SEED), then / then.sum()
    drawn = (draw.multinomial(int(counts.sum()), shares, DRAWS) for counts in (then, now))
    return float(_indices(*(each.astype(np.float64) for each in drawn)).max())


def stability_index(then: Floats, now: Floats) -> float:
    """Of two countings of the same bins, (bins,) each; 0 where they have the same shares."""
    return float(_indices(then, now))


def _indices(then: Floats, now: Floats) -> Floats:
    """Along the last axis, (..., bins) each."""
    bins = then.shape[-1]
    before, after = (
        (counts + 0.5) / (counts.sum(axis=-1, keepdims=True) + 0.5 * bins) for counts in (then, now)
    )
    return np.asarray(((after - before) * np.log(after / before)).sum(axis=-1), np.float64)


def _of_numbers(given: Sequence[Any]) -> Reference:
    known = _numbers(given)
    known = known[~np.isnan(known)]
    if len(known) == 0:
        return Reference(np.empty(0), (), _by_edge(given, np.empty(0)))
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
    least, largest = float(known.min()), float(known.max())
    span = (2 * least - largest, 2 * largest - least)
    return Reference(edges, (), _by_edge(given, edges), span)


def _numbers(given: Sequence[Any]) -> Floats:
    return np.array([np.nan if value is None else value for value in given], np.float64)


def _by_edge(given: Sequence[Any], edges: Floats) -> Ints:
    values = _numbers(given)
    places = np.searchsorted(edges, values, side="right")
    return np.where(np.isnan(values), len(edges) + 1, places).astype(np.int64)


def _by_value(given: Sequence[Any], values: tuple[str, ...]) -> Ints:
    at = {value: place for place, value in enumerate(values)}
    other, missing = len(values), len(values) + 1
    places = [missing if value is None else at.get(str(value), other) for value in given]
    return np.array(places, np.int64)
