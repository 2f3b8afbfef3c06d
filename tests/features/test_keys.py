"""Keys of two kinds: a text and a whole number are one where they are written alike."""

from __future__ import annotations

import feature_worlds as worlds
import pyarrow as pa
import pytest

from base.errors import Refused
from features.definition import load_features
from features.table import build_features
from governance.reading import Records

DAY = worlds.DAY


def keyed_by_number(tests: list[str]) -> pa.Table:
    """A count of `tests` (key: a whole number) for clues whose key is a text."""
    declared = {
        "history": [
            {
                "group": "own",
                "source": "tests",
                "key": {"person": "number"},
                "windows": ["all"],
                "features": [{"kind": "count", "sentence": worlds.WORDS}],
            }
        ]
    }
    found = load_features(
        declared,
        sources={"tests": {"number": "integer"}},
        clue_columns=worlds.CLUE_COLUMNS,
    )
    told = {"number": [7, 7, 8], "happened_at": [worlds.START] * 3}
    records = Records.of_tables({"tests": pa.table(told)})
    count = len(tests)
    clues = pa.table(
        {
            "clue_id": [f"c{at}" for at in range(count)],
            "person": tests,
            "raised_at": pa.array([worlds.START + 9 * DAY] * count, pa.timestamp("us")),
        }
    )
    return build_features(found, clues, records, threads=1)


def test_texts_of_whole_numbers_meet_them_and_others_are_refused() -> None:
    """Where none of the clues' texts is a whole number every count would be 0, without a word."""
    counts = keyed_by_number(["7", "8", "x"])["own__count_all"].to_pylist()
    assert counts == [2.0, 1.0, 0.0]
    with pytest.raises(Refused) as refusal:
        keyed_by_number(["P7", "007"])
    assert refusal.value.got == "2 clues, none with a whole number there"
