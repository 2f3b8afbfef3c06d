"""Lineage: the records told are enough, and no more than needed, to compute the value again."""

from __future__ import annotations

from typing import Any

import feature_worlds as worlds
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from base.errors import NotFound
from features.brute import AGGREGATES, Past, in_order
from features.definition import Grouping
from features.lineage import records_behind
from features.slices import Asked, slices_in_runs
from features.sweep import Sweep
from features.table import build_features
from governance.reading import Records

LAWS = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEFINED = worlds.definitions()
HISTORY = [feature for feature in DEFINED.features if feature.grouping and not feature.ratio]
RATIOS = [feature for feature in DEFINED.features if feature.ratio]
MICROS = pa.timestamp("us")
CHOSEN = {"min", "max", "last", "days_since_last"}
EXTREMES = [feature for feature in HISTORY if feature.kind in CHOSEN]
NEEDS_VALUE = {"sum", "mean", "distinct", "rank"}


def numbered(record_set: str, records: Records) -> dict[int, dict[str, Any]]:
    return {row["record_no"]: row for row in records.arrow(record_set).to_pylist()}


@LAWS
@given(worlds.any_payments(), worlds.outcomes(), worlds.clues())
def test_every_value_comes_again_from_its_records_alone(
    paid: pa.Table, ended: pa.Table, asked: pa.Table
) -> None:
    """The plain aggregate over nothing but the lineage's records is the feature, for every kind."""
    with worlds.records_of(paid, ended) as records:
        table = build_features(DEFINED, asked, records, threads=1)
        known = numbered("payments", records)
        for at, clue in enumerate(asked.to_pylist()):
            for feature in HISTORY:
                value = table[feature.name][at].as_py()
                behind = records_behind(DEFINED, feature.name, clue, records)
                rows = sorted((known[number] for number in behind.record_nos), key=in_order)
                if any(clue[ours] is None for ours, _ in feature.grouping.key):  # type: ignore[union-attr]
                    assert (value, rows) == (None, [])
                else:
                    assert AGGREGATES[feature.kind](feature, clue, rows) == value, feature.name


@LAWS
@given(worlds.any_payments(), worlds.outcomes(), worlds.clues())
def test_no_record_is_told_that_the_value_does_not_need(
    paid: pa.Table, ended: pa.Table, asked: pa.Table
) -> None:
    """One record for an extreme; those with a value for sums; else all that count, each once."""
    with worlds.records_of(paid, ended) as records:
        past = Past(asked, records)
        for at, clue in enumerate(asked.to_pylist()):
            for feature in HISTORY:
                behind = records_behind(DEFINED, feature.name, clue, records).record_nos
                rows = past.active(feature.grouping, feature.window_days, at) or []  # type: ignore[arg-type]
                if feature.kind in NEEDS_VALUE | {"min", "max"}:
                    rows = [row for row in rows if row[str(feature.column)] is not None]
                if feature.kind in CHOSEN:
                    rows = [chosen(feature.kind, str(feature.column), rows)] if rows else []
                in_time = sorted(rows, key=lambda row: (row["happened_at"], row["record_no"]))
                assert behind == tuple(row["record_no"] for row in in_time), feature.name


def chosen(kind: str, column: str, rows: list[Any]) -> Any:
    """The record an extreme stands for: of equals the one that could be used last."""
    if kind in ("last", "days_since_last"):
        return max(rows, key=in_order)
    extreme = (min if kind == "min" else max)(row[column] for row in rows)

    def entered(row: Any) -> Any:
        happened = row["happened_at"]
        return max(row["known_at"], happened), happened, row["record_no"]

    return max((row for row in rows if row[column] == extreme), key=entered)


@settings(LAWS, max_examples=30)
@given(
    worlds.payments(persons=st.just("a"), amounts=st.sampled_from([None, 1, 1, 1, 2]), most=20),
    worlds.clues(persons=st.just("a"), most=3),
)
def test_the_record_told_for_an_extreme_is_the_one_the_sweep_stopped_at(
    paid: pa.Table, asked: pa.Table
) -> None:
    """The kernel's own index, carried back to the record's number: min, max and the last."""
    stopped = stopped_at(asked, paid)
    with worlds.records_of(paid, no_outcomes()) as records:
        for feature in EXTREMES:
            told = [
                records_behind(DEFINED, feature.name, clue, records).record_nos
                for clue in asked.to_pylist()
            ]
            assert told == stopped[feature.name], feature.name


def stopped_at(asked: pa.Table, paid: pa.Table) -> dict[str, list[tuple[int, ...]]]:
    """Extreme -> per clue (all have the key) where the sweep finds it, if at all."""
    serial = pa.array(range(1, len(paid) + 1), pa.int64())
    stopped = {}
    with worlds.records_of(paid.append_column("serial", serial), no_outcomes()) as records:
        grouping = EXTREMES[0].grouping
        assert grouping is not None
        [(_, _, slices)] = slices_in_runs(Asked(records, asked), grouping, ["cents", "serial"])
        sweep, numbers = Sweep(slices, asked, threads=1), slices.records["serial"].to_pylist()
    for feature in EXTREMES:
        column = "cents" if feature.kind in ("min", "max") else None
        found = sweep._greatest(column, feature.window_days, feature.kind == "min")
        told: list[tuple[int, ...]] = [()] * len(asked)
        for at, index in zip(slices.clue_at, found, strict=True):
            told[at] = (numbers[index],) if index >= 0 else ()
        stopped[feature.name] = told
    return stopped


@pytest.mark.parametrize("retracted", [None, worlds.START + 6 * worlds.DAY])
def test_of_equal_amounts_the_one_that_could_be_used_last_is_told(retracted: Any) -> None:
    """Two equal payments, the earlier one known later: it is the extreme, the other the last.

    A retraction after the moment puts the exits out of order, so that the sweep takes its heap.
    """
    day = worlds.DAY
    paid = pa.table(
        {
            "person": ["a"] * 3,
            "agency": ["x"] * 3,
            "cents": pa.array([1, 1, 1], pa.int64()),
            "kind": ["p"] * 3,
            "happened_at": [worlds.START, worlds.START + day, worlds.START],
            "known_at": [worlds.START + 3 * day, worlds.START + day, worlds.START],
            "retracted_at": pa.array([None, None, retracted], MICROS),
        }
    )
    clue = {"person": "a", "raised_at": worlds.START + 5 * day}
    asked = pa.Table.from_pylist([clue], pa.schema({"person": pa.string(), "raised_at": MICROS}))
    stopped = stopped_at(asked, paid)
    with worlds.records_of(paid, no_outcomes()) as records:
        for kind, number in (("min_cents", 1), ("max_cents", 1), ("last_cents", 2)):
            name = f"own__{kind}_all"
            assert records_behind(DEFINED, name, clue, records).record_nos == (number,)
            assert stopped[name] == [(number,)]


@LAWS
@given(worlds.outcomes(), worlds.clues())
def test_a_ratio_tells_numerator_and_denominator_of_its_first_step_that_has_any(
    ended: pa.Table, asked: pa.Table
) -> None:
    """With both lists and the parent's share the value comes again."""
    with worlds.records_of(no_payments(), ended) as records:
        table = build_features(DEFINED, asked, records, threads=1)
        past = Past(asked, records)
        for feature in RATIOS:
            for at, clue in enumerate(asked.to_pylist()):
                behind = records_behind(DEFINED, feature.name, clue, records)
                counted, hits, share = steps(feature, at, past)
                assert set(behind.record_nos) == counted
                assert set(behind.hits) == hits
                assert table[feature.name][at].as_py() == share


def steps(feature: Any, at: int, past: Past) -> tuple[set[int], set[int], float]:
    """Counted records and hits of the most specific step that has any, and the share."""
    ratio, share = feature.ratio, feature.ratio.prior
    counted: set[int] = set()
    hits: set[int] = set()
    for step in reversed(ratio.ladder):
        grouping = Grouping(ratio.source, tuple(step.items()), ratio.where)
        rows = past.active(grouping, feature.window_days, at, ratio.numerator) or []
        if rows:
            counted = {row["record_no"] for row in rows}
            hits = {row["record_no"] for row in rows if row["became_case"] == 1}
        won = sum(row["became_case"] == 1 for row in rows)
        share = (won + ratio.strength * share) / (len(rows) + ratio.strength)
    return counted, hits, share


def test_plain_columns_stand_in_the_clue_itself() -> None:
    """No record set and no records."""
    with worlds.records_of(no_payments(), no_outcomes()) as records:
        behind = records_behind(DEFINED, "cents", {}, records)
    assert (behind.record_set, behind.record_nos) == (None, ())


def test_lineage_of_an_unknown_feature_names_the_nearest() -> None:
    """A misspelt feature is NotFound with its cure."""
    with (
        worlds.records_of(no_payments(), no_outcomes()) as records,
        pytest.raises(NotFound, match="write 'own__count_3d'"),
    ):
        records_behind(DEFINED, "own__cuont_3d", {}, records)


def no_payments() -> pa.Table:
    return _nothing("payments")


def no_outcomes() -> pa.Table:
    return _nothing("outcomes")


def _nothing(name: str) -> pa.Table:
    kinds = {"string": pa.string(), "integer": pa.int64()}
    columns = {column: pa.array([], kinds[kind]) for column, kind in worlds.SOURCES[name].items()}
    return pa.table({**columns, "happened_at": pa.array([], pa.timestamp("us"))})
