"""Laws of the feature table: three ways to compute it, one value, and nothing from the future."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import feature_worlds as worlds
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.brute import brute_features
from features.sql import sql_features
from features.table import build_features
from governance.reading import Records

LAWS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEFINED = worlds.definitions()
DOUBLES = {"count", "sum"}


def plain(table: pa.Table) -> dict[str, list[object]]:
    """Columns as plain lists; NaN as None."""
    told = {}
    for name in DEFINED.names:
        column = table[name]
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), None, column)
        told[name] = column.to_pylist()
    return told


def swept(asked: pa.Table, records: Records, threads: int = 1) -> dict[str, list[object]]:
    return plain(build_features(DEFINED, asked, records, threads=threads))


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


@settings(LAWS, max_examples=50)
@given(worlds.any_payments(), worlds.outcomes(), worlds.clues())
def test_the_sweep_equals_sql_equals_plain_loops(
    paid: pa.Table, ended: pa.Table, asked: pa.Table
) -> None:
    """Every kind and window; ties, late and retracted records, hot keys: equal, bit for bit."""
    with worlds.records_of(paid, ended) as records:
        batch = build_features(DEFINED, asked, records, threads=2)
        queried = sql_features(DEFINED, asked, records)
        assert queried.schema == batch.schema
        assert plain(batch) == plain(queried) == brute_features(DEFINED, asked, records)


@LAWS
@given(worlds.payments(), worlds.payments(), worlds.outcomes(), worlds.clues(), worlds.moments)
def test_what_becomes_known_at_or_after_the_moment_changes_nothing(
    paid: pa.Table, other: pa.Table, ended: pa.Table, asked: pa.Table, moment: object
) -> None:
    """The leak law (P-15): what is known at or after a clue's moment leaves its features alone.

    Records known by then are kept; all others are exchanged for any others, and retractions that
    were not known by then are taken back.
    """
    at = pa.scalar(moment, pa.timestamp("us"))
    asked = with_column(asked, "raised_at", pa.array([moment] * len(asked)))
    before = paid.filter(pc.less(paid["known_at"], at))
    retracted = before["retracted_at"]
    known = pc.fill_null(pc.less(retracted, at), False)
    before = with_column(before, "retracted_at", pc.if_else(known, retracted, None))
    exchanged = pa.concat_tables([before, other.filter(pc.greater_equal(other["known_at"], at))])
    with (
        worlds.records_of(paid, ended) as seen,
        worlds.records_of(exchanged, ended.filter(pc.less(ended["happened_at"], at))) as then,
    ):
        assert swept(asked, seen) == swept(asked, then)


@LAWS
@given(worlds.any_payments(), worlds.outcomes(), worlds.clues(), st.randoms())
def test_neither_the_order_of_clues_nor_threads_nor_company_matters(
    paid: pa.Table, ended: pa.Table, asked: pa.Table, shuffler: Any
) -> None:
    """A clue's features are its own: alone, shuffled, or on three threads."""
    order = list(range(len(asked)))
    shuffler.shuffle(order)
    with worlds.records_of(paid, ended) as records:
        together = build_features(DEFINED, asked, records, threads=1)
        shuffled = build_features(DEFINED, asked.take(order), records, threads=3)
        alone = build_features(DEFINED, asked.slice(0, 1), records, threads=1)
        assert plain(together.take(order)) == plain(shuffled)
        assert plain(together.slice(0, 1)) == plain(alone)


@LAWS
@given(worlds.any_payments(), worlds.outcomes(), worlds.clues(), st.randoms())
def test_the_order_in_which_records_are_stored_does_not_matter(
    paid: pa.Table, ended: pa.Table, asked: pa.Table, shuffler: Any
) -> None:
    """The same records with the same numbers in another row order: the same values."""
    numbered = [
        table.append_column("record_no", pa.array(range(1, len(table) + 1), pa.int64()))
        for table in (paid, ended)
    ]
    shuffled = []
    for table in numbered:
        order = list(range(len(table)))
        shuffler.shuffle(order)
        shuffled.append(table.take(pa.array(order, pa.int64())))
    with worlds.records_of(*numbered) as one, worlds.records_of(*shuffled) as other:
        assert swept(asked, one) == swept(asked, other)


@LAWS
@given(worlds.payments(), worlds.outcomes(), worlds.clues())
def test_each_record_twice_doubles_counts_and_sums_alone(
    paid: pa.Table, ended: pa.Table, asked: pa.Table
) -> None:
    """Equal records are two records: counts and sums double, extremes, means and shares stay."""
    with (
        worlds.records_of(paid, ended) as once,
        worlds.records_of(pa.concat_tables([paid, paid]), ended) as twice,
    ):
        single, double = swept(asked, once), swept(asked, twice)
    for feature in DEFINED.features:
        factor = 2 if feature.kind in DOUBLES and feature.source == "payments" else 1
        expected = single[feature.name]
        if factor == 2:
            expected = [None if value is None else 2 * value for value in expected]  # type: ignore[operator]
        assert double[feature.name] == expected, feature.name


@LAWS
@given(worlds.any_payments(), worlds.outcomes(), worlds.clues())
def test_before_all_records_counts_are_zero_and_the_rest_is_missing(
    paid: pa.Table, ended: pa.Table, asked: pa.Table
) -> None:
    """An empty window is 0 for count, exists, sum and distinct; a clue without the key has none."""
    early = pa.array([worlds.START - timedelta(days=2)] * len(asked))
    with worlds.records_of(paid, ended) as records:
        told = swept(with_column(asked, "raised_at", early), records)
    for feature in DEFINED.features:
        if feature.source != "payments":
            continue
        assert feature.grouping is not None
        zero = 0.0 if feature.kind in ("count", "exists", "sum", "distinct") else None
        keys = zip(*(asked[ours].to_pylist() for ours, _ in feature.grouping.key), strict=True)
        named = [None not in key for key in keys] or [True] * len(asked)
        assert told[feature.name] == [zero if each else None for each in named], feature.name
    assert set(told["conversion__ratio_all"]) == {0.1}


@settings(LAWS, max_examples=15)
@given(
    worlds.payments(persons=worlds.hot_people, most=60),
    worlds.outcomes(),
    worlds.clues(persons=worlds.hot_people, most=30),
)
def test_one_person_with_most_records_and_most_clues(
    paid: pa.Table, ended: pa.Table, asked: pa.Table
) -> None:
    """A hot key, many clues on it: still equal to the plain loops, in SQL too."""
    with worlds.records_of(paid, ended) as records:
        looped = brute_features(DEFINED, asked, records)
        assert swept(asked, records) == looped
        assert plain(sql_features(DEFINED, asked, records)) == looped
