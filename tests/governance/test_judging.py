"""Judging a block: verdicts beside their rows, shortcuts that say what the long way says."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.bilingual import Bilingual
from governance.block import SOURCE_ROW, SPOILT, Block
from governance.checks import FORMULA, UNSEEN, Look, literal, typed_expression
from governance.contract import Column
from governance.doubles import lay_out_repeated, repeated
from governance.engine import connect
from governance.looks import look_at
from governance.staging import Judge

# What whole numbers are written with, and what only the engine takes for part of one.
PARTS = st.sampled_from([*"0123456789+-.eExXbBoO_' lO,\u00a0\u3000", "\uff11", "inf", "true"])
NUMBERS = st.lists(PARTS, max_size=22).map("".join)
# Formulas, spaces, and the neighbours of characters that cannot be seen.
SIGNS = st.sampled_from([*"=@+-(|!A9 \t\x00\x1f\x7f\u00a0\u00ad\u00b7\u061c\u180e\u200b\u2010"])
LETTERS = st.characters(blacklist_categories=["Cs"])
TEXTS = st.lists(
    SIGNS | LETTERS | st.sampled_from("\u2028\u2060\ufeff\ufffd\U000e0001"), max_size=6
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory):
    with connect(tmp_path_factory.mktemp("spill"), threads=2) as connection:
        yield connection


def chunked(rows: pa.Table, size: int) -> pa.Table:
    """The same rows in many chunks, some of them empty."""
    parts = [rows.slice(at, size) for at in range(0, len(rows), size)]
    return pa.concat_tables([part for each in parts for part in (each, each.slice(0, 0))])


def test_a_verdict_stands_beside_its_row_whatever_chunks_it_came_in(hamlet, tmp_path) -> None:
    """The engine's threads may hand rows out in any order."""
    count = 3_000
    rows = pa.table(
        {
            "person_id": [f"P{at}" if at % 7 else f"X{at}" for at in range(count)],
            "paid_on": [f"2024-01-{1 + at % 28:02}" for at in range(count)],
            "amount_cents": [str(at) if at % 5 else "12O" for at in range(count)],
            SOURCE_ROW: pa.array(range(count), pa.int64()),
        }
    )
    contract = hamlet.jurisdiction.contract("payments")
    with connect(tmp_path / "spill", threads=4) as connection:
        judge = Judge(connection, contract)
        whole = judge.judge(Block(rows, SPOILT.empty_table()))
        for _ in range(5):
            parts = judge.judge(Block(chunked(rows, 37), SPOILT.empty_table()))
            assert parts.typed.equals(whole.typed)
            assert np.array_equal(parts.bad, whole.bad)
            assert np.array_equal(parts.digests, whole.digests)
            assert judge.told(parts).equals(judge.told(whole))
        bad = [at for at in range(count) if at % 7 == 0 or at % 5 == 0]
        assert np.flatnonzero(whole.bad).tolist() == bad


@settings(max_examples=150, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_whole_numbers_read_with_a_look_are_those_of_their_form(engine, texts: list[str]) -> None:
    """What the look spares is the regular expression, never its meaning."""
    texts = [text.strip(" \t\r\n\u00a0\u3000") or None for text in texts]
    column = Column("n", "integer", Bilingual(zh="n", en="n"))
    values = pa.chunked_array([pa.array(texts, pa.string())])
    engine.register("texts", pa.table({"given:n": values}))
    look = look_at(values, "integer")
    asked = [typed_expression(column, pa.string(), each) for each in (look, Look())]
    told = engine.execute(f"SELECT {', '.join(asked)} FROM texts").fetchall()
    assert all(quick == careful for quick, careful in told)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS.map("".join), min_size=1, max_size=12))
def test_what_a_look_rules_out_no_value_has(engine, texts: list[str]) -> None:
    """Formulas, characters that cannot be seen, spaces around a value."""
    column = pa.chunked_array([pa.array(texts, pa.string())])
    look = look_at(column, "string")
    engine.register("texts", pa.table({"t": column}))
    formula, unseen = (f"bool_or(regexp_matches(t, {literal(each)}))" for each in (FORMULA, UNSEEN))
    [(has_formula, has_unseen)] = engine.execute(
        f"SELECT {formula}, {unseen} FROM texts"
    ).fetchall()
    assert look.formula or not has_formula
    assert look.unseen or not has_unseen
    assert look.spaces or all(text == text.strip(" \t\r\n\u00a0\u3000") for text in texts)


@given(st.lists(st.integers(0, 6), max_size=40), st.booleans())
def test_repeated_digests_are_all_but_the_first_of_each(drawn: list[int], alike: bool) -> None:
    """Also where eight bytes do not tell two digests apart."""
    half = b"\0" * 8 if alike else b""
    digests = [(half + hashlib.md5(bytes([each])).digest())[:16] for each in drawn]
    found = repeated(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 16))
    assert found.tolist() == [each in drawn[:at] for at, each in enumerate(drawn)]


@given(st.lists(st.integers(0, 30), max_size=60))
def test_hashes_that_stand_twice_are_found(engine, drawn: list[int]) -> None:
    """As GROUP BY finds them."""
    engine.register("drawn", pa.table({"h": pa.array(drawn, pa.uint64())}))
    count = lay_out_repeated(engine, "twice", "h", "drawn")
    wanted = sorted({each for each in drawn if drawn.count(each) > 1})
    assert sorted(row[0] for row in engine.execute("FROM twice").fetchall()) == wanted
    assert count == len(wanted)
