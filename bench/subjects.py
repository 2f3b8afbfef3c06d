"""A home whose scorer asks what is known of a subject: 24 features out of 20 million records."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from bench.wide import put_champion, write_jurisdiction
from bench.worlds import WINDOWS
from features.declared import declared_features
from features.online.store import OnlineStore
from governance.home import Home
from governance.jurisdiction import load_jurisdiction

RECORDS, SUBJECTS, DAYS = 20_000_000, 1_000_000, 1_826
START, CLUES = datetime(2020, 1, 1), 400
KINDS: tuple[dict[str, str], ...] = (
    {"kind": "count"},
    {"kind": "sum", "column": "cents"},
    {"kind": "min", "column": "cents"},
    {"kind": "max", "column": "cents"},
    {"kind": "mean", "column": "cents"},
    {"kind": "distinct", "column": "agency"},
)


def subject_home(folder: Path, records: int = RECORDS) -> Home:
    """A home with the records, its online store and a champion."""
    features = [
        {**kind, "sentence": dict.fromkeys(("zh", "en"), f"{kind['kind']} {{window}} {{value}}")}
        for kind in KINDS
    ]
    group = {"group": "own", "source": "payments", "key": {"subject_id": "person_id"}}
    declared = {"history": [{**group, "windows": list(WINDOWS), "features": features}]}
    place = write_jurisdiction(folder / "subjects_jurisdiction", declared, [])
    home = Home.create(folder / "home", load_jurisdiction(place))
    write_deltalake(str(home.table("payments")), _records(records))
    definitions = declared_features(home)
    OnlineStore(home, definitions).catch_up()
    draw = np.random.default_rng(7)
    scale = np.array([feature.kind in ("count", "distinct") for feature in definitions.features])
    rows = draw.integers(0, np.where(scale, 30, 100_000), (20_000, len(scale))).astype(float)
    put_champion(home, definitions, rows)
    return home


def _records(count: int) -> pa.Table:
    draw = np.random.default_rng(11)
    happened = np.datetime64(START, "us") + draw.integers(0, DAYS * 86_400_000_000, count)
    persons = pa.array(np.arange(SUBJECTS)).cast(pa.string())
    return pa.table(
        {
            "record_no": np.arange(1, count + 1),
            "person_id": persons.take(pa.array(draw.integers(0, SUBJECTS, count))),
            "cents": draw.integers(0, 100_000, count),
            "agency": pa.array([f"a{at}" for at in range(200)]).take(
                pa.array(draw.integers(0, 200, count))
            ),
            "happened_at": pa.array(happened),
            "known_at": pa.array(happened),
            "retracted_at": pa.nulls(count, pa.timestamp("us")),
        }
    )


def subject_bodies() -> list[dict[str, Any]]:
    """Requests that bring a subject and a moment, and nothing else."""
    draw = np.random.default_rng(13)
    return [
        {
            "clues": [
                {
                    "clue_id": f"c{at}",
                    "supervision_model": "wide",
                    "subject_id": str(draw.integers(0, SUBJECTS)),
                    "raised_at": (
                        START + timedelta(days=int(draw.integers(400, DAYS)))
                    ).isoformat(),
                }
            ],
            "reasons": 10,
            "language": "en",
        }
        for at in range(CLUES)
    ]


def _day(at: int) -> str:
    return (START + timedelta(days=at)).isoformat()
