"""Bad input of features: refused by name, with what was wanted and the cure; never a silent value.

definitions   names that do not exist, windows, conditions that could see the outcome
values        NaN, infinity, sums beyond 2^62, whole numbers beyond 2^53
times         a record that happened after it was known
"""

from __future__ import annotations

import copy
from datetime import datetime
from pathlib import Path
from typing import Any

import feature_worlds as worlds
import hamlet
import pyarrow as pa
import pytest

from base.errors import Fault, Refused
from base.moment import Clock
from features.brute import brute_features
from features.definition import FeatureSet, load_features
from features.sql import sql_features
from features.table import build_features
from governance import quarantine
from governance.home import Home
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction
from governance.reading import Records

SOURCES = {**worlds.SOURCES, "tests": {"person": "string", "level": "number", "clean": "boolean"}}
DAY = worlds.DAY


def load(declared: dict[str, Any]) -> FeatureSet:
    return load_features(declared, sources=SOURCES, clue_columns=worlds.CLUE_COLUMNS)


def changed(**parts: Any) -> dict[str, Any]:
    """The definitions of the worlds with parts of their first group exchanged."""
    declared = copy.deepcopy(worlds.DEFINITIONS)
    declared["history"][0] |= parts
    return declared


def only_fault(declared: dict[str, Any]) -> Fault:
    with pytest.raises(Refused) as refusal:
        load(declared)
    assert len(refusal.value.faults) == 1, str(refusal.value)
    return refusal.value.faults[0]


def level(kind: str, **parts: Any) -> FeatureSet:
    """One feature over `tests.level`."""
    feature = {"kind": kind, "column": "level", "sentence": worlds.WORDS, **parts}
    group = {"group": "own", "source": "tests", "key": {"person": "person"}, "windows": ["all"]}
    return load({"history": [{**group, "features": [feature]}]})


def levels_of(levels: list[float | None]) -> Records:
    rows = len(levels)
    happened = [worlds.START + number * DAY for number in range(rows)]
    table = {
        "person": ["a"] * rows,
        "level": pa.array(levels, pa.float64()),
        "happened_at": happened,
    }
    return Records.of_tables({"tests": pa.table(table)})


def clue(moment: datetime, **columns: Any) -> pa.Table:
    named = {"clue_id": ["c"], "person": ["a"], "agency": ["x"], "model": ["m"], "cents": [1]}
    told = {name: [value] for name, value in columns.items()}
    moments = pa.array([moment], pa.timestamp("us"))
    return pa.table({**named, **told, "raised_at": moments})


@pytest.mark.parametrize(
    ("parts", "wanted", "got", "cure"),
    [
        ({"source": "paymens"}, "a record set", "'paymens'", "write 'payments'"),
        ({"key": {"persn": "person"}}, "a column of the clue (key)", "'persn'", "write 'person'"),
        (
            {"key": {"person": "persn"}},
            "a column of payments (key)",
            "'persn'",
            "write 'person'",
        ),
        (
            {"features": [{"kind": "sum", "column": "centz", "sentence": worlds.WORDS}]},
            "a column of payments",
            "'centz'",
            "write 'cents'",
        ),
        (
            {
                "features": [
                    {"kind": "rank", "column": "cents", "of": "centz", "sentence": worlds.WORDS}
                ]
            },
            "a column of the clue",
            "'centz'",
            "write 'cents'",
        ),
        ({"where": "centz > 1"}, "a column that was fixed", "'centz'", "write 'cents'"),
    ],
)
def test_a_name_that_does_not_exist_is_refused_with_the_nearest(
    parts: dict[str, Any], wanted: str, got: str, cure: str
) -> None:
    """Record set, key on either side, column, the clue's own column, condition."""
    fault = only_fault(changed(**parts))
    assert fault.wanted.startswith(wanted)
    assert fault.got.startswith(got)
    assert fault.cure == cure
    assert "own" in fault.where


@pytest.mark.parametrize("window", [0, -3, 36_526, "year", "30", 1.5, True, None])
def test_a_malformed_window_is_refused_in_one_sentence(window: Any) -> None:
    """Neither zero nor negative days, no words but `all`, no number that is not whole."""
    fault = only_fault(changed(windows=[window]))
    assert fault.wanted == "a window: whole days from 1 to 36525, or the word all"
    assert fault.got == repr(window)
    assert "windows.0" in fault.where


def test_no_window_at_all_is_refused() -> None:
    """A group that would compute nothing says so, and what to write."""
    count = [{"kind": "count", "sentence": worlds.WORDS}]
    fault = only_fault(changed(windows=[], features=count))
    assert (fault.wanted, fault.cure) == ("a window", "write windows: [all]")


@pytest.mark.parametrize(
    ("where", "name", "why"),
    [
        ("retracted_at IS NULL", "'retracted_at'", "written later, when the record is corrected"),
        ("known_at > happened_at", "'known_at'", "held against the clue's moment by the rule"),
        ("record_no > 100", "'record_no'", "given in the order of arrival"),
        ("batch <> 'x'", "'batch'", "says how the record arrived"),
        ("became_case = 1", "'became_case'", "a column of outcomes"),
        ("agency = 'x' AND model = 'm'", "'model'", "could see the outcome"),
        ("cents > 1 AND status = 'case_filed'", "'status'", "its sender overwrites"),
        ("now() > DATE '2024-01-01'", "NOW()", "reads the clock or draws lots"),
        ("current_date > DATE '2024-01-01'", "CURRENT_DATE", "reads the clock"),
        ("today() > DATE '2024-01-01'", "CURRENT_DATE", "reads the clock"),
        ("current_timestamp IS NOT NULL", "CURRENT_TIMESTAMP", "reads the clock"),
        ("random() < 0.5", "RANDOM()", "draws lots"),
        ("uuid() <> kind", "UUID()", "draws lots"),
        ("nextval('s') > 1", "NEXTVAL('s')", "reads the clock or draws lots"),
        ("cents > (SELECT max(cents) FROM outcomes)", "(SELECT MAX(cents) FROM outcomes)", ""),
        ("row_number() OVER () = 1", "ROW_NUMBER() OVER ()", ""),
        ("getenv('HOME') = kind", "GETENV('HOME')", ""),
        ("payments.cents > 1", "'payments.cents'", ""),
    ],
)
def test_a_condition_that_could_see_the_outcome_is_refused_by_name(
    where: str, name: str, why: str
) -> None:
    """Columns written later or elsewhere, the clock, chance, other rows: named, with the reason."""
    with pytest.raises(Refused) as refusal:
        load(changed(where=where))
    fault = next(fault for fault in refusal.value.faults if fault.got.startswith(name))
    assert why in fault.got
    assert fault.cure
    assert fault.where == "features: own"


def test_the_numerator_of_a_ratio_is_held_to_the_same() -> None:
    """A share may not count by the clock either."""
    declared = copy.deepcopy(worlds.DEFINITIONS)
    declared["ratios"][0]["numerator"] = "retracted_at IS NULL"
    assert "could see the outcome" in only_fault(declared).got


def test_what_another_record_set_knows_is_asked_there() -> None:
    """The cure leads to a group of its own, where outcomes count once they are known."""
    fault = only_fault(changed(where="became_case = 1"))
    assert "source: outcomes" in fault.cure


@pytest.mark.parametrize(
    ("where", "word"),
    [
        ("cents", "true or false"),
        ("cents > 'dear'", "Conversion Error"),
        ("kind > 3", "Cannot compare"),
        ("cents > 1; DROP TABLE payments", "2 statements"),
        ("cents > 1 -- and so on", "comment"),
        ("", "nothing"),
    ],
)
def test_a_condition_the_engine_cannot_answer_is_refused_before_any_record_is_read(
    where: str, word: str
) -> None:
    """Types that do not compare, more than one statement, no condition at all."""
    assert word in str(only_fault(changed(where=where)))


@pytest.mark.parametrize(
    "where",
    [
        "cents BETWEEN 1 AND 5 AND kind ILIKE 'P%'",
        "coalesce(lower(kind), '') IN ('p', 'q') OR NOT (cents % 2 = 0)",
        "CASE WHEN kind IS NULL THEN cents ELSE 0 END > abs(-1)",
        "regexp_matches(kind, '^p')",
        "TRY_CAST(kind AS DATE) IS NOT NULL",
    ],
)
def test_plain_comparisons_of_a_records_own_columns_are_taken(where: str) -> None:
    """And answer alike in the sweep, in SQL and in plain loops."""
    counted = [{"kind": "count", "sentence": worlds.WORDS}]
    defined = load({"history": [changed(where=where, features=counted)["history"][0]]})
    paid = pa.table(
        {
            "person": ["a"] * 6,
            "agency": ["x"] * 6,
            "cents": pa.array([0, 1, 2, 5, 6, None], pa.int64()),
            "kind": pa.array(["p", "q", None, "Pq", "2024-01-01", None]),
            "happened_at": [worlds.START] * 6,
        }
    )
    asked = clue(worlds.START + DAY)
    with Records.of_tables({"payments": paid}) as records:
        counts = build_features(defined, asked, records, threads=1)["own__count_all"].to_pylist()
        assert 0 < counts[0] < 6
        assert sql_features(defined, asked, records)["own__count_all"].to_pylist() == counts
        assert brute_features(defined, asked, records)["own__count_all"] == counts


@pytest.mark.parametrize("kind", ["min", "max", "last", "distinct", "rank"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_refused_where_it_would_be_compared(kind: str, bad: float) -> None:
    """NaN and infinity that bypassed intake: told with the column and how many, never a value."""
    defined = level(kind, **({"of": "cents"} if kind == "rank" else {}))
    with (
        levels_of([1.5, bad, None]) as records,
        pytest.raises(Refused, match="NaN or infinite in 1 of 3") as refusal,
    ):
        build_features(defined, clue(worlds.START + 9 * DAY), records, threads=1)
    assert refusal.value.wanted == "finite numbers in level to compare"
    assert "leave the value empty" in refusal.value.cure


def test_a_clues_own_amount_that_is_not_finite_is_refused_too() -> None:
    """A rank of NaN would be 0 or missing, as the engine likes."""
    asked = clue(worlds.START + 9 * DAY, cents=float("nan"))
    with levels_of([1.5]) as records, pytest.raises(Refused, match="the clue's cents"):
        build_features(level("rank", of="cents"), asked, records, threads=1)


@pytest.mark.parametrize("kind", ["min", "max", "last", "distinct", "rank"])
def test_finite_and_missing_numbers_are_taken(kind: str) -> None:
    """Fractions, both zeros and empty values; equal in all three ways."""
    defined = level(kind, **({"of": "cents"} if kind == "rank" else {}))
    asked = clue(worlds.START + 9 * DAY)
    with levels_of([0.0, -0.0, 0.25, None, 1e300, 0.5]) as records:
        (name,) = defined.names
        batch = build_features(defined, asked, records, threads=1)[name].to_pylist()
        assert batch == sql_features(defined, asked, records)[name].to_pylist()
        assert batch == brute_features(defined, asked, records)[name]
    expected = {"min": 0.0, "max": 1e300, "last": 0.5, "distinct": 4.0, "rank": 0.8}
    assert batch == [expected[kind]]


def test_a_fraction_cannot_be_summed() -> None:
    """Sums of floats depend on their order: refused with the cure before anything is read."""
    with pytest.raises(Refused, match=r"an integer column to add up; got level \(number\)"):
        level("sum")


def test_a_state_without_one_written_form_is_no_category() -> None:
    """1.0 is written 1 here and 1.0 there; a boolean is written true everywhere."""
    with pytest.raises(Refused, match="written alike everywhere"):
        level("last", type="category")
    assert level("last", type="category", column="clean").names == ("own__last_clean_all",)


@pytest.mark.parametrize("kind", ["sum", "mean"])
@pytest.mark.parametrize("amounts", [[2**62], [2**61, 2**61], [2**61, -(2**61)]])
def test_a_sum_that_could_overflow_is_refused(kind: str, amounts: list[int]) -> None:
    """Beyond 2^62, whichever records are active: with the column and where to look."""
    feature = {"kind": kind, "column": "cents", "sentence": worlds.WORDS}
    defined = load({"history": [changed(features=[feature])["history"][0]]})
    with (
        paid_records(amounts) as records,
        pytest.raises(Refused, match=r"sums of cents below 2\^62; got up to") as refusal,
    ):
        build_features(defined, clue(worlds.START + 9 * DAY), records, threads=1)
    assert "wrong unit" in refusal.value.cure


def test_whole_numbers_beyond_2_to_53_are_compared_exactly() -> None:
    """Told as the nearest float64, but ranked, and chosen among, as the whole numbers they are."""
    group = changed(windows=["all"])["history"][0]
    defined = load({"history": [group]})
    asked = clue(worlds.START + 9 * DAY, cents=2**53 + 1)
    with paid_records([2**53, 2**53 + 1, 2**53 + 2, 2**53 + 3]) as records:
        batch = build_features(defined, asked, records, threads=1)
        queried = sql_features(defined, asked, records)
        looped = brute_features(defined, asked, records)
    assert batch["own__rank_cents_all"].to_pylist() == [0.25]
    assert batch["own__last_cents_all"].to_pylist() == [float(2**53 + 3)]
    for name in defined.names:
        assert batch[name].to_pylist() == queried[name].to_pylist() == looped[name], name


def paid_records(amounts: list[int]) -> Records:
    rows = len(amounts)
    table = {
        "person": ["a"] * rows,
        "agency": ["x"] * rows,
        "cents": pa.array(amounts, pa.int64()),
        "kind": ["p"] * rows,
        "happened_at": [worlds.START] * rows,
    }
    return Records.of_tables({"payments": pa.table(table)})


@pytest.mark.parametrize(("days", "count"), [(1, 0), (2, 0), (3, 0), (4, 0), (5, 1)])
def test_a_record_that_happened_after_it_was_known_counts_from_when_it_happened(
    days: int, count: int
) -> None:
    """Known on day 1, happening on day 4: nothing of it shows before, whatever bypassed intake."""
    paid = pa.table(
        {
            "person": ["a"],
            "agency": ["x"],
            "cents": pa.array([7], pa.int64()),
            "kind": ["p"],
            "happened_at": [worlds.START + 4 * DAY],
            "known_at": [worlds.START + 1 * DAY],
        }
    )
    defined = load({"history": [changed(windows=[3, "all"])["history"][0]]})
    asked = clue(worlds.START + days * DAY)
    with Records.of_tables({"payments": paid}) as records:
        batch = build_features(defined, asked, records, threads=1)
        looped, queried = (way(defined, asked, records) for way in (brute_features, sql_features))
        assert batch["own__count_3d"].to_pylist() == [count]
        assert batch["own__days_since_last_all"].to_pylist() == ([1.0] if count else [None])
        for name in defined.names:
            assert batch[name].to_pylist() == looped[name] == queried[name].to_pylist()


def test_intake_quarantines_what_happened_after_it_was_known(tmp_path: Path, clock: Clock) -> None:
    """With the row, what was wanted of the two times, and the cure; its neighbour is admitted."""
    home = Home.create(
        tmp_path / "home", load_jurisdiction(hamlet.write_hamlet(tmp_path / "hamlet"))
    )
    deaths = {
        "person_id": ["P1", "P2"],
        "died_on": [datetime(2024, 3, 5).date(), datetime(2024, 1, 5).date()],
        "reported_on": [datetime(2024, 2, 1).date()] * 2,
    }
    receipt = admit_table(home, "deaths", pa.table(deaths), clock)
    assert (receipt.admitted, receipt.quarantined) == (1, 1)
    (reason,) = quarantine.read(home, "deaths")[0]["reasons"]
    assert reason["column"] == "reported_on"
    assert reason["wanted"] == "a time not before died_on"
    assert reason["got"] == "9999-99-99"
    assert reason["cure"] == "mend the two times at their source"
    (notice,) = receipt.notices
    assert "row 1, column reported_on" in notice.where
