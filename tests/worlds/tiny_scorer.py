"""A scorer small enough to make in every test: two numbers and a category."""

from __future__ import annotations

from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa

from base.bilingual import Bilingual
from scoring.bundle import GoldenRow, Manifest, Reference, ScoredFeature, write_bundle
from scoring.calibration import SigmoidCalibrator
from scoring.matrix import to_matrix

FEATURES = (
    ScoredFeature(
        name="amount",
        type="numeric",
        show="cents",
        window_days=None,
        sentence=Bilingual(zh="涉及金额{value}", en="amount {value}"),
        minimum=0.0,
        maximum=100_000.0,
        missing_share=0.0,
    ),
    ScoredFeature(
        name="count_365d",
        type="numeric",
        show="number",
        window_days=365,
        sentence=Bilingual(zh="{window}{value}次", en="{value} times in {window}"),
        minimum=0.0,
        maximum=9.0,
        missing_share=0.2,
    ),
    ScoredFeature(
        name="kind",
        type="category",
        show="text",
        window_days=None,
        sentence=Bilingual(zh="类型：{value}", en="kind: {value}"),
        categories=("civil", "criminal"),
        labels={"civil": Bilingual(zh="民事检察", en="civil")},
        missing_share=0.0,
    ),
)


def random_rows(count: int, seed: int) -> pa.Table:
    """Feature rows with missing values and, now and then, a category nobody saw."""
    draw = np.random.default_rng(seed)
    times = draw.integers(0, 10, count).astype(float)
    times[draw.random(count) < 0.2] = np.nan
    return pa.table(
        {
            "amount": draw.integers(0, 100_000, count).astype(float),
            "count_365d": pa.array(times, from_pandas=True),
            "kind": draw.choice(["civil", "criminal", "unheard of"], count, p=[0.5, 0.4, 0.1]),
        }
    )


def write_tiny_bundle(
    scorers: Path, seed: int = 1, fingerprint: str = "f" * 64, reference: bool = False
) -> str:
    """Fit on random rows and write the bundle, as before or with reference rows; its digest."""
    rows = random_rows(600, seed)
    matrix = to_matrix(FEATURES, rows)
    label = (np.nan_to_num(matrix[:, 1]) + matrix[:, 0] / 20_000 > 7).astype(float)
    data = lgb.Dataset(matrix, label=label, categorical_feature=[2], params={"verbose": -1})
    settings = {
        "objective": "binary",
        "num_leaves": 7,
        "num_threads": 1,
        "verbose": -1,
        "seed": seed,
    }
    booster = lgb.train(settings, data, num_boost_round=20)
    margin = booster.predict(matrix, raw_score=True, num_threads=1)
    golden = tuple(
        GoldenRow(values=(row["amount"], row["count_365d"], row["kind"]), margin=float(said))
        for row, said in zip(rows.slice(0, 8).to_pylist(), margin[:8], strict=True)
    )
    manifest = Manifest(
        jurisdiction="hamlet",
        experiment="tiny",
        label={"kind": "outcome"},
        features=FEATURES,
        features_fingerprint=fingerprint,
        training_set="0" * 64,
        versions={"payments": 0},
        trained_until="2024-01-01T00:00:00",
        trees=booster.num_trees(),
        lightgbm=lgb.__version__,
        golden=golden,
    )
    seen = Reference(rows=tuple(tuple(row.values()) for row in rows.slice(0, 40).to_pylist()))
    calibrator = SigmoidCalibrator.fit(margin, label)
    return write_bundle(scorers, booster, manifest, calibrator, seen if reference else None)
