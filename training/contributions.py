"""What moves a scorer: contributions of its features on test rows, by the `shap` library.

Values are shap.TreeExplainer's (Lundberg et al., "From local explanations to global understanding
with explainable AI for trees", 2020), in log-odds, on rows drawn with a seed where there are many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from scoring.bundle import ScoredFeature
from scoring.matrix import to_matrix

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
ROWS_DRAWN = 800


@dataclass(frozen=True)
class Contributions:
    """`values` and `matrix` (rows, features) of the rows drawn out of `of_rows`, `base` (rows,)."""

    features: tuple[ScoredFeature, ...]
    values: Floats
    matrix: Floats
    base: Floats
    of_rows: int

    @property
    def size(self) -> Floats:
        """Mean absolute contribution of each feature, (features,)."""
        return np.asarray(np.abs(self.values).mean(axis=0), np.float64)

    @property
    def order(self) -> list[int]:
        """Features by size, the largest first; those that never move the score are left out."""
        size = self.size
        return [int(i) for i in np.argsort(-size, kind="stable") if size[i] > 0]

    @property
    def shares(self) -> dict[str, float]:
        """Each feature's share of all movement, by name; 0 throughout for a scorer of one leaf."""
        size = self.size
        whole = float(size.sum()) or 1.0
        names = [feature.name for feature in self.features]
        return {name: float(each) / whole for name, each in zip(names, size, strict=True)}


def contributions(
    booster: lgb.Booster,
    features: Sequence[ScoredFeature],
    table: pa.Table,
    seed: int,
    rows_drawn: int = ROWS_DRAWN,
) -> Contributions:
    """Contributions on at most `rows_drawn` rows of `table` (features by name)."""
    from shap import TreeExplainer

    places = drawn_rows(table.num_rows, rows_drawn, seed)
    matrix = to_matrix(features, table.take(pa.array(places)))
    if not booster.num_trees() or not len(matrix):
        return Contributions(
            tuple(features), np.zeros_like(matrix), matrix, np.zeros(len(matrix)), table.num_rows
        )
    told = TreeExplainer(booster)(matrix)
    values = np.asarray(told.values, np.float64)
    base = np.broadcast_to(np.asarray(told.base_values, np.float64), len(matrix))
    return Contributions(tuple(features), values, matrix, base, table.num_rows)


def drawn_rows(rows: int, at_most: int, seed: int) -> Places:
    """Places of rows drawn without replacement, in their order; all where there are few."""
    if rows <= at_most:
        return np.arange(rows, dtype=np.int64)
    drawn = np.random.default_rng(seed).choice(rows, at_most, replace=False)
    return np.sort(drawn).astype(np.int64)


def strongest_partner(told: Contributions, at: int) -> int | None:
    """The feature that most decides how feature `at` counts (shap.approximate_interactions).

    None where no other feature varies, or the contribution is the same for every row.
    """
    from shap import approximate_interactions

    if np.ptp(told.values[:, at]) == 0:
        return None
    varied = [i for i in told.order if i != at and _varies(told.matrix[:, i])]
    if not varied:
        return None
    with np.errstate(all="ignore"):
        ranked = approximate_interactions(at, told.values, told.matrix)
    found = [int(i) for i in ranked if int(i) in varied]
    return found[0] if found else None


def _varies(column: Floats) -> bool:
    known = column[~np.isnan(column)]
    return len(known) > 1 and float(np.ptp(known)) > 0
