"""A jurisdiction whose clue has 120 columns of its own, and a scorer of 200 trees x 31 leaves.

112 numbers and 8 categories, 15 % missing: what a request brings is all that a score needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import yaml

from base.bilingual import Bilingual
from features.declared import declared_features
from features.definition import FeatureSet
from governance.home import Home
from governance.jurisdiction import load_jurisdiction
from scoring.bundle import GoldenRow, Manifest, ScoredFeature, write_bundle
from scoring.calibration import SigmoidCalibrator
from scoring.champion import write_champion

NUMBERS, CATEGORIES, WORDS = 112, 8, ("north", "south", "east", "west", "middle")
TREES, LEAVES, ROWS, MISSING = 200, 31, 8_000, 0.15
NAMES = tuple(
    [f"number_{at:03d}" for at in range(NUMBERS)] + [f"word_{at}" for at in range(CATEGORIES)]
)
MOMENT = datetime(2024, 7, 1)
MODEL = """/* ---
title: {zh: 宽表, en: Wide}
function: public_interest
legal_ground: {zh: 法律, en: law}
ground: wide
subject: person
severity: 3
evidence: [payments]
columns: []
--- */
SELECT person_id AS subject_id, '-' AS ground_key, 'A' AS office_id,
       list('payments/' || record_no) AS evidence
FROM payments GROUP BY person_id
"""
CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "wide-payments",
    "version": "1.0.0",
    "status": "active",
    "schema": [
        {
            "name": "payments",
            "logicalType": "object",
            "businessName": "payments",
            "description": "payments",
            "customProperties": [{"property": "happenedAt", "value": "paid_at"}],
            "properties": [
                {"name": "payment_no", "logicalType": "string", "primaryKey": True},
                {"name": "person_id", "logicalType": "string", "required": True},
                {"name": "cents", "logicalType": "integer", "required": True},
                {"name": "agency", "logicalType": "string", "required": True},
                {"name": "paid_at", "logicalType": "timestamp", "required": True},
            ],
        }
    ],
    "slaProperties": [{"property": "latency", "value": 1, "unit": "d"}],
}


def words(name: str) -> dict[str, str]:
    """A sentence in both languages."""
    return {"zh": f"{name}为{{value}}", "en": f"{name} is {{value}}"}


def write_jurisdiction(folder: Path, features: Mapping[str, Any], columns: list[str]) -> Path:
    """A jurisdiction's folder with the clue columns `columns` and these features."""
    kinds = {name: "string" if name.startswith("word") else "number" for name in columns}
    head = {
        "name": "wide",
        "title": {"zh": "宽", "en": "Wide"},
        "nature": "simulated",
        "timezone": "Asia/Shanghai",
        "raise_cycle": {"first": "2024-01-01T00:00:00", "months": 1},
        "clue_columns": {
            name: {"type": kind, "title": {"zh": name, "en": name}} for name, kind in kinds.items()
        },
    }
    office = {
        "office_id": "A",
        "title": {"zh": "院", "en": "Office"},
        "level": "province",
        "parent": None,
        "weekly_capacity": 5,
    }
    (folder / "records").mkdir(parents=True)
    (folder / "supervision").mkdir()
    (folder / "supervision" / "wide.sql").write_text(MODEL, "utf-8")
    for name, declared in (
        ("jurisdiction.yaml", head),
        ("offices.yaml", {"offices": [office]}),
        ("features.yaml", dict(features)),
        ("records/payments.odcs.yaml", CONTRACT),
    ):
        (folder / name).write_text(yaml.safe_dump(declared, allow_unicode=True), "utf-8")
    return folder


def wide_home(folder: Path) -> Home:
    """A home of the wide jurisdiction with a champion."""
    columns = [
        {
            "name": name,
            "column": name,
            "type": "category" if name.startswith("word") else "numeric",
            "show": "text" if name.startswith("word") else "number",
            "sentence": words(name),
        }
        for name in NAMES
    ]
    place = write_jurisdiction(folder / "wide", {"columns": columns}, list(NAMES))
    home = Home.create(folder / "home", load_jurisdiction(place))
    put_champion(home, declared_features(home), drawn_rows(ROWS))
    return home


def drawn_rows(count: int, seed: int = 3) -> npt.NDArray[np.float64]:
    """(count, 120) inputs, 15 % missing; a category is its place in WORDS."""
    draw = np.random.default_rng(seed)
    rows = draw.normal(size=(count, NUMBERS + CATEGORIES)).round(6)
    rows[:, NUMBERS:] = draw.integers(0, len(WORDS), (count, CATEGORIES))
    rows[draw.random(rows.shape) < MISSING] = np.nan
    return rows


def put_champion(home: Home, definitions: FeatureSet, rows: npt.NDArray[np.float64]) -> str:
    """Fit on `rows` (one column per feature) and put in use; returns the bundle's digest."""
    categories = [at for at, each in enumerate(definitions.features) if each.type == "category"]
    draw = np.random.default_rng(4)
    signal = np.nan_to_num(rows[:, ::3]).sum(axis=1) + draw.normal(size=len(rows))
    label = (signal > np.median(signal)).astype(float)
    options = {"objective": "binary", "num_leaves": LEAVES, "verbose": -1, "num_threads": 1}
    data = lgb.Dataset(rows, label=label, categorical_feature=categories)
    booster = lgb.train({**options, "min_data_in_leaf": 5}, data, num_boost_round=TREES)
    margin = np.asarray(booster.predict(rows[:2_000], raw_score=True, num_threads=1), np.float64)
    features = tuple(
        ScoredFeature(
            name=feature.name,
            type=feature.type,
            show=feature.show,
            window_days=feature.window_days,
            sentence=Bilingual.model_validate(feature.sentence),
            categories=WORDS if feature.type == "category" else (),
            minimum=None if feature.type == "category" else float(np.nanmin(rows[:, at])),
            maximum=None if feature.type == "category" else float(np.nanmax(rows[:, at])),
            missing_share=float(np.isnan(rows[:, at]).mean()),
        )
        for at, feature in enumerate(definitions.features)
    )
    golden = GoldenRow(values=tuple(plain_row(rows[0], categories)), margin=float(margin[0]))
    manifest = Manifest(
        jurisdiction=home.jurisdiction.name,
        experiment="drawn",
        label={"kind": "outcome"},
        features=features,
        features_fingerprint=definitions.fingerprint,
        training_set="0" * 64,
        versions={},
        trained_until=MOMENT.isoformat(),
        trees=booster.num_trees(),
        lightgbm=lgb.__version__,
        golden=(golden,),
    )
    calibrator = SigmoidCalibrator.fit(margin, label[:2_000])
    digest = write_bundle(home.scorers, booster, manifest, calibrator)
    write_champion(home.scorers, digest, by="Li", approved_by="Wang", at=MOMENT)
    return digest


def plain_row(row: npt.NDArray[np.float64], categories: list[int]) -> list[float | str | None]:
    """One row as a request brings it: missing values None, categories by name."""
    return [
        None if np.isnan(value) else (WORDS[int(value)] if at in categories else float(value))
        for at, value in enumerate(row)
    ]


def wide_clue(row: npt.NDArray[np.float64], clue_id: str) -> dict[str, Any]:
    """A clue of `POST /v1/scores` with the 120 values of a drawn row."""
    values = plain_row(row, list(range(NUMBERS, NUMBERS + CATEGORIES)))
    return {
        "clue_id": clue_id,
        "supervision_model": "wide",
        "subject_id": "p1",
        "raised_at": MOMENT.isoformat(),
        **dict(zip(NAMES, values, strict=True)),
    }
