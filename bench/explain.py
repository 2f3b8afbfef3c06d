"""The compiled explainer beside LightGBM's `pred_contrib`, one thread each, on the same trees."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from bench.measure import Comparison, compare
from scoring.explainer import build_explainer

Floats = npt.NDArray[np.float64]
SIZES = {"small": (200, 31), "big": (300, 63)}
FEATURES, CATEGORIES, MISSING = 120, 8, 0.15
BATCH, PEER_BATCH = 10_000, 1_000
WITHIN = 1e-9


def comparisons() -> Iterator[Comparison]:
    """explain.{batch,row}.{small,big}: seconds of 10,000 rows at once, and of one row.

    `pred_contrib` takes its time row by row, however many there are: it is timed on a tenth of the
    batch and told in proportion.
    """
    matrix, label = clue_like_rows(BATCH)
    for size, (trees, leaves) in SIZES.items():
        booster = trained(matrix, label, trees, leaves)
        explainer = build_explainer(booster, booster.model_to_string(), matrix[:5])
        assert explainer.engine == "quadrature", explainer.reason
        some = matrix[:PEER_BATCH]
        theirs = np.asarray(booster.predict(some, pred_contrib=True, num_threads=1))
        off = np.abs(explainer.explain(some, 1).contributions - theirs[:, :-1]).max()
        print(f"explain.{size}: {some.size:,} values, greatest difference {off:.1e}")
        assert off <= WITHIN
        part = compare(
            f"explain.batch.{size}",
            lambda: explainer.explain(matrix, 1),  # noqa: B023
            lambda: booster.predict(some, pred_contrib=True, num_threads=1),  # noqa: B023
            runs=3,
        )
        peer = part.peer * BATCH / PEER_BATCH
        yield replace(part, peer=round(peer, 5), ratio=round(peer / part.ours, 3))
        rows = iter(np.arange(10**6) % BATCH)
        yield compare(
            f"explain.row.{size}",
            lambda: explainer.explain(_next(matrix, rows), 1),  # noqa: B023
            lambda: booster.predict(_next(matrix, rows), pred_contrib=True, num_threads=1),  # noqa: B023
            runs=101,
        )


def _next(matrix: Floats, rows: Iterator[int]) -> Floats:
    """Another row each time: one that was just explained is in the processor's memory."""
    at = next(rows)
    return matrix[at : at + 1]


def clue_like_rows(count: int, seed: int = 1) -> tuple[Floats, Floats]:
    """(rows, label): 120 features, 8 of them categories, 32 counts, 15 % missing."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(count, FEATURES))
    matrix[:, :CATEGORIES] = draw.integers(0, 20, (count, CATEGORIES))
    matrix[:, CATEGORIES:40] = draw.poisson(2, (count, 32))
    signal = matrix[:, 40:60].sum(axis=1) / 3 + (matrix[:, 0] < 5) * 1.5
    signal += matrix[:, 10:16].sum(axis=1) / 4 - 3 + matrix[:, 41] * matrix[:, 42]
    label = (signal + draw.logistic(size=count) > 1).astype(np.float64)
    matrix[draw.random(matrix.shape) < MISSING] = np.nan
    return matrix, label


def trained(matrix: Floats, label: Floats, trees: int, leaves: int) -> lgb.Booster:
    """A booster of `trees` trees with `leaves` leaves each."""
    options = {
        "objective": "binary", "num_leaves": leaves, "learning_rate": 0.05, "verbose": -1,
        "num_threads": 1,
    }  # fmt: skip
    data = lgb.Dataset(matrix, label=label, categorical_feature=list(range(CATEGORIES)))
    return lgb.train(options, data, num_boost_round=trees)
