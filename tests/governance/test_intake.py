"""Intake: every row is admitted, quarantined or known already; nothing is lost, nothing doubled."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from hashlib import md5
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from base.errors import NotFound, Refused
from base.moment import FixedClock
from governance import quarantine
from governance.home import Home
from governance.intake import Receipt, admit, admit_table
from governance.reading import Records

HEADER = "person_id,paid_on,amount_cents,kind,rate\n"
GOOD = "P1,2024-01-05,100,pension,1.5\nP2,2024-01-06,200,subsidy,\n"


def write(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def balanced(receipt: Receipt) -> bool:
    parts = receipt.admitted + receipt.quarantined + receipt.already_admitted
    return receipt.rows == parts


def stored(home: Home, record_set: str = "payments") -> list[dict[str, object]]:
    with Records(home) as records:
        return list(records.arrow(record_set).to_pylist())


def test_good_rows_are_stored_typed_with_both_times(hamlet, tmp_path, clock) -> None:
    """A csv row becomes typed values, happened_at, and known_at ten days later."""
    receipt = admit(hamlet, "payments", [write(tmp_path, "a.csv", HEADER + GOOD)], clock)
    assert (receipt.rows, receipt.admitted, receipt.quarantined) == (2, 2, 0)
    first = stored(hamlet)[0]
    assert first["amount_cents"] == 100
    assert first["rate"] == 1.5
    assert first["happened_at"] == datetime(2024, 1, 5)
    assert first["known_at"] == datetime(2024, 1, 15)
    assert first["retracted_at"] is None


@pytest.mark.parametrize(
    ("row", "column", "wanted"),
    [
        ("X9,2024-01-05,100,pension,1", "person_id", "P[0-9]+"),
        (",2024-01-05,100,pension,1", "person_id", "a value"),
        ("P1,05.01.2024,100,pension,1", "paid_on", "%Y-%m-%d"),
        ("P1,2024-02-30,100,pension,1", "paid_on", "%Y-%m-%d"),
        ("P1,2024-01-05,1.5,pension,1", "amount_cents", "whole number"),
        ("P1,2024-01-05,-3,pension,1", "amount_cents", "at least 0"),
        ("P1,2024-01-05,99999999999999999999,pension,1", "amount_cents", "whole number"),
        ("P1,2024-01-05,１００,pension,1", "amount_cents", "whole number"),
        ("P1,2024-01-05,100,bribe,1", "kind", "one of"),
        ("P1,2024-01-05,100,pension,inf", "rate", "finite"),
        ("P1,2024-01-05,100,pension,1e999", "rate", "finite"),
    ],
)
def test_a_bad_value_is_quarantined_with_its_reason_and_the_rest_admitted(
    hamlet, tmp_path, clock, row, column, wanted
) -> None:
    """The bad row alone is kept apart, naming file, row, column, what was wanted and the cure."""
    file = write(tmp_path, "a.csv", HEADER + GOOD + row + "\n")
    receipt = admit(hamlet, "payments", [file], clock)
    assert (receipt.admitted, receipt.quarantined) == (2, 1)
    [kept] = quarantine.read(hamlet, "payments")
    assert kept["row"] == 4
    assert column in {reason["column"] for reason in kept["reasons"]}
    assert any(wanted in reason["wanted"] for reason in kept["reasons"])
    assert all(reason["cure"] for reason in kept["reasons"])
    assert any(notice.where.startswith("a.csv: row 4") for notice in receipt.notices)


def test_messages_carry_the_shape_of_a_value_never_the_value(hamlet, tmp_path, clock) -> None:
    """A receipt shows digits as 9 and letters as a; the row itself stays in the quarantine."""
    file = write(tmp_path, "a.csv", HEADER + "李四340404,2024-01-05,1,pension,1\n")
    receipt = admit(hamlet, "payments", [file], clock)
    told = json.dumps(receipt.as_json(), ensure_ascii=False, default=str)
    assert "340404" not in told
    assert "李四" not in told
    assert "字字999999" in told
    assert "340404" in quarantine.read(hamlet, "payments")[0]["raw"]


def test_an_unknown_column_is_named_with_the_nearest_known_one(hamlet, tmp_path, clock) -> None:
    """A renamed optional column is told; the rest of the batch is admitted."""
    file = write(tmp_path, "a.csv", HEADER.replace("rate", "rates") + GOOD)
    receipt = admit(hamlet, "payments", [file], clock)
    assert receipt.admitted == 2
    told = [str(notice) for notice in receipt.notices]
    assert any("unknown column 'rates'" in each and "write 'rate'" in each for each in told)


def test_an_unknown_column_is_taken_for_one_missing_column_only(hamlet, tmp_path, clock) -> None:
    """Two are gone and one came: the likest is told to be renamed, the other to be asked for."""
    text = "person_id,paid_day,amount_cents,kind\nP1,2024-01-05,1,pension\n"
    notices = admit(hamlet, "payments", [write(tmp_path, "a.csv", text)], clock).notices
    cures = {notice.wanted: notice.cure for notice in notices}
    assert cures["the column 'paid_on'"] == "rename 'paid_day'"
    assert cures["the column 'rate'"] == "ask the sender for it"
    assert [notice.cure for notice in notices if "unknown" in notice.got] == ["write 'paid_on'"]


def test_a_missing_required_column_quarantines_every_row(hamlet, tmp_path, clock) -> None:
    """Without amounts nothing can be used, and nothing is lost either."""
    file = write(tmp_path, "a.csv", "person_id,paid_on\nP1,2024-01-05\nP2,2024-01-06\n")
    receipt = admit(hamlet, "payments", [file], clock)
    assert (receipt.rows, receipt.admitted, receipt.quarantined) == (2, 0, 2)
    assert any("'amount_cents'" in str(notice) for notice in receipt.notices)


def test_a_gb18030_file_is_converted_and_told(hamlet, tmp_path, clock) -> None:
    """Chinese text in GB18030 arrives whole, with a notice naming file and row."""
    text = HEADER + "P1,2024-01-05,1,pension,1\nP2,2024-01-05,1,养老金,1\n"
    receipt = admit(hamlet, "payments", [write(tmp_path, "a.csv", text, "gb18030")], clock)
    assert any("GB18030" in n.got and n.where == "a.csv: row 3" for n in receipt.notices)
    assert "养老金" in quarantine.read(hamlet, "payments")[0]["raw"]


def test_mixed_date_forms_only_declared_ones_are_taken(hamlet, tmp_path, clock) -> None:
    """Two forms are declared for deaths; the third is quarantined, not guessed."""
    rows = "P1,2024-01-05,2024-02-01\nP2,2024/01/06,2024-02-01\nP3,06/01/2024,2024-02-01\n"
    file = write(tmp_path, "d.csv", "person_id,died_on,reported_on\n" + rows)
    receipt = admit(hamlet, "deaths", [file], clock)
    assert (receipt.admitted, receipt.quarantined) == (2, 1)
    assert [row["happened_at"].day for row in stored(hamlet, "deaths")] == [5, 6]


def test_known_before_it_happened_is_refused_by_row(hamlet, tmp_path, clock) -> None:
    """A death reported before it happened is quarantined."""
    file = write(tmp_path, "d.csv", "person_id,died_on,reported_on\nP1,2024-03-05,2024-02-01\n")
    receipt = admit(hamlet, "deaths", [file], clock)
    assert receipt.quarantined == 1
    reason = quarantine.read(hamlet, "deaths")[0]["reasons"][0]
    assert reason["wanted"] == "a time not before died_on"


def test_what_has_not_happened_yet_is_quarantined(hamlet, tmp_path, clock) -> None:
    """A day is given to clocks that differ; the clock stands at noon of 2026-01-02."""
    rows = "".join(f"P{at},2026-01-{day:02},1,pension,1\n" for at, day in enumerate((2, 3, 4, 9)))
    receipt = admit(hamlet, "payments", [write(tmp_path, "a.csv", HEADER + rows)], clock)
    assert (receipt.admitted, receipt.quarantined) == (2, 2)
    for kept in quarantine.read(hamlet, "payments"):
        [reason] = kept["reasons"]
        assert (reason["column"], reason["wanted"]) == ("paid_on", "a moment not after now")


def test_what_is_planned_is_admitted_where_the_contract_says_so_and_seen_later(
    hamlet, hamlet_folder, tmp_path, clock
) -> None:
    """It stands among the records from the day it happens."""
    path = hamlet_folder / "records" / "payments.odcs.yaml"
    declared = "[{property: happenedAt, value: paid_on}"
    text = path.read_text("utf-8")
    path.write_text(text.replace(declared, f"{declared}, {{property: planned, value: true}}"))
    planner = Home.open(hamlet.path)
    file = write(tmp_path, "a.csv", HEADER + "P1,2027-03-01,1,pension,1\n")
    assert admit(planner, "payments", [file], clock).admitted == 1
    with Records(planner) as records:
        assert records.known_at("payments", datetime(2027, 3, 1)).num_rows == 0
        assert records.known_at("payments", datetime(2027, 4, 1)).num_rows == 1
    path.write_text(text.replace(declared, f"{declared}, {{property: planned, value: perhaps}}"))
    with pytest.raises(Refused, match="true or false for planned"):
        admit(Home.open(hamlet.path), "payments", [file], clock)


def test_the_same_batch_again_changes_nothing(hamlet, tmp_path, clock) -> None:
    """A duplicate file is known already: same counts, same version, and a notice says so."""
    file = write(tmp_path, "a.csv", HEADER + GOOD + "bad,2024-01-05,1,pension,1\n")
    first = admit(hamlet, "payments", [file], clock)
    again = admit(hamlet, "payments", [file], clock)
    assert (again.admitted, again.already_admitted, again.quarantined) == (0, 2, 1)
    assert again.version == first.version
    assert again.batch == first.batch
    assert len(quarantine.read(hamlet, "payments")) == 1
    assert any("known already" in notice.got for notice in again.notices)


def test_a_row_is_known_by_the_same_digest_in_every_release(hamlet, tmp_path, clock) -> None:
    """What was stored years ago is known still: md5 over the values, what is missing marked."""
    admit(hamlet, "payments", [write(tmp_path, "a.csv", HEADER + GOOD)], clock)
    values = [["P1", "2024-01-05", "100", "pension", "1.5"], ["P2", "2024-01-06", "200", "subsidy"]]
    wanted = [md5("\x1f".join([*row, "\x1e"][:5]).encode()).digest() for row in values]
    assert [row["row_digest"] for row in stored(hamlet)] == wanted


def test_ragged_nul_and_undecodable_rows_are_quarantined_by_number(hamlet, tmp_path, clock) -> None:
    """Rows that cannot be taken apart keep their line numbers; rows after them are right."""
    path = tmp_path / "a.csv"
    lines = [
        HEADER.encode(),
        b"P1,2024-01-05,1,pension,1\n",
        b"P2,2024-01-05,1\n",
        b"P3,2024-01-05,1,pen\x00sion,1\n",
        b"P4,2024-01-05,1,\xff\xff,1\n",
        b"oops,2024-01-05,1,pension,1\n",
        b"P6,2024-01-05,1,pension,1\n",
    ]
    path.write_bytes(b"".join(lines))
    receipt = admit(hamlet, "payments", [path], clock)
    assert (receipt.rows, receipt.admitted, receipt.quarantined) == (6, 2, 4)
    assert [row["row"] for row in quarantine.read(hamlet, "payments")] == [3, 4, 5, 6]


def test_every_readable_kind_of_file_gives_the_same_rows(hamlet, tmp_path, clock) -> None:
    """csv, with and without a byte order mark, csv.gz, jsonl and parquet give the same rows."""
    csv = write(tmp_path, "a.csv", HEADER + GOOD)
    marked = write(tmp_path, "b.csv", HEADER + GOOD, "utf-8-sig")
    zipped = tmp_path / "c.csv.gz"
    zipped.write_bytes(gzip.compress((HEADER + GOOD).encode()))
    lines = [
        '{"person_id":"P1","paid_on":"2024-01-05","amount_cents":100,"kind":"pension","rate":1.5}',
        '{"person_id":"P2","paid_on":"2024-01-06","amount_cents":200,"kind":"subsidy"}',
    ]
    jsonl = write(tmp_path, "d.jsonl", "\n".join(lines))
    parquet = tmp_path / "e.parquet"
    columns = {
        "person_id": ["P1", "P2"],
        "paid_on": [datetime(2024, 1, 5), datetime(2024, 1, 6)],
        "amount_cents": [100.0, 200.0],
        "kind": ["pension", "subsidy"],
        "rate": [1.5, None],
    }
    pq.write_table(pa.table(columns), parquet)
    receipt = admit(hamlet, "payments", [csv, marked, zipped, jsonl, parquet], clock)
    assert (receipt.rows, receipt.admitted, receipt.already_admitted) == (10, 2, 8)


def test_a_typed_fraction_is_never_rounded_into_a_whole_number(hamlet, clock) -> None:
    """Parquet's 1.5 cents are quarantined, not stored as 2."""
    rows = pa.table({"person_id": ["P1"], "paid_on": [datetime(2024, 1, 5)], "amount_cents": [1.5]})
    assert admit_table(hamlet, "payments", rows, clock).quarantined == 1


def test_a_correction_retracts_the_earlier_row_whatever_the_order(hamlet, tmp_path, clock) -> None:
    """Two reports of one death: the later known one stands, the earlier ends when it was known."""
    header = "person_id,died_on,reported_on\n"
    late = write(tmp_path, "late.csv", header + "P1,2024-01-03,2024-03-01\n")
    early = write(tmp_path, "early.csv", header + "P1,2024-01-05,2024-02-01\n")
    admit(hamlet, "deaths", [late], clock)
    receipt = admit(hamlet, "deaths", [early], clock)
    assert receipt.admitted == 1
    ends = {row["known_at"].month: row["retracted_at"] for row in stored(hamlet, "deaths")}
    assert ends == {2: datetime(2024, 3, 1), 3: None}


def test_a_file_that_cannot_be_opened_is_refused_before_anything_is_stored(
    hamlet, tmp_path, clock
) -> None:
    """A broken and a missing file are told together; the good file is not half taken."""
    good = write(tmp_path, "a.csv", HEADER + GOOD)
    broken = write(tmp_path, "b.parquet", "not parquet")
    with pytest.raises(Refused) as refusal:
        admit(hamlet, "payments", [good, broken, tmp_path / "absent.csv"], clock)
    assert len(refusal.value.faults) == 2
    assert stored(hamlet) == []


def test_an_unknown_record_set_is_answered_with_the_nearest(hamlet, tmp_path, clock) -> None:
    """A misspelt record set gets its cure."""
    with pytest.raises(NotFound, match="write 'payments'"):
        admit(hamlet, "payment", [write(tmp_path, "a.csv", HEADER)], clock)


cells = st.text(alphabet="P0123456789-/.eE+ ,x\"'年\t", max_size=12)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(st.tuples(cells, cells, cells), max_size=12))
def test_rows_in_are_rows_told_whatever_comes(hamlet, tmp_path, rows) -> None:
    """rows = admitted + quarantined + already admitted, for any text at all."""
    lines = ["person_id,died_on,reported_on"] + [
        ",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows
    ]
    file = write(tmp_path, "any.csv", "\n".join(lines))
    receipt = admit(hamlet, "deaths", [file], FixedClock(datetime(2026, 1, 1)))
    assert balanced(receipt)
    assert receipt.rows == len(rows)
