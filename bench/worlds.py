"""Worlds for speed: zipf keys whose hottest value holds about 19 % of records and of clues."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.definition import FeatureSet, load_features

EXPONENT, DAYS = 1.19, 1_826
START = np.datetime64("2020-01-01", "us")
DAY = np.timedelta64(86_400_000_000, "us")
WINDOWS = (30, 90, 365, "all")
WORDS = {"zh": "{window}{value}", "en": "{value} in {window}"}


@dataclass(frozen=True)
class Size:
    """How many of each. Clues are raised on whole days, as supervision models raise them."""

    clues: int
    records: int
    keys: int


SIZES = {
    "s": Size(10_000, 200_000, 5_000),
    "m": Size(100_000, 3_000_000, 50_000),
    "l": Size(1_000_000, 20_000_000, 300_000),
}
KINDS = (
    {"kind": "count"},
    {"kind": "sum", "column": "cents"},
    {"kind": "min", "column": "cents"},
    {"kind": "max", "column": "cents"},
    {"kind": "last", "column": "cents"},
    {"kind": "distinct", "column": "agency"},
)


def definitions(kinds: tuple[dict[str, str], ...] = KINDS) -> FeatureSet:
    """Each kind in four windows, for one key."""
    return load_features(
        {
            "history": [
                {
                    "group": "own",
                    "source": "payments",
                    "key": {"person": "person"},
                    "windows": list(WINDOWS),
                    "features": [{**kind, "sentence": WORDS} for kind in kinds],
                }
            ]
        },
        sources={"payments": {"person": "integer", "cents": "integer", "agency": "integer"}},
        clue_columns={"person": "integer"},
    )


def make_world(size: Size, seed: int = 5) -> tuple[pa.Table, pa.Table]:
    """Records (person, cents, agency, happened_at; known at once) and clues."""
    draw = np.random.default_rng(seed)
    weight = np.arange(1, size.keys + 1) ** -EXPONENT
    upto = np.cumsum(weight) / weight.sum()

    def keys(count: int) -> npt.NDArray[np.int64]:
        return np.searchsorted(upto, draw.random(count)).astype(np.int64)

    happened = START + draw.integers(0, DAYS * 86_400_000_000, size.records)
    records = pa.table(
        {
            "person": keys(size.records),
            "cents": draw.integers(0, 100_000, size.records),
            "agency": draw.integers(0, 200, size.records),
            "happened_at": pa.array(happened),
        }
    )
    clues = pa.table(
        {
            "clue_id": pa.array(np.arange(size.clues).astype(str)),
            "person": keys(size.clues),
            "raised_at": pa.array(START + draw.integers(0, DAYS, size.clues) * DAY),
        }
    )
    return records, clues
