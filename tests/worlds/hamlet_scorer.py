"""A scorer over the hamlet's own features, fitted on drawn labels."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

from clues.register import read_clues
from features.declared import declared_features
from features.table import build_features
from governance.home import Home
from governance.reading import Records
from scoring.bundle import GoldenRow, Manifest, Reference, write_bundle
from scoring.calibration import SigmoidCalibrator
from scoring.matrix import to_matrix
from training.training_set import scored_features


def write_hamlet_bundle(home: Home, seed: int = 1) -> str:
    """Fit on the hamlet's clues many times over; returns the bundle's digest."""
    definitions = declared_features(home)
    with Records(home) as records:
        table = build_features(definitions, read_clues(home), records, threads=1)
    features = scored_features(definitions.features, table, {})
    matrix = np.repeat(to_matrix(features, table), 30, axis=0)
    draw = np.random.default_rng(seed)
    amount = matrix[:, 0]
    label = (amount + draw.normal(0, amount.std(), len(amount)) > np.median(amount)).astype(float)
    data = lgb.Dataset(matrix, label=label, params={"verbose": -1})
    options = {"objective": "binary", "num_leaves": 5, "num_threads": 1, "verbose": -1}
    booster = lgb.train({**options, "seed": seed, "bagging_seed": seed}, data, num_boost_round=15)
    margin = booster.predict(matrix, raw_score=True, num_threads=1)
    first = table.slice(0, 1).to_pylist()[0]
    golden = GoldenRow(
        values=tuple(first[feature.name] for feature in features), margin=float(margin[0])
    )
    manifest = Manifest(
        jurisdiction="hamlet",
        experiment="drawn",
        label={"kind": "outcome"},
        features=features,
        features_fingerprint=definitions.fingerprint,
        training_set="0" * 64,
        versions={},
        trained_until="2024-07-01T00:00:00",
        trees=booster.num_trees(),
        lightgbm=lgb.__version__,
        golden=(golden,),
    )
    names = [feature.name for feature in features]
    reference = Reference(
        rows=tuple(zip(*(table[name].to_pylist() for name in names), strict=True))
    )
    calibrator = SigmoidCalibrator.fit(margin, label)
    return write_bundle(home.scorers, booster, manifest, calibrator, reference)
