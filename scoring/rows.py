"""Scores of rows of plain values: what a scorer says of the same rows as a table.

A request brings one clue; making it a table first takes many times as long as scoring it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from base.errors import Fault, Refused
from scoring.explanation import Explanation
from scoring.matrix import RARELY_MISSING
from scoring.scorer import Scorer, Scores

Floats = npt.NDArray[np.float64]
Value = float | str | None


@dataclass(frozen=True)
class ScoredRows:
    """Parallel to the rows given. `values`: each row in the manifest's order."""

    digest: str
    scores: Scores
    explanation: Explanation
    values: list[list[Value]]
    matrix: Floats


class RowScorer:
    """One scorer, told in which order the rows' features come."""

    def __init__(self, scorer: Scorer, names: Sequence[str]) -> None:
        self.scorer = scorer
        features = scorer.manifest.features
        place = {name: at for at, name in enumerate(names)}
        self._place = [place.get(feature.name) for feature in features]
        self._in_order = self._place == list(range(len(names)))
        self._names = [feature.name for feature in features]
        self._codes = [
            (at, {word: float(code) for code, word in enumerate(feature.categories)})
            for at, feature in enumerate(features)
            if feature.type == "category"
        ]
        self._rare = np.array([feature.missing_share < RARELY_MISSING for feature in features])
        self._rare |= np.array([at is None for at in self._place], bool)
        self._low = np.array([_bound(feature.minimum, -math.inf) for feature in features])
        self._high = np.array([_bound(feature.maximum, math.inf) for feature in features])

    def score(
        self, rows: Sequence[list[Value]], ended: Callable[[str], None] = lambda _: None
    ) -> ScoredRows:
        """Score and explain. Raises Refused for an infinite number, as a table of it would.

        `ended` is told when the stages `score` and `explain` are over.
        """
        given = [self._ordered(row) for row in rows]
        matrix, unknown = self._matrix(given)
        scores = self.scorer.score_matrix(matrix, self._flags(matrix, unknown))
        values = self._values(matrix, given)
        ended("score")
        explanation = self.scorer.explain_matrix(matrix)
        ended("explain")
        return ScoredRows(self.scorer.digest, scores, explanation, values, matrix)

    def _values(self, matrix: Floats, given: list[list[Value]]) -> list[list[Value]]:
        """Numbers as the scorer read them, categories by name, missing ones None."""
        values: list[list[Value]] = matrix.tolist()
        for row, at in np.argwhere(np.isnan(matrix)).tolist():
            values[row][at] = None
        for told, came in zip(values, given, strict=True):
            for at, _ in self._codes:
                told[at] = came[at]
        return values

    def _ordered(self, row: list[Value]) -> list[Value]:
        if self._in_order:
            return row
        return [None if at is None else row[at] for at in self._place]

    def _matrix(self, values: list[list[Value]]) -> tuple[Floats, list[tuple[int, int]]]:
        """The matrix, and where a category stands that the scorer never saw."""
        unknown: list[tuple[int, int]] = []
        plain = [list(row) for row in values]
        for row, cells in enumerate(plain):
            for at, codes in self._codes:
                word = cells[at]
                if word is not None:
                    cells[at] = codes.get(str(word))
                    if cells[at] is None:
                        unknown.append((row, at))
        matrix = np.array(plain, np.float64).reshape(len(plain), len(self._names))
        if np.isinf(matrix).any():
            cure = "leave the value out (missing) if it is not known"
            faults = [
                Fault("a finite number", "an infinite one", cure, self._names[at])
                for at in sorted(set(np.nonzero(np.isinf(matrix))[1].tolist()))
            ]
            raise Refused.gather(faults)
        return matrix, unknown

    def _flags(self, matrix: Floats, unknown: list[tuple[int, int]]) -> list[list[str]]:
        missing = np.isnan(matrix) & self._rare
        for row, at in unknown:
            missing[row, at] = False
        with np.errstate(invalid="ignore"):
            outside = (matrix < self._low) | (matrix > self._high)
        found = [(row, at, "unknown_category") for row, at in unknown]
        found += [(row, at, "missing") for row, at in zip(*np.nonzero(missing), strict=True)]
        found += [(row, at, "out_of_range") for row, at in zip(*np.nonzero(outside), strict=True)]
        flags: list[list[str]] = [[] for _ in range(len(matrix))]
        for row, at, word in sorted(found):
            flags[row].append(f"{word}:{self._names[at]}")
        return flags


def _bound(declared: float | None, otherwise: float) -> float:
    return otherwise if declared is None else declared
