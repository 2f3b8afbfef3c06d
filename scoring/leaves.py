"""Leaves: which leaf of every tree a clue falls into, and how alike two clues are by that.

Two clues that share a leaf were taken for alike by that tree. A tree counts by how much it moves
the margin: by the spread of its leaf values over the rows it grew on. Weights are whole numbers
that add up to at most 2^30, so that a likeness is the same in whatever order it is added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from numba import njit

from scoring.scorer import Floats, Scorer

Ids = npt.NDArray[np.unsignedinteger[Any]]
Weights = npt.NDArray[np.int32]
WHOLE = 2**30
BLOCK = 8_192


@dataclass(frozen=True)
class Leaves:
    """A scorer's trees as a measure of likeness. `weights` (trees,), `kind`: of the leaf ids."""

    booster: lgb.Booster
    weights: Weights
    kind: type[np.uint8 | np.uint16]

    def of_matrix(self, matrix: Floats) -> Ids:
        """Leaf ids (rows, trees) of an input matrix (scoring.matrix)."""
        if len(matrix) == 0:
            return np.empty((0, len(self.weights)), self.kind)
        found = self.booster.predict(matrix, pred_leaf=True, num_threads=1)
        return np.asarray(found).reshape(len(matrix), -1).astype(self.kind)

    @property
    def total(self) -> int:
        """The likeness of a clue with itself; at least 1."""
        return max(1, int(self.weights.sum()))


def leaves_of(scorer: Scorer) -> Leaves:
    """The measure of a scorer, read from its trees once."""
    return measure_of(scorer.booster)


@lru_cache(maxsize=8)
def measure_of(booster: lgb.Booster) -> Leaves:
    """The same from the trees alone."""
    values, counts = [], []
    for line in booster.model_to_string().splitlines():
        name, _, written = line.partition("=")
        if name == "leaf_value":
            values.append(np.array(written.split(), float))
            counts.append(np.ones(len(values[-1])))
        elif name == "leaf_count":
            counts[-1] = np.array(written.split(), float)
    spread = np.array([_spread(*each) for each in zip(values, counts, strict=True)])
    share = spread / spread.sum() if spread.sum() > 0 else spread
    most = max((len(each) for each in values), default=1)
    kind: Any = np.uint8 if most <= 256 else np.uint16
    return Leaves(booster, np.floor(share * WHOLE).astype(np.int32), kind)


def likeness(leaves: Ids, asked: Ids, weights: Weights) -> Weights:
    """Per clue the weight of the trees in which it shares the leaf of `asked`, (clues,).

    `leaves` is (trees, clues): one tree's leaves lie together, so that clues are met in a row.
    """
    return _likeness(leaves, asked, weights, BLOCK)


def _spread(values: Floats, counts: Floats) -> float:
    mean = np.average(values, weights=counts)
    return float(np.sqrt(np.average((values - mean) ** 2, weights=counts)))


@njit(cache=True, nogil=True)
def _likeness(leaves: Any, asked: Any, weights: Any, block: int) -> Any:
    trees, clues = leaves.shape
    shared = np.zeros(clues, np.int32)
    for start in range(0, clues, block):
        end = min(start + block, clues)
        some = shared[start:end]
        for tree in range(trees):
            leaf, weight = asked[tree], weights[tree]
            theirs = leaves[tree, start:end]
            # A range from 0 over views is what the compiler turns into vector instructions.
            for at in range(len(theirs)):
                some[at] += weight if theirs[at] == leaf else np.int32(0)
    return shared
