"""JSON Schemas of everything a jurisdiction declares, published in docs/schema (`make schema`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "schema"
RULES_FROM, RULES_TO = "<!-- rules -->", "<!-- end of rules -->"


def published_schemas() -> dict[str, dict[str, Any]]:
    """File name -> JSON Schema. Contracts follow the Open Data Contract Standard's own schema."""
    from clues.examples import Example
    from clues.supervision import Head
    from dispatch.exchange.destinations import Exchange
    from dispatch.life_cycle import Deadlines
    from dispatch.offices import Offices
    from dispatch.rules import DispatchRules
    from features.shapes import FeatureFile
    from governance.jurisdiction import Manifest
    from scoring.watch_rules import WatchRules
    from training.experiment import Experiment
    from training.promotion_rule import PromotionRule

    shapes: dict[str, type[BaseModel]] = {
        "jurisdiction": Manifest,
        "supervision": Head,
        "example": Example,
        "features": FeatureFile,
        "offices": Offices,
        "deadlines": Deadlines,
        "experiment": Experiment,
        "promotion": PromotionRule,
        "dispatch": DispatchRules,
        "exchange": Exchange,
        "monitoring": WatchRules,
    }
    return {f"{name}.schema.json": shape.model_json_schema() for name, shape in shapes.items()}


def write_schemas() -> None:
    """Write them all to docs/schema."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, schema in published_schemas().items():
        text = json.dumps(schema, ensure_ascii=False, indent=1, sort_keys=True)
        (FOLDER / name).write_text(text + "\n", "utf-8")


def write_rules() -> None:
    """Write the table of rules into docs/access.md, between its marks."""
    from serving.access import printed_rules

    path = FOLDER.parent / "access.md"
    before, _, rest = path.read_text("utf-8").partition(RULES_FROM)
    after = rest.partition(RULES_TO)[2]
    path.write_text(f"{before}{RULES_FROM}\n{printed_rules()}{RULES_TO}{after}", "utf-8")


if __name__ == "__main__":
    write_schemas()
    write_rules()
