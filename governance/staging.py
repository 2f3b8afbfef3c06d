"""A block laid out for judgement: typed values, times and verdict beside each row, in one pass.

The query is compiled once for each shape that blocks of a batch have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from governance.block import SOURCE_ROW, SPACES, Block
from governance.checks import (
    EARLIEST,
    SQL_TYPES,
    Check,
    Earliest,
    Look,
    bad_sql,
    checks,
    earliest_sql,
    given,
    literal,
    quoted,
    typed_expression,
)
from governance.contract import Column, Contract, Reference
from governance.shapes import shapes

# Bytes without which no value can begin or end with a space, or be a formula.
SPACE_BYTES = tuple(each.encode() for each in SPACES)
SPACE = 32
SEPARATOR = "chr(31)"
FORMULA_BYTES = (b"=", b"(", b"|", b"!")


@dataclass
class Judge:
    """Judges blocks of one batch under a contract, on one connection.

    After `judge` the table `judged` has, in the order of the block: the contract's columns,
    happened_at, known_at, source_row, bad (whether anything speaks against the row) and, of the
    others, row_digest. The view
    `bad_judged` has source_row, reasons (a list of column, wanted, got, cure) and raw (JSON of what
    came) of the bad ones: words are put together for those alone. `latest`: the last moment that
    columns may tell; `late`: since when columns are there that came later than the first rows.
    """

    connection: duckdb.DuckDBPyConnection
    contract: Contract
    latest: Mapping[str, datetime] = field(default_factory=dict)
    late: Mapping[str, datetime] = field(default_factory=dict)
    earliest: Earliest | None = None
    _compiled: dict[object, tuple[str, str]] = field(default_factory=dict)

    def judge(self, block: Block) -> None:
        """Lay the rows of `block` out as the table `judged`."""
        rows, looks = _trimmed(self.contract, block.rows)
        schema = rows.schema
        key = (tuple((each.name, str(each.type)) for each in schema), tuple(looks.values()))
        if key not in self._compiled:
            self._compiled[key] = judging_sql(
                self.contract, schema, looks, self.latest, self.late, self.earliest
            )
        judged, reasons = self._compiled[key]
        self.connection.register("arrived_rows", rows)
        try:
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {judged}")
        finally:
            self.connection.unregister("arrived_rows")
        self.connection.register("bad_told", self._bad())
        self.connection.execute(f"""
            CREATE OR REPLACE TEMP VIEW bad_judged AS
            SELECT {SOURCE_ROW}, raw, {reasons} AS reasons FROM bad_told
        """)

    def _bad(self) -> pa.Table:
        """The bad rows with the checks that failed and the shape of what each looked at."""
        bad = self.connection.sql(
            f"SELECT {SOURCE_ROW}, raw, failed, told FROM judged WHERE bad"
        ).to_arrow_table()
        told = bad["told"].combine_chunks()
        told = told.chunk(0) if isinstance(told, pa.ChunkedArray) else told
        shaped = pa.ListArray.from_arrays(told.offsets, shapes(told.values))
        return bad.set_column(bad.schema.get_field_index("told"), "told", shaped)


def look_at(column: pa.ChunkedArray) -> Look:
    """What the bytes of a text column rule out; cheaper by far than asking every row."""
    buffers = [chunk.buffers()[2] for chunk in column.chunks if len(chunk)]
    looks = [_look(buffer) for buffer in buffers if buffer is not None and buffer.size]
    return Look(
        spaces=any(each.spaces for each in looks),
        formula=any(each.formula for each in looks),
        unseen=any(each.unseen for each in looks),
    )


def _look(buffer: pa.Buffer) -> Look:
    values, text = np.frombuffer(buffer, np.uint8), buffer.to_pybytes()
    least, ascii_ = values.min(), text.isascii()
    return Look(
        # Of ASCII a space is the least byte that anybody may see.
        spaces=bool(least <= SPACE) if ascii_ else any(each in text for each in SPACE_BYTES),
        formula=any(each in text for each in FORMULA_BYTES),
        unseen=not ascii_ or bool(least < SPACE) or b"\x7f" in text,
    )


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


def judging_sql(
    contract: Contract,
    schema: pa.Schema,
    looks: dict[str, Look],
    latest: Mapping[str, datetime] | None = None,
    late: Mapping[str, datetime] | None = None,
    earliest: Earliest | None = None,
) -> tuple[str, str]:
    """SELECT over `arrived_rows` that gives the columns of `judged`, and SQL for reasons over it.

    Of bad rows `judged` also has `failed`, the numbers of the checks that failed, from 1, and
    `told`, what each of them looked at.
    """
    raw = [name for name in schema.names if name != SOURCE_ROW and not name.startswith("trimmed:")]
    arrived = {name: schema.field(name).type for name in raw}
    found = checks(contract, arrived, looks, latest, earliest)
    failed = ", ".join(f"CASE WHEN {check.bad} THEN {at} END" for at, check in enumerate(found, 1))
    sent = [column.name for column in _sent(contract)]
    texts = ", ".join(f"{given(name)}::VARCHAR" for name in sent)
    # Place 0 of a list is NULL: a computed column was given by nobody.
    places = [sent.index(check.column) + 1 if check.column in sent else 0 for check in found]
    told = f"list_transform(failed, lambda k: [{texts}][{places}[k]])" if found else "[]"
    left_out = ", ".join(["arrived", *map(given, sent), EARLIEST])
    # A join may change the order of rows; without one they stay as they came.
    joined = earliest is not None or not isinstance(contract.happened_at, str)
    order = f"ORDER BY {SOURCE_ROW}" if joined else ""
    timed = _timed_sql(contract, arrived, looks, late or {})
    judged = f"""
        SELECT * EXCLUDE ({left_out}),
               CASE WHEN NOT bad THEN {row_digest(contract, late or {})} END AS row_digest,
               CASE WHEN bad THEN list_filter([{failed}], lambda x: x IS NOT NULL) END AS failed,
               CASE WHEN bad THEN {told} END AS told,
               CASE WHEN bad THEN to_json(arrived)::VARCHAR END AS raw
        FROM (SELECT *, {bad_sql(found)} AS bad
              FROM (SELECT *, {earliest_sql(earliest)} FROM ({timed})))
        {order}
    """
    return judged, _reasons_sql(found)


def row_digest(contract: Contract, late: Collection[str] = ()) -> str:
    """SQL: 128 bits over every value of a good row that came in, typed, in the contract's order.

    Late columns follow under their names where they have a value: a row without is the row that it
    was before there were such columns.
    """
    first = [each for each in _sent(contract) if each.name not in late]
    values = [
        f"{quoted(each.name)}::VARCHAR"
        if each.required
        else f"coalesce({quoted(each.name)}::VARCHAR, chr(30))"
        for each in first
    ]
    # What is NULL adds nothing to a concat.
    told = [
        f"{SEPARATOR} || {literal(name)} || chr(29) || {quoted(name)}::VARCHAR"
        for name in sorted(late)
    ]
    return f"unhex(md5(concat({', '.join([f', {SEPARATOR}, '.join(values), *told])})))"


def _sent(contract: Contract) -> list[Column]:
    return [column for column in contract.columns if column.transform is None]


def _reasons_sql(found: list[Check]) -> str:
    """SQL list of structs: what is told of each check that failed."""
    parts = {
        part: f"[{', '.join(literal(getattr(check, part)) for check in found)}][k]"
        for part in ("column", "wanted", "cure")
    }
    told = (
        f"{{'column': {parts['column']}, 'wanted': {parts['wanted']},"
        f" 'got': coalesce(told[i], 'nothing'), 'cure': {parts['cure']}}}"
    )
    return f"list_transform(failed, lambda k, i: {told})" if found else "[]"


def _given_sql(column: Column, arrived: dict[str, pa.DataType], look: Look | None) -> str:
    """What came in for a column: empty text is no value."""
    if column.name not in arrived:
        return f"NULL::{SQL_TYPES[column.type]}"
    if look is None:
        return quoted(column.name)
    return f"nullif({quoted(f'trimmed:{column.name}' if look.spaces else column.name)}, '')"


def _timed_sql(
    contract: Contract,
    arrived: dict[str, pa.DataType],
    looks: dict[str, Look],
    late: Mapping[str, datetime],
) -> str:
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
        SELECT *, {_not_before(f"({known})::TIMESTAMP", late)} AS known_at FROM (
            SELECT t.*, {happened}::TIMESTAMP AS happened_at FROM ({inner}) t {join}
        )"""


def _not_before(known: str, late: Mapping[str, datetime]) -> str:
    """SQL: what tells a late column's value was not known before there was such a column."""
    for name, since in late.items():
        moment = f"TIMESTAMP {literal(since.isoformat(sep=' '))}"
        known = (
            f"CASE WHEN {quoted(name)} IS NULL THEN {known} ELSE greatest({known}, {moment}) END"
        )
    return known


def _happened_sql(happened_at: str | Reference) -> tuple[str, str]:
    if isinstance(happened_at, str):
        return f"t.{quoted(happened_at)}", ""
    by = quoted(happened_at.by)
    return "r.referred", f"LEFT JOIN referred_times r ON r.{by} = t.{by}"


def referred_times_sql(happened_at: Reference, files: str) -> str:
    """SELECT of each key of the record set that holds the times, with its earliest time."""
    by, column = quoted(happened_at.by), quoted(happened_at.column)
    return f"SELECT {by}, min({column}) AS referred FROM {files} GROUP BY {by}"
