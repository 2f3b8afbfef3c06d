"""What all three peers share: the model's text, the features in order, the calibration."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import lightgbm as lgb

REASONS = 10


class Parts:
    """Read from a folder that bench/http.py wrote."""

    def __init__(self, folder: Path) -> None:
        told = json.loads((folder / "parts.json").read_text("utf-8"))
        self.names: list[str] = told["names"]
        self.words: list[str] = told["words"]
        self.categories: set[str] = set(told["categories"])
        self.slope, self.intercept = told["slope"], told["intercept"]
        self.booster = lgb.Booster(model_file=str(folder / "model.txt"))

    def probability(self, margin: float) -> float:
        return round(1 / (1 + math.exp(-(self.slope * margin + self.intercept))), 6)

    def reply(self, values: list[Any], contributions: list[float], margin: float) -> dict[str, Any]:
        """Probability and the ten strongest reasons."""
        order = sorted(range(len(self.names)), key=lambda at: -abs(contributions[at]))[:REASONS]
        return {
            "probability": self.probability(margin),
            "reasons": [
                {"feature": self.names[at], "value": values[at], "contribution": contributions[at]}
                for at in order
            ],
        }
