"""Drift: how far what is scored now differs from what a scorer learned from, feature by feature.

Population stability index: the sum over bins of (now - then) · ln(now / then), with half a clue
added to each bin, so that an empty one is no infinity. Bins are tenths of the training rows for a
number, values for a category; missing is a bin of its own. Below 0.1 nothing has moved; above 0.25
the scorer sees other clues than it learned from (thresholds as credit scoring uses them).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.bundle import ScoredFeature

Floats = npt.NDArray[np.float64]
BINS = 10
STEADY, MOVED = 0.1, 0.25


@dataclass(frozen=True)
class Reference:
    """How training rows fell into the bins of one feature. `edges`: inner ones, ascending;
    `values`: of a category, in the order of their bins. The last bin is what is missing, the one
    before it (of a category) any other value."""

    name: str
    edges: Floats | None
    values: tuple[str, ...]
    counts: Floats

    def count(self, given: Sequence[Any]) -> Floats:
        """Values of now in the same bins, (bins,)."""
        if self.edges is None:
            return _by_value(given, self.values)
        return _by_edge(given, self.edges)

    def index(self, given: Sequence[Any]) -> float:
        """The population stability index of `given` against the training rows."""
        return stability_index(self.counts, self.count(given))


@dataclass(frozen=True)
class ScoreReference:
    """How the margins of training rows fell into tenths. `edges`: inner ones, ascending."""

    edges: Floats
    counts: Floats

    def index(self, margins: Sequence[float]) -> float:
        """The population stability index of margins of now against the training rows."""
        return stability_index(self.counts, _by_edge(margins, self.edges))


def score_reference(margins: Sequence[float]) -> ScoreReference:
    """The bins of a scorer from the margins that it gives to training rows."""
    edges = np.unique(np.quantile(np.array(margins, np.float64), np.arange(1, BINS) / BINS))
    return ScoreReference(edges, _by_edge(margins, edges))


def reference_of(feature: ScoredFeature, given: Sequence[Any]) -> Reference:
    """The bins of a feature from its training rows (None = missing)."""
    if feature.type == "category":
        values = tuple(feature.categories)
        return Reference(feature.name, None, values, _by_value(given, values))
    known = np.array([value for value in given if value is not None], np.float64)
    known = known[~np.isnan(known)]
    shares = np.arange(1, BINS) / BINS
    edges = np.unique(np.quantile(known, shares)) if len(known) else np.empty(0)
    return Reference(feature.name, edges, (), _by_edge(given, edges))


def stability_index(then: Floats, now: Floats) -> float:
    """Of two countings of the same bins, (bins,) each; 0 where they have the same shares."""
    shares = [(counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (then, now)]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def in_words(index: float) -> str:
    """steady, moving or moved."""
    return "steady" if index < STEADY else "moving" if index < MOVED else "moved"


def _by_edge(given: Sequence[Any], edges: Floats) -> Floats:
    values = np.array([np.nan if value is None else value for value in given], np.float64)
    missing = np.isnan(values)
    places = np.searchsorted(edges, values[~missing], side="right")
    counts = np.bincount(places, minlength=len(edges) + 1).astype(np.float64)
    return np.append(counts, missing.sum())


def _by_value(given: Sequence[Any], values: tuple[str, ...]) -> Floats:
    seen = Counter(given)
    known = [float(seen.get(value, 0)) for value in values]
    missing = float(seen.get(None, 0))
    return np.array([*known, len(given) - sum(known) - missing, missing])
