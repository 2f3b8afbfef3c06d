"""A block laid out for judgement: typed values, times and verdict beside each row, in one pass.

The query is compiled once for each shape that blocks of a batch have.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from governance.block import SOURCE_ROW, SPACES, Block
from governance.checks import (
    SQL_TYPES,
    Check,
    Look,
    bad_sql,
    checks,
    given,
    literal,
    quoted,
    typed_expression,
)
from governance.contract import Column, Contract, Reference

DIGITS, LETTERS = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
MASKED = f"translate({{0}}, '{DIGITS}{LETTERS}', '{'9' * len(DIGITS)}{'a' * len(LETTERS)}')"
LONGEST_SHAPE = 40
# Bytes without which no value can begin or end with a space, or be a formula.
SPACE_BYTES = tuple(each.encode() for each in SPACES)
FORMULA_BYTES = (b"=", b"(", b"|", b"!")


@dataclass
class Judge:
    """Judges blocks of one batch under a contract, on one connection.

    After `judge` the table `judged` has, in the order of the block: the contract's columns,
    happened_at, known_at, source_row, bad (whether anything speaks against the row), reasons
    (of bad rows: a list of column, wanted, got, cure) and raw (of bad rows: JSON of what came).
    """

    connection: duckdb.DuckDBPyConnection
    contract: Contract
    _compiled: dict[object, str] = field(default_factory=dict)

    def judge(self, block: Block) -> None:
        """Lay the rows of `block` out as the table `judged`."""
        rows, looks = _trimmed(self.contract, block.rows)
        schema = rows.schema
        key = (tuple((each.name, str(each.type)) for each in schema), tuple(looks.values()))
        if key not in self._compiled:
            self._compiled[key] = judging_sql(self.contract, schema, looks)
        self.connection.register("arrived_rows", rows)
        try:
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {self._compiled[key]}")
        finally:
            self.connection.unregister("arrived_rows")


def look_at(column: pa.ChunkedArray) -> Look:
    """What the bytes of a text column rule out; cheaper by far than asking every row."""
    buffers = [chunk.buffers()[2] for chunk in column.chunks if len(chunk)]
    texts = [buffer.to_pybytes() for buffer in buffers if buffer is not None and buffer.size]
    return Look(
        spaces=any(each in text for text in texts for each in SPACE_BYTES),
        formula=any(each in text for text in texts for each in FORMULA_BYTES),
        unseen=any(not _printable(text) for text in texts),
    )


def _printable(text: bytes) -> bool:
    """Whether all of it is printable ASCII."""
    return text.isascii() and b"\x7f" not in text and np.frombuffer(text, np.uint8).min() >= 32


def _trimmed(contract: Contract, rows: pa.Table) -> tuple[pa.Table, dict[str, Look]]:
    """The rows, trimmed text beside what came where it differs, and a look at each text column."""
    looks = {}
    for column in _sent(contract):
        at = rows.schema.get_field_index(column.name)
        if at >= 0 and pa.types.is_string(rows.schema.field(at).type):
            look = looks[column.name] = look_at(rows.column(at))
            if look.spaces:
                trimmed = pc.utf8_trim(rows.column(at), characters=SPACES)
                rows = rows.append_column(f"trimmed:{column.name}", trimmed)
    return rows, looks


def judging_sql(contract: Contract, schema: pa.Schema, looks: dict[str, Look]) -> str:
    """SELECT over `arrived_rows` that gives the columns of `judged`."""
    raw = [name for name in schema.names if name != SOURCE_ROW and not name.startswith("trimmed:")]
    arrived = {name: schema.field(name).type for name in raw}
    found = checks(contract, arrived, looks)
    reasons = ", ".join(
        f"CASE WHEN {check.bad} THEN {_reason(check, check.column in arrived)} END"
        for check in found
    )
    listed = f"list_filter([{reasons}], lambda x: x IS NOT NULL)"
    left_out = ", ".join(["arrived", *(given(column.name) for column in _sent(contract))])
    # A join may change the order of rows; without one they stay as they came.
    order = "" if isinstance(contract.happened_at, str) else f"ORDER BY {SOURCE_ROW}"
    return f"""
        SELECT * EXCLUDE ({left_out}),
               CASE WHEN bad THEN {listed} END AS reasons,
               CASE WHEN bad THEN to_json(arrived)::VARCHAR END AS raw
        FROM (SELECT *, {bad_sql(found)} AS bad FROM ({_timed_sql(contract, arrived, looks)}))
        {order}
    """


def _sent(contract: Contract) -> list[Column]:
    return [column for column in contract.columns if column.transform is None]


def _reason(check: Check, arrived: bool) -> str:
    """SQL struct: what is told of a row that the check speaks against."""
    shape = f"coalesce({shape_sql(given(check.column))}, 'nothing')" if arrived else "'nothing'"
    return (
        f"{{'column': {literal(check.column)}, 'wanted': {literal(check.wanted)},"
        f" 'got': {shape}, 'cure': {literal(check.cure)}}}"
    )


def shape_sql(value: str) -> str:
    """SQL for the shape of a value: digits as 9, letters as a, what is not ASCII as one sign."""
    text = f"left({value}::VARCHAR, {LONGEST_SHAPE})"
    masked = MASKED.format(text)
    beyond = f"regexp_replace({masked}, '[^\\x00-\\x7F]', '字', 'g')"
    return f"CASE WHEN strlen({text}) = length({text}) THEN {masked} ELSE {beyond} END"


def _given_sql(column: Column, arrived: dict[str, pa.DataType], look: Look | None) -> str:
    """What came in for a column: empty text is no value."""
    if column.name not in arrived:
        return f"NULL::{SQL_TYPES[column.type]}"
    if look is None:
        return quoted(column.name)
    return f"nullif({quoted(f'trimmed:{column.name}' if look.spaces else column.name)}, '')"


def _timed_sql(contract: Contract, arrived: dict[str, pa.DataType], looks: dict[str, Look]) -> str:
    """SELECT giving typed columns, happened_at, known_at, source_row, given values and the row."""
    sent = _sent(contract)
    whole = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in arrived)
    came = "".join(
        f", {_given_sql(column, arrived, looks.get(column.name))} AS {given(column.name)}"
        for column in sent
    )
    typed = "".join(
        f", {typed_expression(column, arrived.get(column.name))} AS {quoted(column.name)}"
        for column in sent
    )
    computed = "".join(
        f", CAST(({column.transform}) AS {SQL_TYPES[column.type]}) AS {quoted(column.name)}"
        for column in contract.columns
        if column.transform is not None
    )
    inner = f"SELECT struct_pack({whole}) AS arrived, {SOURCE_ROW}{came} FROM arrived_rows"
    inner = f"SELECT *{typed} FROM ({inner})"
    if computed:
        inner = f"SELECT *{computed} FROM ({inner})"
    happened, join = _happened_sql(contract.happened_at)
    known = (
        quoted(contract.known_at)
        if contract.known_at
        else (f"happened_at + INTERVAL {int(contract.latency.total_seconds())} SECOND")
    )
    return f"""
        SELECT *, ({known})::TIMESTAMP AS known_at FROM (
            SELECT t.*, {happened}::TIMESTAMP AS happened_at FROM ({inner}) t {join}
        )"""


def _happened_sql(happened_at: str | Reference) -> tuple[str, str]:
    if isinstance(happened_at, str):
        return f"t.{quoted(happened_at)}", ""
    by = quoted(happened_at.by)
    return "r.referred", f"LEFT JOIN referred_times r ON r.{by} = t.{by}"


def referred_times_sql(happened_at: Reference, files: str) -> str:
    """SELECT of each key of the record set that holds the times, with its earliest time."""
    by, column = quoted(happened_at.by), quoted(happened_at.column)
    return f"SELECT {by}, min({column}) AS referred FROM {files} GROUP BY {by}"
