"""Laws of the feature table, against the plain loops of features/brute.py."""

from __future__ import annotations

import feature_worlds as worlds
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.brute import brute_features
from features.lineage import records_behind
from features.table import build_features

LAWS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DEFINED = worlds.definitions()


def plain(table: pa.Table) -> dict[str, list[object]]:
    """Columns as plain lists; NaN as None."""
    told = {}
    for name in DEFINED.names:
        column = table[name]
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), None, column)
        told[name] = column.to_pylist()
    return told


@LAWS
@given(worlds.payments(), worlds.outcomes(), worlds.clues())
def test_the_sweep_equals_plain_loops(paid: pa.Table, ended: pa.Table, asked: pa.Table) -> None:
    """Every kind, every window, ties, late and retracted records: equal, bit for bit."""
    with worlds.records_of(paid, ended) as records:
        swept = build_features(DEFINED, asked, records, threads=2)
        assert plain(swept) == brute_features(DEFINED, asked, records)


@LAWS
@given(worlds.payments(), worlds.outcomes(), worlds.clues(), worlds.moments)
def test_what_becomes_known_at_or_after_the_moment_changes_nothing(
    paid: pa.Table, ended: pa.Table, asked: pa.Table, moment: object
) -> None:
    """The leak law (P-15): records known at or after a clue's moment leave its features alone."""
    at = pa.scalar(moment, pa.timestamp("us"))
    asked = asked.set_column(
        asked.schema.get_field_index("raised_at"), "raised_at", pa.array([moment] * len(asked))
    )
    before = paid.filter(pc.less(paid["known_at"], at))
    with (
        worlds.records_of(paid, ended) as whole,
        worlds.records_of(before, ended.filter(pc.less(ended["happened_at"], at))) as part,
    ):
        seen = build_features(DEFINED, asked, whole, threads=1)
        then = build_features(DEFINED, asked, part, threads=1)
        assert plain(seen) == plain(then)


@LAWS
@given(worlds.payments(), worlds.outcomes(), worlds.clues(), st.randoms())
def test_neither_the_order_of_clues_nor_threads_nor_company_matters(
    paid: pa.Table, ended: pa.Table, asked: pa.Table, shuffler: object
) -> None:
    """A clue's features are its own: alone, shuffled, or on three threads."""
    order = list(range(len(asked)))
    shuffler.shuffle(order)  # type: ignore[attr-defined]
    with worlds.records_of(paid, ended) as records:
        together = build_features(DEFINED, asked, records, threads=1)
        shuffled = build_features(DEFINED, asked.take(order), records, threads=3)
        alone = build_features(DEFINED, asked.slice(0, 1), records, threads=1)
        assert plain(together.take(order)) == plain(shuffled)
        assert plain(together.slice(0, 1)) == plain(alone)


@LAWS
@given(worlds.payments(), worlds.outcomes(), worlds.clues())
def test_a_count_is_as_large_as_the_list_of_its_records(
    paid: pa.Table, ended: pa.Table, asked: pa.Table
) -> None:
    """Lineage tells exactly the records that a count counted; none for a missing key."""
    with worlds.records_of(paid, ended) as records:
        table = build_features(DEFINED, asked, records, threads=1)
        for at, clue in enumerate(asked.to_pylist()):
            for name in ("own__count_3d", "own__count_all", "agency_large__count_2d"):
                behind = records_behind(DEFINED, name, clue, records)
                assert len(behind.record_nos) == (table[name][at].as_py() or 0)
                assert len(set(behind.record_nos)) == len(behind.record_nos)


@LAWS
@given(worlds.outcomes(), worlds.clues())
def test_lineage_of_a_ratio_names_numerator_and_denominator(
    ended: pa.Table, asked: pa.Table
) -> None:
    """Hits are among the counted records, and are those that became a case."""
    empty = pa.table(
        {
            "person": pa.array([], pa.string()),
            "agency": pa.array([], pa.string()),
            "cents": pa.array([], pa.int64()),
            "kind": pa.array([], pa.string()),
            "happened_at": pa.array([], pa.timestamp("us")),
        }
    )
    cases = {
        number for number, became in enumerate(ended["became_case"].to_pylist(), 1) if became == 1
    }
    with worlds.records_of(empty, ended) as records:
        for clue in asked.to_pylist():
            behind = records_behind(DEFINED, "conversion__ratio_all", clue, records)
            assert set(behind.hits) == set(behind.record_nos) & cases
