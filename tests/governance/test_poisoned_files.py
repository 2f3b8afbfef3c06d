"""Poisoned files: nothing is stored wrong. A row is admitted right, or quarantined with its reason.

One table: what is sent, then what must be stored of it, and which reasons must be told.
"""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from record_hamlet import write_hamlet

from base.errors import Refused
from base.moment import FixedClock
from governance import quarantine
from governance.home import Home
from governance.intake import admit
from governance.jurisdiction import load_jurisdiction
from governance.reading import Records

HEAD = b"person_id,paid_on,amount_cents,kind,rate,remark\n"
GOOD = b"P1,2024-01-05,100,pension,1.5,plain\n"
BAD_DATE, WHOLE, FINITE = "a date written", "a whole number", "a finite number"
UNSEEN, FORMULA, QUOTES = "visible characters", "text, not a formula", "quotes around"
VALUES, TEXT, ONE_OF = "6 values", "UTF-8 text", "one of"


class Case(NamedTuple):
    """`row` follows a good one; `stored`: the remark and others of what is admitted of it."""

    row: bytes
    reason: str = ""
    stored: dict[str, Any] | None = None


def line(**changed: str) -> bytes:
    """One row with some values changed."""
    values = {"person_id": "P2", "paid_on": "2024-01-06", "amount_cents": "200",
              "kind": "subsidy", "rate": "2.5", "remark": "x", **changed}  # fmt: skip
    return (",".join(values.values()) + "\n").encode()


CASES: dict[str, Case] = {
    # Dates in seven forms: the declared one is taken, no other is guessed.
    "date as declared": Case(line(), stored={"paid_on": date(2024, 1, 6)}),
    "date without zeros": Case(line(paid_on="2024-1-6"), stored={"paid_on": date(2024, 1, 6)}),
    "date with slashes": Case(line(paid_on="2024/01/06"), BAD_DATE),
    "date in figures": Case(line(paid_on="20240106"), BAD_DATE),
    "date day first": Case(line(paid_on="06.01.2024"), BAD_DATE),
    "date in Chinese": Case(line(paid_on="2024年1月6日"), BAD_DATE),
    "date as a serial number": Case(line(paid_on="45297"), BAD_DATE),
    "date with a time": Case(line(paid_on="2024-01-06 10:00:00"), BAD_DATE),
    "date with two figures of a year": Case(line(paid_on="24-01-06"), BAD_DATE),
    "date that never was": Case(line(paid_on="2023-02-29"), BAD_DATE),
    "date of nothing": Case(line(paid_on="0000-00-00"), BAD_DATE),
    "date infinity": Case(line(paid_on="infinity"), BAD_DATE),
    # Numbers.
    "full-width digits": Case(line(amount_cents="１００"), WHOLE),
    "Chinese numerals": Case(line(amount_cents="一百"), WHOLE),
    "thousands separators": Case(line(amount_cents='"1,000"'), WHOLE),
    "thousands with spaces": Case(line(amount_cents="1 000"), WHOLE),
    "currency": Case(line(amount_cents="¥100"), WHOLE),
    "trailing minus": Case(line(amount_cents="100-"), WHOLE),
    "fraction of a cent": Case(line(amount_cents="99.5"), WHOLE),
    "exponent": Case(line(amount_cents="1e3"), WHOLE),
    "hexadecimal": Case(line(amount_cents="0x10"), WHOLE),
    "underscores": Case(line(amount_cents="1_000"), WHOLE),
    "beyond 64 bits": Case(line(amount_cents="9" * 20), WHOLE),
    "minus zero": Case(line(amount_cents="-0", rate="-0"), stored={"amount_cents": 0, "rate": 0.0}),
    "plus": Case(line(amount_cents="+7"), stored={"amount_cents": 7}),
    "leading zeros": Case(line(amount_cents="007"), stored={"amount_cents": 7}),
    "NaN": Case(line(rate="NaN"), FINITE),
    "infinity": Case(line(rate="-inf"), FINITE),
    "1e999": Case(line(rate="1e999"), FINITE),
    "decimal comma": Case(line(rate='"1,5"'), FINITE),
    "NULL in letters": Case(line(rate="NULL"), FINITE),
    # Text that is not what it seems.
    "spaces around": Case(line(remark="  x  ", rate=" 5 "), stored={"remark": "x", "rate": 5.0}),
    "wide space around": Case(line(remark="\u3000x\u3000"), stored={"remark": "x"}),
    "unbroken space after a number": Case(line(amount_cents="5\u00a0"), stored={"amount_cents": 5}),
    "tab after": Case(line(remark="x\t"), stored={"remark": "x"}),
    "only spaces": Case(line(remark="   "), stored={"remark": None}),
    "zero width inside": Case(line(remark="张\u200b三"), UNSEEN),
    "zero width in an identity": Case(line(person_id="P\u200d2"), UNSEEN),
    "direction turned": Case(line(remark="a\u202eb"), UNSEEN),
    "soft hyphen": Case(line(remark="a\u00adb"), UNSEEN),
    "mark in the middle": Case(line(remark="a\ufeffb"), UNSEEN),
    "escape character": Case(line(remark="a\x1b[31m"), UNSEEN),
    "bell": Case(line(remark="a\x07"), UNSEEN),
    "replacement character": Case(line(remark="a\ufffdb"), TEXT),
    "formula": Case(line(remark="=1+1"), FORMULA),
    "formula that calls": Case(line(remark="@SUM(A1)"), FORMULA),
    "formula that pipes": Case(line(remark="-cmd|x"), FORMULA),
    "minus in a remark": Case(line(remark="-none-"), stored={"remark": "-none-"}),
    "lookalike category": Case(line(kind="pensi\u043en"), ONE_OF),
    "category in capitals": Case(line(kind="PENSION"), ONE_OF),
    "rare character": Case(line(remark="𠮷"), stored={"remark": "𠮷"}),
    # Lines that do not come apart.
    "too few values": Case(b"P2,2024-01-06\n", VALUES),
    "too many values": Case(line(remark="a,b"), VALUES),
    "NUL": Case(line(remark="a\0b"), TEXT),
    "undecodable": Case(line(remark="a").replace(b"a\n", b"\xff\xfe\n"), TEXT),
    "carriage return inside": Case(line(remark="a\rb"), "one row a line"),
    "quote inside a value": Case(line(remark='5" pipe'), QUOTES),
    "quote never closed": Case(line(remark='"open'), QUOTES),
    "text after a closing quote": Case(line(remark='"a"b'), QUOTES),
    "separator in quotes": Case(line(remark='"a,b"'), stored={"remark": "a,b"}),
    "doubled quotes": Case(line(remark='"say ""a"""'), stored={"remark": 'say "a"'}),
    "line break in quotes": Case(line(remark='"a\nb"'), stored={"remark": "a\nb"}),
    "blank lines": Case(b"\n  \n\r\n" + line(), stored={"remark": "x"}),
    "a huge value": Case(line(remark="x" * 1_200_000), "a row of at most"),
    "a long value": Case(line(remark="x" * 200_000), stored={"remark": "x" * 200_000}),
}  # fmt: skip


def home_with_remarks(folder: Path) -> Home:
    path = write_hamlet(folder / "hamlet") / "records" / "payments.odcs.yaml"
    text = path.read_text("utf-8").replace('{pattern: "P[0-9]+"}', '{pattern: "P.+"}')
    rate = "      - {name: rate, logicalType: number}\n"
    text = text.replace(rate, rate + "      - {name: remark, logicalType: string}\n")
    path.write_text(text, "utf-8")
    return Home.create(folder / "home", load_jurisdiction(folder / "hamlet"))


def test_of_sixty_poisons_each_is_stored_right_or_told(tmp_path: Path, clock: FixedClock) -> None:
    """All in one file, a good row before each and one at the end: none harms another."""
    assert len(CASES) >= 60
    home = home_with_remarks(tmp_path)
    body, first, number = HEAD, {}, 2
    for at, (name, case) in enumerate(CASES.items()):
        good = GOOD.replace(b"P1", b"P%d" % (1_000 + at))
        first[name] = number + 1
        body += good + case.row.replace(b"P2,", b"P2%d," % at)
        number += 1 + case.row.count(b"\n")
    (tmp_path / "all.csv").write_bytes(body + GOOD)
    receipt = admit(home, "payments", [tmp_path / "all.csv"], clock)
    kept = {row["row"]: row for row in quarantine.read(home, "payments")}
    admitted = [case for case in CASES.values() if not case.reason]
    for name, case in CASES.items():
        if case.reason:
            reasons = kept[first[name]]["reasons"] if first[name] in kept else []
            assert [case.reason in reason["wanted"] for reason in reasons] == [True], (
                name,
                reasons,
            )
    assert receipt.admitted == len(CASES) + len(admitted) + 1
    assert receipt.quarantined == len(CASES) - len(admitted)
    assert_stored(home, [case.stored or {} for case in admitted])


def assert_stored(home: Home, wanted: list[dict[str, Any]]) -> None:
    """The rows of P2.. are those of the admitted cases, in order, with their values."""
    with Records(home) as records:
        rows = [
            row
            for row in records.arrow("payments").to_pylist()
            if row["person_id"].startswith("P2")
        ]
    assert [
        {name: row[name] for name in each} for row, each in zip(rows, wanted, strict=True)
    ] == wanted


ROWS = "P1,2024-01-05,100,pension,1.5,养老金\nP2,2024-01-06,200,subsidy,2.5,补贴\n"
TEXT_OF_FILE = HEAD.decode() + ROWS
FILES: dict[str, tuple[str, bytes, str]] = {
    "utf-8": ("a.csv", TEXT_OF_FILE.encode(), ""),
    "utf-8 with a mark": ("a.csv", TEXT_OF_FILE.encode("utf-8-sig"), ""),
    "gb18030": ("a.csv", TEXT_OF_FILE.encode("gb18030"), "GB18030"),
    "gb18030, zipped": ("a.csv.gz", gzip.compress(TEXT_OF_FILE.encode("gb18030")), "GB18030"),
    "utf-16": ("a.csv", TEXT_OF_FILE.encode("utf-16"), "UTF-16"),
    "utf-16, big end first": ("a.csv", b"\xfe\xff" + TEXT_OF_FILE.encode("utf-16-be"), "UTF-16"),
    "CR LF": ("a.csv", TEXT_OF_FILE.replace("\n", "\r\n").encode(), ""),
    "CR alone": ("a.csv", TEXT_OF_FILE.replace("\n", "\r").encode(), ""),
    "no line end at the end": ("a.csv", TEXT_OF_FILE.strip().encode(), ""),
    "spaces in the header": ("a.csv", TEXT_OF_FILE.replace("rate,", " rate ,").encode(), ""),
    "names in quotes": ("a.csv", TEXT_OF_FILE.replace("rate,", '"rate",').encode(), ""),
    "json": ("a.jsonl", "".join(
        f'{{"person_id":"{p}","paid_on":"{d}","amount_cents":{a},"kind":"{k}","rate":{r},"remark":"{m}"}}\n'
        for p, d, a, k, r, m in (row.split(",") for row in ROWS.split())).encode(), ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What must be stored of each file."""
    return [
        {"person_id": "P1", "paid_on": date(2024, 1, 5), "amount_cents": 100, "remark": "养老金"},
        {"person_id": "P2", "paid_on": date(2024, 1, 6), "amount_cents": 200, "remark": "补贴"},
    ]


@pytest.mark.parametrize("name", list(FILES))
def test_however_a_file_is_written_the_same_is_stored(
    name: str, once: list[dict[str, Any]], tmp_path: Path, clock: FixedClock
) -> None:
    """And a writing that is not the agreed one is told."""
    file, data, told = FILES[name]
    home = home_with_remarks(tmp_path)
    (tmp_path / file).write_bytes(data)
    receipt = admit(home, "payments", [tmp_path / file], clock)
    assert (receipt.rows, receipt.admitted) == (2, 2)
    notices = [str(notice) for notice in receipt.notices]
    assert bool(told) == any("UTF-8" in notice for notice in notices)
    assert all(told in notice for notice in notices)
    with Records(home) as records:
        rows = records.arrow("payments").to_pylist()
    assert [{key: row[key] for key in once[0]} for row in rows] == once


UNREADABLE: dict[str, tuple[str, bytes, str]] = {
    "a column twice": ("a.csv", HEAD.replace(b"remark", b"rate") + GOOD, "each column once"),
    "a column twice but for capitals": ("a.csv", HEAD.replace(b"remark", b"Rate") + GOOD, "once"),
    "a header with an open quote": ("a.csv", b'"' + HEAD + GOOD, "a header row"),
    "utf-16 without its mark": ("a.csv", TEXT_OF_FILE.encode("utf-16-le"), "a header row"),
    "nothing": ("a.csv", b"", "a header row"),
    "blank lines only": ("a.csv", b"\n\n\r\n", "a header row"),
    "half a zipped file": ("a.csv.gz", gzip.compress(HEAD + GOOD * 500)[:-20], "a whole gzip"),
    "not zipped": ("a.csv.gz", HEAD + GOOD, "a whole gzip"),
    "not parquet": ("a.parquet", HEAD + GOOD, "a whole parquet"),
    "parquet cut off": ("a.parquet", b"PAR1" + b"\0" * 100, "a whole Parquet"),
    "a spreadsheet": ("a.xlsx", b"PK", "a file ending in"),
}  # fmt: skip


@pytest.mark.parametrize("name", list(UNREADABLE))
def test_a_file_that_nobody_can_read_one_way_is_refused_whole(
    name: str, hamlet: Home, tmp_path: Path, clock: FixedClock
) -> None:
    """Nothing of it is stored, not even in the quarantine."""
    file, data, told = UNREADABLE[name]
    (tmp_path / file).write_bytes(data)
    with pytest.raises(Refused, match=told):
        admit(hamlet, "payments", [tmp_path / file], clock)
    assert quarantine.read(hamlet, "payments") == []
    with Records(hamlet) as records:
        assert records.arrow("payments").num_rows == 0


JSON_LINES = {
    "nested": '{"person_id": {"a": 1}}',
    "a list": "[1, 2]",
    "a name twice": '{"person_id": "P1", "person_id": "P2"}',
    "half": '{"person_id": "P1"',
    "a lone surrogate": '{"person_id": "\\ud800"}',
    "deep": "[" * 5_000,
    "a bare word": "null",
    "1e999": '{"person_id":"P1","paid_on":"2024-01-05","amount_cents":1,"rate":1e999}',
    "a float for cents": '{"person_id":"P1","paid_on":"2024-01-05","amount_cents":1.0}',
    "beyond 64 bits": '{"person_id":"P1","paid_on":"2024-01-05","amount_cents":1' + "0" * 30 + "}",
    "not a number": '{"person_id":"P1","paid_on":"2024-01-05","amount_cents":NaN}',
}


def test_poisoned_json_lines_are_quarantined_one_by_one(
    hamlet: Home, tmp_path: Path, clock: FixedClock
) -> None:
    """The good line among them is admitted, with a number's digits as they came."""
    good = '{"person_id":"P9","paid_on":"2024-01-05","amount_cents":12345678901234567,"rate":0.1}'
    (tmp_path / "a.jsonl").write_text("\n".join([*JSON_LINES.values(), good]), "utf-8")
    receipt = admit(hamlet, "payments", [tmp_path / "a.jsonl"], clock)
    assert (receipt.admitted, receipt.quarantined) == (1, len(JSON_LINES))
    with Records(hamlet) as records:
        [row] = records.arrow("payments").to_pylist()
    assert (row["amount_cents"], row["rate"]) == (12_345_678_901_234_567, 0.1)
