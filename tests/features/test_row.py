"""A row made of plain values is the row of the table: one definition, whichever way it is taken."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import hamlet
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.errors import Refused
from base.moment import FixedClock
from clues.clue import clue_column_types
from clues.register import read_clues
from features.declared import declared_features
from features.definition import load_features
from features.online.row import RowMaker
from features.online.store import OnlineStore
from features.table import assembled, plain
from governance.arrow_types import ARROW_TYPES

KINDS = {"whole": "integer", "share": "number", "word": "string", "yes": "boolean", "day": "date"}
CATEGORIES = ("whole", "word", "yes", "day")
SENTENCE = {"zh": "{value}", "en": "{value}"}
DEFINITIONS = load_features(
    {
        "columns": [
            *(
                {"name": f"n_{name}", "column": name, "sentence": SENTENCE}
                for name in ("whole", "share", "yes")
            ),
            *(
                {"name": f"c_{name}", "column": name, "type": "category", "sentence": SENTENCE}
                for name in CATEGORIES
            ),
        ],
        "calendar": [
            {"name": part, "part": part, "sentence": SENTENCE}
            for part in ("month", "weekday", "quarter", "day_of_year")
        ],
    },
    sources={},
    clue_columns=KINDS,
)
clues = st.fixed_dictionaries(
    {
        "clue_id": st.just("c"),
        "raised_at": st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),
        "whole": st.none() | st.integers(-(2**53), 2**53),
        "share": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "word": st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
        "yes": st.none() | st.booleans(),
        "day": st.none() | st.dates(date(1900, 1, 1), date(2100, 1, 1)),
    }
)


def as_told(row: list[Any]) -> list[Any]:
    """Whole numbers as the table's numbers."""
    return [each if each is None or isinstance(each, str) else float(each) for each in row]


@settings(max_examples=150, deadline=None)
@given(clue=clues)
def test_every_kind_of_column_and_part_of_the_calendar_reads_as_in_a_table(clue: Any) -> None:
    """Numbers, whole numbers, booleans, words and days, and all that may be missing."""
    schema = pa.schema(
        {
            "clue_id": pa.string(),
            "raised_at": pa.timestamp("us"),
            **{name: ARROW_TYPES[kind] for name, kind in KINDS.items()},
        }
    )
    table = pa.Table.from_pylist([clue], schema)
    columns = {feature.name: plain(feature, table) for feature in DEFINITIONS.features}
    wanted = list(assembled(DEFINITIONS, table, columns).to_pylist()[0].values())[2:]
    maker = RowMaker(DEFINITIONS, {**KINDS, "raised_at": "timestamp"})
    assert maker.able
    assert not maker.needs_store
    assert as_told(maker.values(clue, None)) == wanted


def test_histories_and_ratios_are_those_of_the_online_store(
    tmp_path: Path, clock: FixedClock
) -> None:
    """Every clue of the hamlet, every feature."""
    home = hamlet.settled_hamlet(tmp_path, clock)
    definitions = declared_features(home)
    maker = RowMaker(definitions, clue_column_types(home.jurisdiction))
    store = OnlineStore(home, definitions)
    register = read_clues(home)
    wanted = store.features(register)[0].drop(["clue_id", "moment"]).to_pylist()
    view = store.view_at_hand()
    assert maker.needs_store
    assert len(wanted) == 12
    for clue, row in zip(register.to_pylist(), wanted, strict=True):
        assert as_told(maker.values(clue, view)) == list(row.values())


def test_a_column_that_only_the_table_can_spell_is_said_to_be_one() -> None:
    """A number is no word: the table spells it. A date as a number is refused when declared."""
    declared = {"name": "f", "column": "share", "type": "category", "sentence": SENTENCE}
    definitions = load_features({"columns": [declared]}, sources={}, clue_columns=KINDS)
    assert not RowMaker(definitions, KINDS).able
    with pytest.raises(Refused, match="a number of the clue"):
        load_features(
            {"columns": [{**declared, "column": "day", "type": "numeric"}]},
            sources={},
            clue_columns=KINDS,
        )
