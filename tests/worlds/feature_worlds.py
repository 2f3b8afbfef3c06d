"""Small random worlds for the laws of features: ties, late records, retractions, missing keys."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from features.definition import FeatureSet, load_features
from governance.reading import Records

START = datetime(2024, 1, 1)
DAY = timedelta(days=1)
WORDS = {"zh": "{window}{value}", "en": "{value} in {window}"}
SOURCES = {
    "payments": {"person": "string", "agency": "string", "cents": "integer", "kind": "string"},
    "outcomes": {"model": "string", "became_case": "integer"},
}
CLUE_COLUMNS = {"person": "string", "agency": "string", "model": "string", "cents": "integer"}
KINDS: list[dict[str, Any]] = [
    {"kind": "count"},
    {"kind": "exists"},
    {"kind": "sum", "column": "cents"},
    {"kind": "mean", "column": "cents"},
    {"kind": "min", "column": "cents"},
    {"kind": "max", "column": "cents"},
    {"kind": "last", "column": "cents"},
    {"kind": "last", "column": "kind", "type": "category"},
    {"kind": "distinct", "column": "kind"},
    {"kind": "days_since_last"},
    {"kind": "rank", "column": "cents", "of": "cents"},
]
DEFINITIONS = {
    "columns": [{"name": "cents", "column": "cents", "sentence": WORDS}],
    "calendar": [{"name": "weekday", "part": "weekday", "sentence": WORDS}],
    "history": [
        {
            "group": "own",
            "source": "payments",
            "key": {"person": "person"},
            "windows": [1, 3, "all"],
            "features": [{**kind, "sentence": WORDS} for kind in KINDS],
        },
        {
            "group": "agency_large",
            "source": "payments",
            "key": {"person": "person", "agency": "agency"},
            "where": "cents > 1",
            "windows": [2],
            "features": [{"kind": "count", "sentence": WORDS}],
        },
        {
            "group": "everywhere",
            "source": "payments",
            "key": {},
            "windows": ["all"],
            "features": [{"kind": "count", "sentence": WORDS}],
        },
    ],
    "ratios": [
        {
            "group": "conversion",
            "source": "outcomes",
            "where": "became_case IS NOT NULL",
            "numerator": "became_case = 1",
            "ladder": [{"model": "model"}, {}],
            "prior": 0.1,
            "strength": 4,
            "windows": [2, "all"],
            "sentence": WORDS,
        }
    ],
}


def definitions() -> FeatureSet:
    """Every kind of feature at once."""
    return load_features(DEFINITIONS, sources=SOURCES, clue_columns=CLUE_COLUMNS)


def over_the_register() -> FeatureSet:
    """Every kind over payments and over the register of clues, and a share over each."""
    [own, *_], [share] = DEFINITIONS["history"], DEFINITIONS["ratios"]
    of_clues = [{**each, "column": "model"} if each.get("column") == "kind" else each
                for each in own["features"]]  # fmt: skip
    group = {**own, "group": "same_person", "source": "clues", "features": of_clues}
    shares = {
        **share, "group": "large", "source": "clues", "where": "cents IS NOT NULL",
        "numerator": "cents > 1",
    }  # fmt: skip
    return load_features(
        {**DEFINITIONS, "history": [own, group], "ratios": [shares]},
        sources={**SOURCES, "clues": CLUE_COLUMNS},
        clue_columns=CLUE_COLUMNS,
    )


# Whole days and their neighbours to the microsecond, so that edges and ties are common.
moments = st.builds(
    lambda days, micro: START + days * DAY + timedelta(microseconds=micro),
    st.integers(0, 6),
    st.sampled_from([-1, 0, 0, 0, 1]),
)
people = st.sampled_from(["a", "b", None])
agencies = st.sampled_from(["x", "y", None])
models = st.sampled_from(["m", "n"])
cents = st.one_of(st.none(), st.integers(-3, 5))
# Neighbours beyond 2^53, where a float64 no longer tells one whole number from the next.
vast_cents = st.one_of(st.none(), st.integers(2**53, 2**53 + 3), st.integers(-(2**53) - 3, 3))
hot_people = st.sampled_from(["a"] * 9 + ["b", None])


@st.composite
def payments(
    draw: st.DrawFn,
    persons: st.SearchStrategy[str | None] = people,
    amounts: st.SearchStrategy[int | None] = cents,
    most: int = 14,
) -> pa.Table:
    """Payment records; some known late, some retracted later."""
    rows = draw(
        st.lists(
            st.tuples(persons, agencies, amounts, st.sampled_from(["p", "q", None]), moments)
            .flatmap(lambda row: st.tuples(st.just(row), moments, st.one_of(st.none(), moments)))
            .map(lambda parts: (*parts[0], *parts[1:])),
            max_size=most,
        )
    )
    return payments_of(rows)


def payments_of(rows: list[Any]) -> pa.Table:
    """The table of rows (person, agency, cents, kind, happened_at, known_at, retracted_at)."""
    columns = list(zip(*rows, strict=True)) or [[]] * 7
    return pa.table(
        {
            "person": pa.array(columns[0], pa.string()),
            "agency": pa.array(columns[1], pa.string()),
            "cents": pa.array(columns[2], pa.int64()),
            "kind": pa.array(columns[3], pa.string()),
            "happened_at": pa.array(columns[4], pa.timestamp("us")),
            "known_at": pa.array(columns[5], pa.timestamp("us")),
            "retracted_at": pa.array(columns[6], pa.timestamp("us")),
        }
    )


def any_payments() -> st.SearchStrategy[pa.Table]:
    """Plain ones; most of them one person's; amounts at the edge of what a float64 can hold."""
    return st.one_of(
        payments(), payments(persons=hot_people, most=30), payments(amounts=vast_cents)
    )


@st.composite
def outcomes(draw: st.DrawFn) -> pa.Table:
    """What became of clues."""
    rows = draw(st.lists(st.tuples(models, st.sampled_from([0, 1, None]), moments), max_size=8))
    columns = list(zip(*rows, strict=True)) or [[]] * 3
    return pa.table(
        {
            "model": pa.array(columns[0], pa.string()),
            "became_case": pa.array(columns[1], pa.int64()),
            "happened_at": pa.array(columns[2], pa.timestamp("us")),
        }
    )


@st.composite
def clues(
    draw: st.DrawFn, persons: st.SearchStrategy[str | None] = people, most: int = 8
) -> pa.Table:
    """Clues with moments that often fall on a record's."""
    rows = draw(
        st.lists(st.tuples(persons, agencies, models, cents, moments), min_size=1, max_size=most)
    )
    columns = list(zip(*rows, strict=True))
    return pa.table(
        {
            "clue_id": [f"c{number}" for number in range(len(rows))],
            "person": pa.array(columns[0], pa.string()),
            "agency": pa.array(columns[1], pa.string()),
            "model": pa.array(columns[2], pa.string()),
            "cents": pa.array(columns[3], pa.int64()),
            "raised_at": pa.array(columns[4], pa.timestamp("us")),
        }
    )


def records_of(paid: pa.Table, ended: pa.Table) -> Records:
    """Both record sets in memory."""
    return Records.of_tables({"payments": paid, "outcomes": ended})


def as_records(asked: pa.Table) -> pa.Table:
    """Clues as the register holds them: known when they were raised."""
    times = [asked["raised_at"], asked["raised_at"], pa.nulls(len(asked), pa.timestamp("us"))]
    for name, column in zip(("happened_at", "known_at", "retracted_at"), times, strict=True):
        asked = asked.append_column(name, column)
    return asked


def register_of(paid: pa.Table, asked: pa.Table, others: pa.Table) -> Records:
    """Payments, and a register of the clues that ask and of others."""
    named = pa.array([f"other{number}" for number in range(len(others))])
    others = others.set_column(0, "clue_id", named)
    register = as_records(pa.concat_tables([asked, others]))
    return Records.of_tables({"payments": paid, "clues": register})
