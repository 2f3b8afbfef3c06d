"""Small training sets with a known signal, and experiments over them."""

from __future__ import annotations

from typing import Any

import numpy as np

from base.bilingual import Bilingual
from scoring.bundle import ScoredFeature
from training.experiment import Experiment
from training.rows import Rows

DAY = 86_400_000_000
START = 19_000 * DAY
QUESTION: dict[str, Any] = {
    "title": {"zh": "问题", "en": "A question"},
    "label": {"kind": "outcome", "horizon_days": 30},
    "splits": [
        {
            "train_from": "2022-01-01",
            "train_until": "2023-03-01",
            "test_from": "2023-04-01",
            "test_until": "2023-06-01",
        }
    ],
    "calibration": {"method": "sigmoid", "cross_fit": 3},
    "scorer": {"n_estimators": 40, "num_leaves": 7},
}


def asked(**declared: Any) -> Experiment:
    """An experiment with these declarations over the plain ones."""
    return Experiment.model_validate({**QUESTION, **declared})


def scored(count: int, categories: tuple[int, ...] = ()) -> tuple[ScoredFeature, ...]:
    """Features x0, x1, ...; those of `categories` have the values a, b and c."""
    return tuple(
        ScoredFeature(
            name=f"x{at}",
            type="category" if at in categories else "numeric",
            show="number",
            window_days=None,
            sentence=Bilingual(zh="{value}", en="{value}"),
            categories=("a", "b", "c") if at in categories else (),
            missing_share=0.0,
        )
        for at in range(count)
    )


def drawn_rows(count: int = 1_200, seed: int = 1, days: int = 400) -> Rows:
    """Six columns: x0 and x1 decide, x2 is a category whose value b decides, the rest is noise."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(count, 6))
    matrix[:, 2] = draw.integers(0, 3, count)
    logit = 1.2 * matrix[:, 0] + 0.6 * matrix[:, 1] + 1.5 * (matrix[:, 2] == 1) - 2
    label = (draw.random(count) < 1 / (1 + np.exp(-logit))).astype(np.float64)
    moment = START + np.sort(draw.integers(0, days, count)) * DAY
    return Rows(matrix, label, moment, draw.integers(0, count // 3, count).astype(str))
