"""Exact explanations beside shap's TreeExplainer on the same trees."""

from __future__ import annotations

from collections.abc import Iterator

import lightgbm as lgb
import numpy as np
import shap

from base.settings import available_cores
from bench.measure import Comparison, compare
from scoring.explanation import explain

SIZES = {"small": (100, 15, 20), "big": (600, 63, 60)}
BATCH = 2_000


def comparisons() -> Iterator[Comparison]:
    """explain.{batch,row}.{small,big}: 2,000 rows at once, and one row."""
    for size, (trees, leaves, features) in SIZES.items():
        draw = np.random.default_rng(1)
        matrix = draw.normal(size=(8_000, features))
        label = (matrix[:, :5].sum(axis=1) + draw.normal(size=len(matrix)) > 2).astype(float)
        options = {"objective": "binary", "num_leaves": leaves, "verbose": -1, "num_threads": 2}
        booster = lgb.train(options, lgb.Dataset(matrix, label=label), num_boost_round=trees)
        theirs = shap.TreeExplainer(booster)
        rows = matrix[:BATCH]
        assert np.allclose(
            explain(booster, rows[:50], 1).contributions, theirs.shap_values(rows[:50]), atol=1e-9
        )
        yield compare(
            f"explain.batch.{size}",
            lambda: explain(booster, rows, available_cores()),  # noqa: B023
            lambda: theirs.shap_values(rows),  # noqa: B023
            runs=3,
        )
        yield compare(
            f"explain.row.{size}",
            lambda: explain(booster, rows[:1], 1),  # noqa: B023
            lambda: theirs.shap_values(rows[:1]),  # noqa: B023
            runs=9,
        )
