"""Outcomes come back as records: late, twice, out of order, corrected, or of no clue at all."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timedelta
from pathlib import Path

import hamlet
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from base.errors import NotReady
from base.moment import FixedClock
from clues.register import read_clues
from dispatch.open_clues import open_clues
from dispatch.outcome import take_outcomes
from features.declared import declared_features
from features.table import build_features
from governance.home import Home
from governance.jurisdiction import load_jurisdiction
from governance.quarantine import read as read_quarantine
from governance.reading import Records

HEADER = "clue_id,status,decided_at,reported_at\n"


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock) -> Home:
    return hamlet.settled_hamlet(tmp_path, clock)


def ids(home: Home) -> list[str]:
    return sorted(read_clues(home)["clue_id"].to_pylist())


def send(home: Home, clock: FixedClock, *rows: str, name: str = "outcomes.csv") -> dict:
    path = home.path / name
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), "utf-8")
    return take_outcomes(home, path, clock)


def state(home: Home, moment: datetime) -> dict[str, tuple[str, int | None]]:
    """clue -> status and became_case as known at a moment."""
    with Records(home) as records:
        rows = records.known_at("outcomes", moment).to_pylist()
    return {row["clue_id"]: (row["status"], row["became_case"]) for row in rows}


def test_statuses_become_cases_or_not_or_stay_open(home: Home, clock: FixedClock) -> None:
    """case_filed 1; unfounded, transferred, case_withdrawn 0; returned is no decision."""
    statuses = ["case_filed", "unfounded", "transferred", "case_withdrawn", "returned"]
    clues = ids(home)
    told = send(
        home,
        clock,
        *(f"{c},{s},2024-08-01,2024-08-03" for c, s in zip(clues, statuses, strict=False)),
    )
    assert (told["accepted"], told["already_known"], told["refused"]) == (5, 0, [])
    found = state(home, datetime(2024, 9, 1))
    assert [found[c][1] for c in clues[:5]] == [1, 0, 0, 0, None]


def test_rows_that_cannot_be_used_are_refused_with_reasons_and_kept(
    home: Home, clock: FixedClock
) -> None:
    """An unknown clue, an unknown status, a report before the decision; the good row is taken."""
    clue = ids(home)[0]
    told = send(
        home,
        clock,
        f"{clue},case_filed,2024-08-01,2024-08-03",
        "0123456789abcdef,unfounded,2024-08-01,2024-08-03",
        f"{ids(home)[1]},lost,2024-08-01,2024-08-03",
        f"{ids(home)[2]},unfounded,2024-08-05,2024-08-03",
    )
    assert told["accepted"] == 1
    reasons = {row["row"]: row["reasons"] for row in told["refused"]}
    assert [reason["column"] for reason in reasons[3]] == ["clue_id"]
    assert "no clue has" in reasons[3][0]["got"]
    assert reasons[4][0]["column"] == "status"
    assert reasons[5][0]["column"] == "reported_at"
    assert len(read_quarantine(home, "outcomes")) == 3


def test_an_outcome_of_a_day_to_come_is_refused(home: Home, clock: FixedClock) -> None:
    """Told of each of the two times; a clock that is hours ahead is forgiven. It stays out until
    its day has come: then the same file is taken."""
    today, late = clock.now().date(), "2026-02-01"
    tomorrow = today + timedelta(days=1)
    rows = [
        f"{ids(home)[0]},unfounded,{late},{late}",
        f"{ids(home)[1]},unfounded,2024-08-01,{late}",
        f"{ids(home)[2]},unfounded,{today},{tomorrow}",
    ]
    told = send(home, clock, *rows)
    assert told["accepted"] == 1
    assert [
        [(reason["column"], reason["wanted"]) for reason in row["reasons"]]
        for row in told["refused"]
    ] == [
        [(name, "a moment not after now") for name in ("decided_at", "reported_at")],
        [("reported_at", "a moment not after now")],
    ]
    assert list(state(home, datetime(2027, 1, 1))) == [ids(home)[2]]
    later = send(home, FixedClock(datetime(2026, 2, 2)), *rows)
    assert (later["accepted"], later["already_known"], later["refused"]) == (2, 1, [])


def test_the_same_file_twice_changes_nothing(home: Home, clock: FixedClock) -> None:
    """Second time: all already known, the table at the same version."""
    rows = [f"{clue},unfounded,2024-08-01,2024-08-03" for clue in ids(home)[:3]]
    first, again = send(home, clock, *rows), send(home, clock, *rows)
    assert (again["accepted"], again["already_known"]) == (0, 3)
    assert again["version"] == first["version"]


def test_every_order_of_arrival_ends_in_the_same_state(tmp_path: Path, clock: FixedClock) -> None:
    """P-4: three words on one clue in all six orders; what is known at each moment is the same."""
    words = [
        ("unfounded", "2024-08-01", "2024-08-03"),
        ("case_filed", "2024-09-01", "2024-09-03"),
        ("case_withdrawn", "2024-10-01", "2024-10-03"),
    ]
    seen = set()
    for number, order in enumerate(itertools.permutations(words)):
        home = hamlet.settled_hamlet(tmp_path / str(number), clock, persons=2)
        clue = ids(home)[0]
        for at, word in enumerate(order):
            send(home, clock, f"{clue},{','.join(word)}", name=f"{at}.csv")
        moments = [datetime(2024, month, 15) for month in (7, 8, 9, 10)]
        seen.add(tuple(state(home, moment).get(clue) for moment in moments))
    assert seen == {(None, ("unfounded", 0), ("case_filed", 1), ("case_withdrawn", 0))}


def test_an_outcome_changes_the_conversion_of_later_moments_only(
    home: Home, clock: FixedClock
) -> None:
    """The loop closes in the data: a case counts from the moment after it was reported."""
    definitions = declared_features(home)
    clues = read_clues(home)

    def conversion(moment: datetime) -> float:
        at = pa.array([moment] * clues.num_rows, pa.timestamp("us"))
        asked = clues.set_column(clues.schema.get_field_index("raised_at"), "raised_at", at)
        with Records(home) as records:
            table = build_features(definitions, asked, records, threads=1)
        return float(table["model_conversion__ratio_all"][0].as_py())

    moments = [datetime(2024, 8, 3), datetime(2024, 8, 3, 0, 0, 0, 1)]
    before = [conversion(moment) for moment in moments]
    agency = clues["agency_id"].to_pylist()[0]
    clue = next(row["clue_id"] for row in clues.to_pylist() if row["agency_id"] == agency)
    send(home, clock, f"{clue},case_filed,2024-08-01,2024-08-03")
    after = [conversion(moment) for moment in moments]
    assert after[0] == before[0] == pytest.approx(0.1)
    everywhere = (1 + 4 * 0.1) / (1 + 4)
    of_model = (1 + 4 * everywhere) / (1 + 4)
    assert after[1] == pytest.approx((1 + 4 * of_model) / (1 + 4))


def test_a_clue_is_open_from_the_moment_of_its_raising(home: Home) -> None:
    """At that moment it is scored first, as those were that its scorer learned from."""
    raised = read_clues(home).to_pylist()[0]
    before = raised["raised_at"] - timedelta(microseconds=1)
    assert raised["clue_id"] in open_clues(home, raised["raised_at"])["clue_id"].to_pylist()
    assert raised["clue_id"] not in open_clues(home, before)["clue_id"].to_pylist()


def test_a_closed_clue_leaves_the_open_ones(home: Home, clock: FixedClock) -> None:
    """From the moment its end is known; a returned one stays open."""
    closed, returned = ids(home)[:2]
    send(
        home,
        clock,
        f"{closed},unfounded,2024-08-01,2024-08-03",
        f"{returned},returned,2024-08-01,2024-08-03",
    )
    assert closed in open_clues(home, datetime(2024, 8, 3))["clue_id"].to_pylist()
    still = open_clues(home, datetime(2024, 8, 4))["clue_id"].to_pylist()
    assert closed not in still
    assert returned in still


def test_a_withdrawn_case_does_not_come_back_into_the_queue(home: Home, clock: FixedClock) -> None:
    """The correction takes the case back, not the end of the work on it."""
    clue = ids(home)[0]
    send(
        home,
        clock,
        f"{clue},case_filed,2024-08-01,2024-08-03",
        f"{clue},case_withdrawn,2024-10-01,2024-10-03",
    )
    for month in (9, 11):
        assert clue not in open_clues(home, datetime(2024, month, 1))["clue_id"].to_pylist()


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_other_kinds_of_file_say_the_same(home: Home, clock: FixedClock, suffix: str) -> None:
    """What came as csv is already known when it comes again as jsonl or Parquet."""
    values = [ids(home)[0], "case_filed", "2024-08-01", "2024-08-03"]
    send(home, clock, ",".join(values))
    row = dict(zip(HEADER.strip().split(","), values, strict=True))
    path = home.path / f"outcomes.{suffix}"
    if suffix == "jsonl":
        path.write_text(json.dumps(row) + "\n", "utf-8")
    else:
        pq.write_table(pa.Table.from_pylist([row]), path)
    told = take_outcomes(home, path, clock)
    assert (told["accepted"], told["already_known"], told["refused"]) == (0, 1, [])


def test_a_jurisdiction_without_outcomes_says_what_to_add(
    tmp_path: Path, clock: FixedClock
) -> None:
    """The cure names the file."""
    folder = hamlet.write_hamlet(tmp_path / "hamlet")
    (folder / "records" / "outcomes.odcs.yaml").unlink()
    home = Home.create(tmp_path / "home", load_jurisdiction(folder))
    with pytest.raises(NotReady, match=r"outcomes\.odcs\.yaml"):
        send(home, clock)
