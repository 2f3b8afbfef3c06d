"""Clues that wait, with scores, in a small tree: a province, two cities, four counties."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from base.bilingual import Bilingual
from dispatch.offices import Office, Offices
from dispatch.rules import DispatchRules
from dispatch.standing import keep_scored
from dispatch.week import Ways
from scoring.ledger import GivenScore

TUESDAY = datetime(2026, 1, 6, 9)
TREE = {"P": None, "C": "P", "D": "P", "C1": "C", "C2": "C", "D1": "D", "D2": "D"}


def tree(capacity: int = 3) -> Offices:
    return Offices(
        offices=tuple(
            Office(
                office_id=name,
                title=Bilingual(zh=name, en=name),
                level="province" if above is None else "city" if above == "P" else "county",
                parent=above,
                weekly_capacity=capacity,
            )
            for name, above in TREE.items()
        )
    )


def ways(capacity: int = 3, **rules: object) -> Ways:
    return Ways(tree(capacity), DispatchRules.model_validate(rules))


def wait(
    ledger: sa.Engine, margins: Mapping[str, float], office: str = "C1", at: datetime = TUESDAY
) -> None:
    """Score clues (id -> margin) so that they wait at an office."""
    clues = [
        {"clue_id": each, "office_id": office, "supervision_model": "m", "raised_at": at}
        for each in margins
    ]
    given = [
        GivenScore(
            clue_id=each,
            office_id=office,
            moment=at,
            scorer="s" * 64,
            features_fingerprint="f" * 64,
            versions={},
            margin=margin,
            probability=float(1 / (1 + np.exp(-margin))),
            base=0.0,
            feature_values=[],
            contributions=np.zeros(0),
            flags=[],
            given_at=at,
        )
        for each, margin in margins.items()
    ]
    keep_scored(ledger, pa.Table.from_pylist(clues), given, at=at, by="test")
