"""A scorer's curves are those of its training's report, read by the service alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.console.curves import STEPS, calibration, curves_of, drawn, gain
from training.plots import gain_curve

SCORES = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(label for _, label in rows) < len(rows)
)


@given(SCORES)
def test_cases_found_are_those_of_the_training_report(rows: list[tuple[int, bool]]) -> None:
    """The oracle draws with every row; ties are their expectation in both."""
    score, label = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    across, up = gain_curve(score, label)
    assert gain(score, label) == pytest.approx(
        np.interp(np.linspace(0, 1, STEPS + 1), across, up), abs=1e-12
    )
    parts = calibration(score / 6, label)
    assert sum(count for *_, count in parts) == len(rows)
    assert sum(share * count for _, share, count in parts) == pytest.approx(label.sum())


def test_only_labelled_clues_count_and_splits_are_ranked_apart(tmp_path: Path) -> None:
    """A split without cases is left out; where none has any there is no curve."""
    nan = float("nan")
    table = pa.table(
        {
            "split": [1, 1, 1, 2, 2, 2, 3, 3],
            "label": [1.0, 0.0, nan, 1.0, 0.0, nan, 0.0, 0.0],
            "probability": [0.9, 0.1, 0.5, 0.1, 0.9, 0.5, 0.2, 0.2],
            "score_scorer": [2.0, 1.0, 9.0, 1.0, 2.0, 9.0, 1.0, 2.0],
        }
    )
    pq.write_table(table, tmp_path / "test_scores.parquet")
    curves = curves_of(tmp_path)
    assert curves is not None
    assert (curves.found_in(0), curves.found_in(50), curves.found_in(100)) == (0.0, 0.5, 1.0)
    assert curves.perfect[STEPS // 2] == 1.0
    assert sum(count for *_, count in curves.bins) == 6
    assert drawn((0.0, 1.0)) == "0.0,200.0 200.0,0.0"
    (tmp_path / "none").mkdir()
    assert curves_of(tmp_path / "none") is None
    pq.write_table(table.slice(6), tmp_path / "none" / "test_scores.parquet")
    assert curves_of(tmp_path / "none") is None
