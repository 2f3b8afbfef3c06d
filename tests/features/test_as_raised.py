"""Groups over the register of clues: a scorer is asked with the values that it learned from."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import feature_worlds as worlds
import online_worlds as online
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clues.clue import RAISING, clue_asked_at, clues_asked_at
from features.brute import AGGREGATES, brute_features, in_order
from features.lineage import records_behind
from features.online.row import RowMaker
from features.online.store import online_features
from features.sql import sql_features
from features.table import build_features
from governance.reading import Records

LAWS = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEFINED = worlds.over_the_register()
HISTORY = [each for each in DEFINED.features if each.grouping is not None and each.ratio is None]
OF_REGISTER = [each.name for each in DEFINED.features if each.source == "clues"]
LATER = worlds.START + timedelta(days=9)


def values(table: pa.Table) -> dict[str, list[object]]:
    return {name: table[name].to_pylist() for name in DEFINED.names}


def of_register(table: pa.Table) -> dict[str, list[object]]:
    return {name: table[name].to_pylist() for name in OF_REGISTER}


def at_moment(asked: pa.Table, moment: datetime) -> pa.Table:
    """The clues that are raised by a moment, asked about at it."""
    raised = [at for at, each in enumerate(asked["raised_at"].to_pylist()) if each <= moment]
    return clues_asked_at(asked.take(pa.array(raised, pa.int64())), moment)


@LAWS
@given(worlds.payments(), worlds.clues(), worlds.clues())
def test_a_later_moment_changes_no_value_over_the_register(
    paid: pa.Table, asked: pa.Table, others: pa.Table
) -> None:
    """Not by the clue itself, nor by clues raised after it; days are counted from its raising."""
    with worlds.register_of(paid, asked, others) as records:
        learned = build_features(DEFINED, asked, records, threads=1)
        served = build_features(DEFINED, clues_asked_at(asked, LATER), records, threads=1)
    assert served["moment"].to_pylist() == [LATER] * len(asked)
    assert of_register(served) == of_register(learned)


@LAWS
@given(worlds.any_payments(), worlds.clues(), worlds.clues(), worlds.moments)
def test_every_engine_looks_at_the_register_as_the_clue_was_raised(
    paid: pa.Table, asked: pa.Table, others: pa.Table, moment: datetime
) -> None:
    """Sweep, SQL, plain loops, online store and row maker: equal, at any moment after the raising;
    other record sets are looked at as of the moment."""
    later = at_moment(asked, moment)
    with (
        worlds.register_of(paid, asked, others) as records,
        tempfile.TemporaryDirectory() as folder,
    ):
        batch = build_features(DEFINED, later, records, threads=2)
        queried = sql_features(DEFINED, later, records)
        view = online.store_in_stages(Path(folder), DEFINED, records, 2).view()
        assert queried.schema == batch.schema
        assert values(queried) == values(batch) == brute_features(DEFINED, later, records)
        assert online_features(DEFINED, later, view).equals(batch)
        maker = RowMaker(DEFINED, worlds.CLUE_COLUMNS)
        made = [maker.values(clue, view) for clue in later.to_pylist()]
        assert [list(row) for row in zip(*values(batch).values(), strict=True)] == made


@LAWS
@given(worlds.payments(), worlds.clues(), worlds.clues())
def test_the_records_shown_are_those_that_were_counted(
    paid: pa.Table, asked: pa.Table, others: pa.Table
) -> None:
    """The plain aggregate over nothing but the lineage's records is the value, at a later moment;
    the clue itself is never among them."""
    later = clues_asked_at(asked, LATER)
    with worlds.register_of(paid, asked, others) as records:
        table = build_features(DEFINED, later, records, threads=1)
        held = {
            name: {row["record_no"]: row for row in records.arrow(name).to_pylist()}
            for name in ("payments", "clues")
        }
        for at, clue in enumerate(later.to_pylist()):
            for feature in HISTORY:
                assert feature.grouping is not None
                behind = records_behind(DEFINED, feature.name, clue, records)
                rows = [held[str(feature.source)][number] for number in behind.record_nos]
                assert clue["clue_id"] not in {row.get("clue_id") for row in rows}
                if all(clue[ours] is not None for ours, _ in feature.grouping.key):
                    again = AGGREGATES[feature.kind](feature, clue, sorted(rows, key=in_order))
                    assert again == table[feature.name][at].as_py(), feature.name


@given(worlds.moments, worlds.moments)
def test_asked_again_a_clue_keeps_its_first_raising(raised: datetime, moment: datetime) -> None:
    """One clue and a table of them alike, however often they are asked about."""
    clue: dict[str, Any] = {"clue_id": "c", "raised_at": raised}
    twice = clue_asked_at(clue_asked_at(clue, moment), LATER)
    assert twice == {"clue_id": "c", "raised_at": LATER, RAISING: raised}
    table = pa.Table.from_pylist([clue])
    assert clues_asked_at(clues_asked_at(table, moment), LATER).to_pylist() == [twice]


@LAWS
@given(worlds.clues(), st.data())
def test_a_clue_without_a_raising_of_its_own_was_raised_at_its_moment(
    asked: pa.Table, data: st.DataObject
) -> None:
    """A table that holds both kinds, as one request may bring them."""
    kept = [data.draw(st.booleans()) for _ in range(len(asked))]
    rows = [
        clue_asked_at(row, LATER) if whole else row
        for row, whole in zip(asked.to_pylist(), kept, strict=True)
    ]
    mixed = pa.Table.from_pylist(rows, clues_asked_at(asked, LATER).schema)
    nothing = worlds.payments_of([])
    with Records.of_tables({"payments": nothing, "clues": worlds.as_records(asked)}) as records:
        batch = build_features(DEFINED, mixed, records, threads=1)
        assert values(sql_features(DEFINED, mixed, records)) == values(batch)
        assert of_register(batch) == of_register(build_features(DEFINED, asked, records, threads=1))
