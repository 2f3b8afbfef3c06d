"""Labels: only ripe ones, only what was known at the cut; unknown is never negative."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
from hamlet import settled_hamlet
from hypothesis import given, settings
from hypothesis import strategies as st

from base.moment import FixedClock
from clues.raising import raise_until
from clues.register import read_clues
from dispatch.outcome import take_outcomes
from governance.reading import Records
from training.experiment import OutcomeLabel, RecordsLabel, Survival
from training.label import label_clues

CUT = datetime(2025, 1, 1)
OUTCOME = OutcomeLabel(kind="outcome", horizon_days=100, reporting_lag_days=10)
STAMP = pa.timestamp("us")
OUTCOME_SCHEMA = pa.schema(
    {
        "clue_id": pa.string(),
        "status": pa.string(),
        "became_case": pa.int64(),
        "happened_at": STAMP,
        "known_at": STAMP,
        "retracted_at": STAMP,
    }
)


def clues(*moments: datetime) -> pa.Table:
    return pa.table(
        {
            "clue_id": [f"c{number}" for number in range(len(moments))],
            "subject_id": [str(number) for number in range(len(moments))],
            "raised_at": pa.array(moments, pa.timestamp("us")),
        }
    )


def outcomes(
    *rows: tuple[str, int | None, datetime, datetime, datetime | None], status: str = ""
) -> Records:
    columns = [list(column) for column in zip(*rows, strict=True)] or [[]] * 5
    told = [status or ("unfounded", "case_filed")[value or 0] for value in columns[1]]
    given_columns = zip(OUTCOME_SCHEMA.names, [columns[0], told, *columns[1:]], strict=True)
    table = pa.table(dict(given_columns), schema=OUTCOME_SCHEMA)
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


@pytest.mark.parametrize("status", ["withdrawn", "merged", "split"])
def test_what_is_no_clue_any_more_is_unknown_and_stands_for_nothing(status: str) -> None:
    """Its record was corrected, or it lives on in another clue: no label, and counted by name."""
    then = datetime(2024, 4, 1)
    found = label_clues(
        OUTCOME,
        clues(datetime(2024, 3, 1)),
        outcomes(("c0", None, then, then, None), status=status),
        CUT,
    )
    assert np.isnan(found.values[0])
    assert not found.standing[0]
    assert found.counts == {
        "labelled": 0,
        "unripe": 0,
        "taught_early": 0,
        "unpursued": 0,
        "cases_withdrawn": 0,
        f"undecided_{status}": 1,
    }


def test_a_returned_clue_is_unknown_and_still_one() -> None:
    """Not ours, said an office: nobody has concluded anything, and it may yet be pursued."""
    then = datetime(2024, 4, 1)
    told = outcomes(("c0", None, then, then, None), status="returned")
    found = label_clues(OUTCOME, clues(datetime(2024, 3, 1)), told, CUT)
    assert np.isnan(found.values[0])
    assert found.standing[0]
    assert (found.unpursued, found.undecided) == (0, {"returned": 1})


@pytest.mark.parametrize(("declared", "wanted"), [("negative", 0.0), ("unknown", np.nan)])
def test_a_case_withdrawn_later_is_what_the_experiment_declares(
    declared: Literal["negative", "unknown"], wanted: float
) -> None:
    """A case until the withdrawal is known, then no case or unknown; counted either way."""
    filed, withdrawn = datetime(2024, 4, 1), datetime(2024, 9, 1)
    first = ("c0", 1, filed, filed, withdrawn)
    told = Records.of_tables(
        {
            "outcomes": pa.concat_tables(
                [
                    outcomes(first).arrow("outcomes"),
                    outcomes(("c0", 0, withdrawn, withdrawn, None), status="case_withdrawn").arrow(
                        "outcomes"
                    ),
                ]
            )
        }
    )
    label = OUTCOME.model_copy(update={"withdrawn": declared})
    asked = clues(datetime(2024, 3, 1))
    before = label_clues(label, asked, told, datetime(2024, 8, 31))
    after = label_clues(label, asked, told, CUT)
    assert (before.values[0], before.cases_withdrawn) == (1.0, 0)
    assert np.array_equal(after.values, [wanted], equal_nan=True)
    assert after.cases_withdrawn == 1
    assert after.unpursued == 0


words = st.lists(
    st.tuples(
        st.sampled_from(["case_filed", "unfounded", "returned", "case_withdrawn"]),
        st.integers(0, 200),
        st.integers(0, 60),
    ),
    max_size=4,
)
DECIDES = {"case_filed": 1, "unfounded": 0, "returned": None, "case_withdrawn": 0}


@settings(max_examples=40, deadline=None)
@given(words, st.integers(0, 300), st.randoms(use_true_random=False))
def test_the_last_word_before_the_cut_decides_whatever_comes_later_or_in_which_order(
    told: list[tuple[str, int, int]], days: int, shuffle: random.Random
) -> None:
    """Beside a plain loop; rows known at the cut or later, and the order of rows, do nothing."""
    moment = datetime(2024, 3, 1)
    cut = moment + timedelta(days=days)
    rows = sorted(
        (moment + timedelta(days=decided + waited, hours=at), status, decided)
        for at, (status, decided, waited) in enumerate(told)
    )
    wanted = np.nan
    for known, status, decided in rows:
        if known < cut:
            value = DECIDES[status]
            wanted = np.nan if value is None else float(value and decided < 100)
    if not days >= 110:
        wanted = np.nan
    table = {
        "clue_id": ["c0"] * len(rows),
        "status": [row[1] for row in rows],
        "became_case": pa.array([DECIDES[row[1]] for row in rows], pa.int64()),
        "happened_at": [moment + timedelta(days=row[2]) for row in rows],
        "known_at": [row[0] for row in rows],
        "retracted_at": [row[0] for row in rows[1:]] + [None] * bool(rows),
    }
    whole = pa.table(table, schema=OUTCOME_SCHEMA)
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    for given_rows in (whole, whole.take(pa.array(order, pa.int64()))):
        records = Records.of_tables({"outcomes": given_rows})
        found = label_clues(OUTCOME, clues(moment), records, cut)
        assert np.array_equal(found.values, [wanted], equal_nan=True)


def test_with_survival_an_unripe_clue_that_ended_teaches_and_ripe_ones_stay_as_they_are() -> None:
    """Its step was lived through; one that ended in the step of the cut, or not at all, waits."""
    label = OUTCOME.model_copy(update={"survival": Survival(step_days=30)})
    old, young = datetime(2024, 3, 1), datetime(2024, 10, 1)
    asked = clues(old, old, young, young, young).append_column(
        "supervision_model", pa.array(["m"] * 5)
    )
    early, late = young + timedelta(days=20), young + timedelta(days=70)
    told = outcomes(
        ("c0", 1, datetime(2024, 4, 20), datetime(2024, 4, 21), None),
        ("c2", 0, early, early, None),
        ("c3", 1, late, late, None),
    )
    found = label_clues(label, asked, told, CUT)
    plain = label_clues(OUTCOME, asked, told, CUT)
    assert np.array_equal(found.values, [1, np.nan, 0, np.nan, np.nan], equal_nan=True)
    assert np.array_equal(plain.values, [1, np.nan, np.nan, np.nan, np.nan], equal_nan=True)
    assert (found.taught_early, found.unripe, found.unpursued) == (1, 2, 1)
    # Two of four that were open were no longer followed from day 60 on; c0 had ended on day 50.
    assert found.weight.tolist() == [1.0, 0.0, 1.0, 0.0, 0.0]
    assert plain.weight.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]


def test_every_status_comes_through_the_front_door(tmp_path: Path, clock: FixedClock) -> None:
    """Raised twice is one clue; outcomes admitted as files; each status has its meaning."""
    home = settled_hamlet(tmp_path, clock)
    again = raise_until(home, datetime(2024, 8, 1))
    assert again["paid_after_death"].merged == 12
    asked = read_clues(home)
    assert asked.num_rows == 12
    ids = asked["clue_id"].to_pylist()
    told = ["case_filed", "unfounded", "transferred", "returned", "case_withdrawn"]
    lines = [f"{i},{status},2024-07-20,2024-07-25" for i, status in zip(ids, told, strict=False)]
    file = tmp_path / "told.csv"
    file.write_text("clue_id,status,decided_at,reported_at\n" + "\n".join(lines) + "\n")
    assert take_outcomes(home, file, clock)["accepted"] == 5
    with Records(home) as records:
        found = label_clues(OUTCOME, asked, records, CUT)
    assert np.array_equal(found.values[:5], [1, 0, 0, np.nan, 0], equal_nan=True)
    assert np.isnan(found.values[5:]).all()
    assert (found.unpursued, found.undecided, found.cases_withdrawn) == (7, {"returned": 1}, 1)
