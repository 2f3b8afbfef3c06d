"""Labels of flagged endings do not teach where that is declared, and a run says so."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from training.held_out import without_held_out
from training.label import Labels


def test_held_out_labels_are_unknown_and_told_by_whose_they_are() -> None:
    """The others stay; an unknown one is not counted; without a rule nothing changes."""
    labels = Labels(np.array([1.0, 0.0, np.nan, 0.0]), 1, 0, np.array([1.0, 1.0, 0.0, 0.5]),
                    np.ones(4, bool))  # fmt: skip
    clues = pa.table({"clue_id": ["a", "b", "c", "d"]})
    told, notes = without_held_out(labels, clues, {"b": "key1", "c": "key1", "d": "key2"})
    np.testing.assert_array_equal(told.values, [1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(told.weight, [1, 0, 0, 0])
    assert told.counts["labelled"] == 1
    assert notes == ("2 labels held out, flagged feedback of key1: 1, key2: 1",)
    assert "2" in notes[0].zh
    assert without_held_out(labels, clues, {}) == (labels, ())
    assert without_held_out(labels, clues, {"x": "key1"}) == (labels, ())
