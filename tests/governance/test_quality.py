"""Quality rules count what they say, by whatever way they count it."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.engine import connect
from governance.quality import _measured
from governance.terms import QualityRule

ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 3) | st.none()))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory):
    with connect(tmp_path_factory.mktemp("spill")) as connection:
        yield connection


@given(ROWS, st.sampled_from([["x"], ["y"], ["x", "y"]]))
def test_doubled_values_are_rows_less_different_values(engine, rows, names: list[str]) -> None:
    """A missing value of a single column is none; beside another it is one like any."""
    table = pa.table(
        {
            "x": pa.array([x for x, _ in rows], pa.string()),
            "y": pa.array([y for _, y in rows], pa.int64()),
        }
    )
    engine.register("measured", table)
    rule = QualityRule("r", "duplicateValues", "mustBe", (0.0,), arguments={"properties": names})
    values = [tuple(dict(zip("xy", row, strict=True))[name] for name in names) for row in rows]
    different = {value for value in values if len(names) > 1 or value[0] is not None}
    assert _measured(engine, rule, "measured", len(rows)).value == len(rows) - len(different)
