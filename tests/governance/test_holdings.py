"""What is held of a record set adds up, and tells of a refused row no more than its shape."""

from __future__ import annotations

from pathlib import Path

import hamlet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import NotFound
from base.moment import FixedClock
from governance.holdings import all_held, held, quarantined_rows, shape
from governance.home import Home
from governance.intake import admit
from governance.jurisdiction import load_jurisdiction

HEAD = "payment_no,person_id,agency_id,office_id,paid_on,amount_cents\n"
FIRST = HEAD + "n1,p1,x,A,2024-01-05,100\nn2,p2,x,A,2024-02-05,李四\nn3,,x,A,whenever,100\n"
SECOND = HEAD + "n1,p1,x,A,2024-01-05,250\nn4,p2,x,A,2024-03-05,100\nn5,p2,x,A,,1\n"


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock) -> Home:
    """Two batches of payments: three rows refused, one corrected."""
    made = Home.create(
        tmp_path / "home", load_jurisdiction(hamlet.write_hamlet(tmp_path / "hamlet"))
    )
    for name, text in (("first.csv", FIRST), ("second.csv", SECOND)):
        (tmp_path / name).write_text(text, "utf-8")
        receipt = admit(made, "payments", [tmp_path / name], clock)
        assert receipt.rows == 3
    return made


def test_rows_batches_and_reasons_add_up(home: Home) -> None:
    """What came is held or put aside; a corrected row is held and marked; batches newest first."""
    told = held(home, "payments")
    assert (told.rows, told.retracted, told.quarantined) == (3, 1, 3)
    assert [(each.admitted, each.quarantined) for each in told.batches] == [(2, 1), (1, 2)]
    assert told.refused_share == pytest.approx(0.5)
    assert told.newest is not None
    assert told.newest.at is not None
    assert sorted((reason.column, reason.rows) for reason in told.reasons) == [
        ("amount_cents", 1), ("paid_on", 1), ("paid_on", 1), ("person_id", 1),
    ]  # fmt: skip
    assert f"{told.happened_until:%F} {told.known_until:%F}" == "2024-03-05 2024-03-15"
    (empty,) = [each for each in all_held(home) if each.contract.record_set == "deaths"]
    assert (empty.rows, empty.refused_share, empty.newest, empty.known_until) == (
        0,
        None,
        None,
        None,
    )
    with pytest.raises(NotFound):
        held(home, "nothing")


def test_a_refused_row_is_told_as_it_came_or_by_its_shape(home: Home) -> None:
    """Page by page, all of it or what was refused for one column."""
    nobody, everybody = frozenset[str](), frozenset({"internal"})
    (masked,) = quarantined_rows(home, "payments", "amount_cents", 0, 10, nobody)
    (plain,) = quarantined_rows(home, "payments", "amount_cents", 0, 10, everybody)
    came = {"payment_no": "n2", "person_id": "p2", "paid_on": "2024-02-05", "amount_cents": "李四"}
    assert came.items() <= dict(plain["told"]).items()
    assert dict(masked["told"])["paid_on"] == "9999-99-99"
    assert [shape(text) for _, text in plain["told"]] == [text for _, text in masked["told"]]
    every = quarantined_rows(home, "payments", "", 0, 10, everybody)
    assert len(every) == 3
    assert quarantined_rows(home, "payments", "", 2, 10, everybody) == every[2:]
    assert len(quarantined_rows(home, "payments", "paid_on", 0, 10, nobody)) == 2
    assert quarantined_rows(home, "deaths", "", 0, 10, nobody) == []


def test_a_line_that_cannot_be_taken_apart_is_masked_whole(
    tmp_path: Path, home: Home, clock: FixedClock
) -> None:
    """Nobody knows what stands in it; who may read every column reads it."""
    (tmp_path / "ragged.csv").write_text(HEAD + "n9,p9,SECRET,A,2024-01-05,1,2,3\n", "utf-8")
    admit(home, "payments", [tmp_path / "ragged.csv"], clock)
    told = [
        [row["told"] for row in quarantined_rows(home, "payments", "", 0, 10, seen)]
        for seen in (frozenset[str](), frozenset({"internal"}))
    ]
    assert ["SECRET" in str(each) for each in told] == [False, True]


@given(st.text(max_size=80))
def test_a_shape_keeps_no_letter_and_no_digit(text: str) -> None:
    """Nothing but the places of what stood there, and what is neither."""
    told = shape(text)
    assert len(told) == len(text)
    for was, now in zip(text, told, strict=True):
        assert now in ("9", "a", "字") if was.isalnum() else True
