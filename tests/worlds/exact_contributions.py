"""Shapley values of a tree model from the definition of the game: leaf by leaf, in fractions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import lightgbm as lgb
import numpy as np

Path = dict[int, tuple[int, Fraction]]
Integral = Callable[[list[tuple[int, Fraction]]], Fraction]
X, WEIGHT = np.polynomial.legendre.leggauss(64)


def exact_contributions(
    booster: lgb.Booster, row: Sequence[float], *, fractions: bool
) -> list[float]:
    """Contributions of one row of plain numbers (no missing value, no category).

    Fractions grow with the path; without them each integral is a sum over 64 points.
    """
    integral = _mean_product if fractions else _mean_by_points
    found = [Fraction(0)] * booster.num_feature()
    for tree in booster.dump_model()["tree_info"]:
        _add(tree["tree_structure"], row, {}, found, integral)
    return [float(value) for value in found]


def _add(
    node: dict[str, Any],
    row: Sequence[float],
    path: Path,
    found: list[Fraction],
    integral: Integral,
) -> None:
    if "split_feature" not in node:
        for at, (on, share) in path.items():
            others = [path[other] for other in path if other != at]
            found[at] += Fraction(node["leaf_value"]) * (on - share) * integral(others)
        return
    asked = node["split_feature"]
    goes_left = row[asked] <= node["threshold"]
    for name, is_left in (("left_child", True), ("right_child", False)):
        child = node[name]
        count = child.get("internal_count", child.get("leaf_count"))
        on, share = path.get(asked, (1, Fraction(1)))
        there = (on if goes_left == is_left else 0, share * Fraction(count, node["internal_count"]))
        _add(child, row, {**path, asked: there}, found, integral)


def _mean_product(parts: list[tuple[int, Fraction]]) -> Fraction:
    """The integral over t in [0, 1] of the product of t * on + (1 - t) * share."""
    polynomial = [Fraction(1)]
    for on, share in parts:
        longer = [Fraction(0)] * (len(polynomial) + 1)
        for power, factor in enumerate(polynomial):
            longer[power] += factor * share
            longer[power + 1] += factor * (on - share)
        polynomial = longer
    return sum((factor / (power + 1) for power, factor in enumerate(polynomial)), Fraction(0))


def _mean_by_points(parts: list[tuple[int, Fraction]]) -> Fraction:
    """The same by quadrature, exact up to 128 parts but for rounding."""
    t = (X + 1) / 2
    product = np.ones_like(t)
    for on, share in parts:
        product *= t * on + (1 - t) * float(share)
    return Fraction(float(product @ WEIGHT) / 2)
