"""A copy of a home whose jurisdiction asks experiments of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from governance.home import Home

SPLITS = [
    {
        "train_from": "2021-04-01",
        "train_until": "2023-11-01",
        "test_from": "2024-04-01",
        "test_until": "2024-09-01",
    },
    {
        "train_from": "2021-04-01",
        "train_until": "2024-06-01",
        "test_from": "2024-09-01",
        "test_until": "2025-03-01",
    },
]
QUESTION: dict[str, Any] = {
    "title": {"zh": "问题", "en": "A question"},
    "label": {"kind": "outcome", "horizon_days": 270, "reporting_lag_days": 30},
    "features": {"exclude": ["office_habit__*"]},
    "splits": SPLITS,
    "calibration": {"method": "sigmoid", "cross_fit": 3},
    "scorer": {"num_leaves": 7, "n_estimators": 30, "learning_rate": 0.1, "min_child_samples": 10},
    "baselines": ["base_rate", "severity", "first_come"],
}


def asked_home(source: Home, folder: Path, **declared: Any) -> Home:
    """A copy of `source` whose only experiment, `asked`, is QUESTION with these declarations.

    A declaration of None takes one of QUESTION's out.
    """
    path = Path(shutil.copytree(source.path, folder / "home"))
    jurisdiction = Path(shutil.copytree(source.jurisdiction.folder, folder / "jurisdiction"))
    for old in (jurisdiction / "experiments").glob("*.yaml"):
        old.unlink()
    whole = {**QUESTION, **declared}
    question = yaml.safe_dump({name: v for name, v in whole.items() if v is not None})
    (jurisdiction / "experiments" / "asked.yaml").write_text(question, "utf-8")
    (path / "home.json").write_text(json.dumps({"jurisdiction": str(jurisdiction)}), "utf-8")
    return Home.open(path)
