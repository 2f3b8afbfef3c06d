"""The online store against the batch engine: one clue at a time, as records keep arriving."""

from __future__ import annotations

import tempfile
from pathlib import Path

import feature_worlds as worlds
import online_worlds as online
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.online.store import online_features
from features.table import build_features

LAWS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@LAWS
@given(worlds.payments(), worlds.outcomes(), worlds.clues(), st.integers(1, 4))
def test_the_store_equals_the_sweep_however_the_records_arrived(
    paid: pa.Table, ended: pa.Table, asked: pa.Table, stages: int
) -> None:
    """Ties, late and retracted records, missing keys: equal, bit for bit, in any arrival."""
    defined = worlds.definitions()
    with worlds.records_of(paid, ended) as records, tempfile.TemporaryDirectory() as folder:
        reader = online.store_in_stages(Path(folder), defined, records, stages)
        told = online_features(defined, asked, reader.view())
        assert told.equals(build_features(defined, asked, records, threads=1))


@pytest.mark.parametrize("stages", [1, 3])
def test_tiles_of_a_hot_key_equal_the_sweep(tmp_path: Path, stages: int) -> None:
    """40,000 records of one person, 800 of them odd: tiles, edges and single records agree."""
    defined = online.wide_definitions()
    paid, ended, asked = online.hot_world(7, 50_000, 400)
    with worlds.records_of(paid, ended) as records:
        reader = online.store_in_stages(tmp_path, defined, records, stages)
        view = reader.view()
        told = online_features(defined, asked, view)
        swept = build_features(defined, asked, records, threads=1)
    for name in defined.names:
        assert told[name].to_pylist() == swept[name].to_pylist(), name
    segments = [s for history in view.histories.values() for s in history.segments]
    assert sum(len(s.tiles["tile_begin"]) for s in segments) > 10, "no tile was looked at"
