"""A block laid out for judgement: typed values, times and verdict beside each row, in one pass.

The engine gives what is new of a row: typed values, times, verdict, digest. Text that is stored as
it came does not go through it, and what is told of bad rows is asked for those alone. The queries
are compiled once for each shape that blocks of a batch have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from governance.block import SOURCE_ROW, SPACES, Block
from governance.checks import (
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
from governance.looks import look_at
from governance.reasons import of_checks

SEPARATOR = "chr(31)"
BYTES_OF_A_DIGEST = 16
# Before the name of a column: what was given, where that is not all that came.
TRIMMED = "trimmed:"


@dataclass(frozen=True)
class Judged:
    """A block under a contract, row by row in the block's order.

    `rows`: as they came, trimmed text beside; `typed`: happened_at, known_at and the contract's
    columns; `bad`: whether anything speaks against a row. Of the good ones: `digests`, 16 bytes
    each, and `keys`, 64 bits of the primary key.
    """

    rows: pa.Table
    typed: pa.Table
    bad: npt.NDArray[np.bool_]
    digests: npt.NDArray[np.uint8]
    keys: npt.NDArray[np.uint64]
    compiled: Compiled


@dataclass(frozen=True)
class Compiled:
    """The queries for blocks of one shape, over `arrived_rows`, and the checks that they make.

    `judged`: source_row, the typed columns that are not stored as they came, happened_at, known_at,
    bad, row_digest, key_hash. `failed`, over bad rows: source_row, row, raw (JSON of what came),
    whether each check failed, what was given for each column.
    """

    judged: str
    failed: str
    checks: list[Check]


@dataclass
class Judge:
    """Judges blocks of one batch under a contract, on one connection.

    `latest`: the last moment that columns may tell; `late`: since when columns are there that came
    later than the first rows.
    """

    connection: duckdb.DuckDBPyConnection
    contract: Contract
    latest: Mapping[str, datetime] = field(default_factory=dict)
    late: Mapping[str, datetime] = field(default_factory=dict)
    earliest: Earliest | None = None
    _compiled: dict[object, Compiled] = field(default_factory=dict)

    def judge(self, block: Block) -> Judged:
        """Type the rows of `block` and find those that anything speaks against."""
        rows, looks = _trimmed(self.contract, block.rows)
        schema = rows.schema
        key = (tuple((each.name, str(each.type)) for each in schema), tuple(looks.values()))
        if key not in self._compiled:
            self._compiled[key] = compiled(
                self.contract, schema, looks, self.latest, self.late, self.earliest
            )
        queries = self._compiled[key]
        found = self._asked(queries.judged, rows)
        bad = found["bad"].to_numpy()
        digests = _digests(found["row_digest"], len(bad) - int(bad.sum()))
        keys = found["key_hash"].to_numpy()[~bad]
        return Judged(rows, self._typed(rows, found), bad, digests, keys, queries)

    def _typed(self, rows: pa.Table, found: pa.Table) -> pa.Table:
        columns = {name: found[name] for name in ("happened_at", "known_at")}
        as_came = _as_came(self.contract, rows.schema)
        for each in self.contract.columns:
            stored_as_came = each.name in as_came
            given_as = _given_name(each.name, rows.column_names)
            columns[each.name] = rows[given_as] if stored_as_came else found[each.name]
        return pa.table(columns)

    def told(self, judged: Judged) -> pa.Table:
        """The bad rows with their reasons: a table of BAD_ROWS."""
        bad = judged.rows.filter(pa.array(judged.bad))
        return of_checks(judged.compiled.checks, self._asked(judged.compiled.failed, bad))

    def _asked(self, query: str, rows: pa.Table) -> pa.Table:
        self.connection.register("arrived_rows", rows)
        try:
            return _in_order(self.connection.sql(query).to_arrow_table())
        finally:
            self.connection.unregister("arrived_rows")


def _trimmed(contract: Contract, rows: pa.Table) -> tuple[pa.Table, dict[str, Look]]:
    """The rows, what was given beside what came where it differs, and a look at each text column.

    Text is given without the spaces around it, and empty text is no value.
    """
    looks = {}
    for column in _sent(contract):
        at = rows.schema.get_field_index(column.name)
        if at >= 0 and pa.types.is_string(rows.schema.field(at).type):
            came = rows.column(at)
            look = looks[column.name] = look_at(came, column.type)
            text = pc.utf8_trim(came, characters=SPACES) if look.spaces else came
            empty = pc.equal(pc.binary_length(text), 0)
            if pc.any(empty).as_py():
                text = pc.if_else(empty, pa.scalar(None, pa.string()), text)
            if text is not came:
                rows = rows.append_column(TRIMMED + column.name, text)
    return rows, looks


def _given_name(name: str, columns: Collection[str]) -> str:
    """The column of the arrived rows that holds what was given for `name`."""
    return TRIMMED + name if TRIMMED + name in columns else name


def _as_came(contract: Contract, schema: pa.Schema) -> list[str]:
    """Columns that are stored as they were given: text that came as text."""
    return [
        column.name
        for column in _sent(contract)
        if column.type == "string"
        and column.name in schema.names
        and pa.types.is_string(schema.field(column.name).type)
    ]


def _in_order(found: pa.Table) -> pa.Table:
    """Rows by `source_row`, as in the block: the engine's threads may hand them out otherwise."""
    rows = found[SOURCE_ROW].to_numpy()
    in_order = bool((rows[1:] > rows[:-1]).all())
    return found if in_order else found.take(pa.array(np.argsort(rows)))


def _digests(told: pa.ChunkedArray, count: int) -> npt.NDArray[np.uint8]:
    """The digests of the good rows. As a number one has its last byte first."""
    chunks = [chunk.drop_null() for chunk in told.chunks]
    whole = pa.concat_arrays(chunks) if chunks else pa.array([], pa.binary())
    data = whole.buffers()[2] if count else b""
    reversed_ = np.frombuffer(data, np.uint8, BYTES_OF_A_DIGEST * count)
    return np.ascontiguousarray(reversed_.reshape(-1, BYTES_OF_A_DIGEST)[:, ::-1])


def compiled(
    contract: Contract,
    schema: pa.Schema,
    looks: dict[str, Look],
    latest: Mapping[str, datetime] | None = None,
    late: Mapping[str, datetime] | None = None,
    earliest: Earliest | None = None,
) -> Compiled:
    """The queries for blocks of this shape."""
    raw = [name for name in schema.names if name != SOURCE_ROW and not name.startswith(TRIMMED)]
    arrived = {name: schema.field(name).type for name in raw}
    found = checks(contract, arrived, looks, latest, earliest)
    timed = _timed_sql(contract, schema.names, arrived, late or {}, looks)
    told = f"SELECT *, {earliest_sql(earliest)} FROM ({timed})"
    as_came = set(_as_came(contract, schema))
    typed = [quoted(each.name) for each in contract.columns if each.name not in as_came]
    digest = f"CASE WHEN NOT bad THEN {row_digest(contract, late or {})} END AS row_digest"
    columns = [SOURCE_ROW, "happened_at", "known_at", *typed, "bad", digest]
    judged = f"""
        SELECT {", ".join(columns)}, {key_hash(contract)} AS key_hash
        FROM (SELECT *, {bad_sql(found)} AS bad FROM ({told}))
    """
    return Compiled(judged, _failed_sql(contract, found, told), found)


def _failed_sql(contract: Contract, found: list[Check], told: str) -> str:
    """SELECT over bad rows: which checks failed, and what was given."""
    failed = "".join(
        f", coalesce({check.bad}, false) AS {quoted(f'failed:{at}')}"
        for at, check in enumerate(found)
    )
    texts = "".join(
        f", {given(column.name)}::VARCHAR AS {given(column.name)}" for column in _sent(contract)
    )
    return f"""
        SELECT {SOURCE_ROW}, {SOURCE_ROW} AS row, to_json(arrived)::VARCHAR AS raw{failed}{texts}
        FROM ({told})
    """


def row_digest(contract: Contract, late: Collection[str] = ()) -> str:
    """SQL: 128 bits over every value of a good row that came in, typed, in the contract's order; as
    the engine has a number, its last byte first.

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
    # As a number it is quicker than as hexadecimal text; see _digests for its order.
    whole = ", ".join([f", {SEPARATOR}, ".join(values), *told])
    return f"md5_number(concat({whole}))::UUID::BLOB"


def key_hash(contract: Contract) -> str:
    """SQL: 64 bits of the primary key, 0 where there is none."""
    key = ", ".join(quoted(name) for name in contract.primary_key)
    return f"hash({key})" if key else "0::UBIGINT"


def _sent(contract: Contract) -> list[Column]:
    return [column for column in contract.columns if column.transform is None]


def _given_sql(column: Column, columns: Collection[str], arrived: Mapping[str, pa.DataType]) -> str:
    """What came in for a column."""
    if column.name not in arrived:
        return f"NULL::{SQL_TYPES[column.type]}"
    return quoted(_given_name(column.name, columns))


def _timed_sql(
    contract: Contract,
    columns: Collection[str],
    arrived: dict[str, pa.DataType],
    late: Mapping[str, datetime],
    looks: Mapping[str, Look],
) -> str:
    """SELECT giving typed columns, happened_at, known_at, source_row, given values and the row."""
    sent = _sent(contract)
    whole = ", ".join(f"{quoted(name)} := {quoted(name)}" for name in arrived)
    came = "".join(
        f", {_given_sql(column, columns, arrived)} AS {given(column.name)}" for column in sent
    )
    values = {
        column.name: typed_expression(column, arrived.get(column.name), looks.get(column.name))
        for column in sent
    }
    typed = "".join(f", {value} AS {quoted(name)}" for name, value in values.items())
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
