"""Labels: only ripe ones, only what was known at the cut; unknown is never negative."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from governance.reading import Records
from training.experiment import OutcomeLabel, RecordsLabel
from training.label import label_clues

CUT = datetime(2025, 1, 1)
OUTCOME = OutcomeLabel(kind="outcome", horizon_days=100, reporting_lag_days=10)


def clues(*moments: datetime) -> pa.Table:
    return pa.table(
        {
            "clue_id": [f"c{number}" for number in range(len(moments))],
            "subject_id": [str(number) for number in range(len(moments))],
            "raised_at": pa.array(moments, pa.timestamp("us")),
        }
    )


def outcomes(*rows: tuple[str, int | None, datetime, datetime, datetime | None]) -> Records:
    columns = list(zip(*rows, strict=True)) or [[]] * 5
    stamp = pa.timestamp("us")
    table = pa.table(
        {
            "clue_id": pa.array(columns[0], pa.string()),
            "became_case": pa.array(columns[1], pa.int64()),
            "happened_at": pa.array(columns[2], stamp),
            "known_at": pa.array(columns[3], stamp),
            "retracted_at": pa.array(columns[4], stamp),
        }
    )
    return Records.of_tables({"outcomes": table})


def test_an_early_outcome_of_an_unripe_clue_does_not_teach() -> None:
    """Else only the quick ones would teach."""
    early, moment = datetime(2024, 11, 20), datetime(2024, 11, 1)
    labels = label_clues(OUTCOME, clues(moment), outcomes(("c0", 1, early, early, None)), CUT)
    assert np.isnan(labels.values[0])
    assert (labels.unripe, labels.unpursued) == (1, 0)


def test_a_clue_nobody_looked_at_is_unknown_and_counted() -> None:
    """Ripe, without an outcome: NaN, never 0."""
    labels = label_clues(OUTCOME, clues(datetime(2024, 3, 1)), outcomes(), CUT)
    assert np.isnan(labels.values[0])
    assert (labels.unripe, labels.unpursued) == (0, 1)


@pytest.mark.parametrize(
    ("known", "wanted"), [(datetime(2024, 12, 31), 1.0), (datetime(2025, 1, 1), np.nan)]
)
def test_an_outcome_known_at_the_cut_or_later_does_not_teach(
    known: datetime, wanted: float
) -> None:
    """Strictly before, like every feature (P-15)."""
    decided = datetime(2024, 5, 1)
    found = label_clues(
        OUTCOME, clues(datetime(2024, 3, 1)), outcomes(("c0", 1, decided, known, None)), CUT
    )
    assert found.values[0] == wanted or np.isnan(found.values[0]) == np.isnan(wanted)


def test_a_correction_known_before_the_cut_is_the_label() -> None:
    """The first word counts until the correction is known, then the second does."""
    decided, corrected = datetime(2024, 4, 1), datetime(2024, 9, 1)
    records = outcomes(
        ("c0", 1, decided, decided, corrected), ("c0", 0, corrected, corrected, None)
    )
    asked = clues(datetime(2024, 3, 1))
    assert label_clues(OUTCOME, asked, records, CUT).values[0] == 0.0
    assert label_clues(OUTCOME, asked, records, datetime(2024, 8, 31)).values[0] == 1.0


def test_a_case_filed_after_the_horizon_is_no_case_within_it() -> None:
    """The question is whether it becomes one within the horizon."""
    late = datetime(2024, 7, 1)
    found = label_clues(
        OUTCOME, clues(datetime(2024, 3, 1)), outcomes(("c0", 1, late, late, None)), CUT
    )
    assert found.values[0] == 0.0


def test_records_after_the_moment_decide_and_none_means_unknown() -> None:
    """1 if any in [moment, moment + within) is positive, 0 if there are any, else NaN."""
    label = RecordsLabel(
        kind="records",
        record_set="inspections",
        key={"subject_id": "entity"},
        within={"months": 6},
        positive="result = 'fail'",
    )
    moment = datetime(2024, 1, 31)
    times = [moment, datetime(2024, 7, 30), datetime(2024, 7, 31), datetime(2024, 2, 1)]
    table = pa.table(
        {
            "entity": [0, 1, 2, 0],
            "result": ["pass", "fail", "fail", "fail"],
            "happened_at": pa.array(times, pa.timestamp("us")),
        }
    )
    records = Records.of_tables({"inspections": table})
    found = label_clues(label, clues(moment, moment, moment, moment), records, CUT)
    assert found.values[:2].tolist() == [1.0, 1.0]
    assert np.isnan(found.values[2:]).all()
