"""Which engine explains: the compiled one where it is proven on this scorer, else LightGBM's own.

The proof is made when a scorer is loaded: the contributions of its golden rows (and of a row of
which nothing is known) beside those of `pred_contrib`. It also compiles the kernels, so that no
request waits for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from scoring.explanation import TOLERANCE, Explanation, adds_up, explain
from scoring.quadrature.engine import FEW, contributions, strongest, strongest_of
from scoring.quadrature.forest import Forest
from scoring.quadrature.margin import margins
from scoring.quadrature.reading import forest_of

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Engine = Literal["quadrature", "lightgbm"]


@dataclass(frozen=True)
class Explainer:
    """`reason`: why the compiled engine is not used, in words; None where it is."""

    booster: lgb.Booster
    forest: Forest | None
    reason: str | None = None

    @property
    def engine(self) -> Engine:
        """The engine that explains."""
        return "lightgbm" if self.forest is None else "quadrature"

    def explain(self, matrix: Floats, threads: int) -> Explanation:
        """Contributions of every feature to every row's margin; no row is an answer too."""
        if self.forest is not None:
            base = np.full(len(matrix), self.forest.base)
            return Explanation(contributions(self.forest, matrix, threads), base)
        if len(matrix) == 0:
            return Explanation(np.empty((0, self.booster.num_feature())), np.empty(0))
        return explain(self.booster, matrix, threads)

    def strongest(self, matrix: Floats, count: int, threads: int) -> tuple[Ints, Floats]:
        """Places and contributions of each row's `count` strongest features, strongest first."""
        if self.forest is not None:
            return strongest(self.forest, matrix, count, threads)
        found = self.explain(matrix, threads).contributions
        places = strongest_of(np.ascontiguousarray(found), min(count, found.shape[1]))
        return places, np.take_along_axis(found, places, axis=1)

    def margins(self, matrix: Floats) -> Floats | None:
        """Margins of few rows, bit for bit LightGBM's; None where only LightGBM gives them."""
        if self.forest is None or not self.forest.walkable:
            return None
        return margins(self.forest, matrix)


def build_explainer(booster: lgb.Booster, model: str, golden: Floats) -> Explainer:
    """The explainer of a text model, tried on `golden` (rows, features).

    Raises Refused for linear trees: no engine explains them.
    """
    forest, reason = forest_of(model)
    if forest is None:
        return Explainer(booster, None, reason)
    tried = Explainer(booster, forest)
    reason = _differs(tried, golden)
    return tried if reason is None else Explainer(booster, None, reason)


def _differs(tried: Explainer, golden: Floats) -> str | None:
    """Why the compiled engine cannot be trusted with this scorer, or None."""
    unknown = np.full((1, tried.booster.num_feature()), np.nan)
    rows = np.concatenate([golden.reshape(-1, unknown.shape[1]), unknown])
    theirs = explain(tried.booster, rows, 1)
    # As a block, in fours and one by one: all kernels are tried, and compiled.
    ours = tried.explain(np.resize(rows, (max(len(rows), FEW), rows.shape[1])), 1)
    fours = tried.explain(np.resize(rows, (5, rows.shape[1])), 1).contributions
    alone = np.concatenate([tried.explain(row[None], 1).contributions for row in rows])
    if not (
        np.array_equal(ours.contributions[: len(rows)], alone)
        and np.array_equal(fours, np.resize(alone, fours.shape))
    ):
        return "one row and many differ on the golden rows"
    margin = np.asarray(tried.booster.predict(rows, raw_score=True, num_threads=1))
    mine = Explanation(alone, ours.base[: len(rows)])
    if not adds_up(mine, margin):
        return "contributions that do not add up to the margins of the golden rows"
    added = tried.margins(rows)
    if added is not None and not np.array_equal(added, margin):
        return "margins that are not LightGBM's on the golden rows"
    off = np.abs(alone - theirs.contributions).max(axis=1) + np.abs(mine.base - theirs.base)
    # On paths of 40 features and more pred_contrib itself no longer adds up: it proves nothing.
    proof = np.array([adds_up(_row(theirs, at), margin[at : at + 1]) for at in range(len(rows))])
    if np.any(proof & (off > TOLERANCE * np.maximum(1.0, np.abs(margin)))):
        return f"differs from pred_contrib by {off[proof].max():.1e} on the golden rows"
    return None


def _row(explanation: Explanation, at: int) -> Explanation:
    rows = slice(at, at + 1)
    return Explanation(explanation.contributions[rows], explanation.base[rows])
