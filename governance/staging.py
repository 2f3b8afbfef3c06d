"""One file laid out for judgement: typed values, times, reasons and digest beside each row."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from base.errors import Fault, nearest
from governance.checks import SQL_TYPES, Check, checks, quoted, reasons_sql, typed_expression
from governance.contract import Contract, Reference
from governance.source import Source

MASK = (
    "regexp_replace(regexp_replace(regexp_replace(left({0}, 40), '[0-9]', '9', 'g'),"
    " '[A-Za-z]', 'a', 'g'), '[^\\x00-\\x7F]', '字', 'g')"
)


def stage(
    connection: duckdb.DuckDBPyConnection, contract: Contract, source: Source, number: int
) -> list[Check]:
    """Create the table `staged_<number>`; returns the checks its `reasons` count into.

    Columns: the contract's, happened_at, known_at, source_row, reasons (INTEGER[]), masks (the
    shapes of the offending values: digits as 9, letters as a), raw (JSON of the row as it came).
    """
    arrived = {field.name: field.type for field in source.rows.schema if field.name != "source_row"}
    connection.register("arrived_rows", source.rows)
    found = checks(contract, arrived)
    connection.execute(f"""
        CREATE OR REPLACE TABLE staged_{number} AS
        SELECT * EXCLUDE (arrived), {reasons_sql(found)} AS reasons,
               CASE WHEN len(reasons) > 0 THEN {_masks(found, arrived)} END AS masks,
               CASE WHEN len(reasons) > 0 THEN to_json(arrived)::VARCHAR END AS raw
        FROM ({_timed_sql(contract, arrived)})
    """)
    connection.unregister("arrived_rows")
    return found


def column_notices(contract: Contract, source: Source) -> list[Fault]:
    """What the file's columns have too many or too few of, against the contract's."""
    arrived = [name for name in source.rows.column_names if name != "source_row"]
    expected = [column.name for column in contract.columns if column.transform is None]
    missing = [name for name in expected if name not in arrived]
    notices = []
    for name in arrived:
        if name not in expected:
            cure = nearest(name, missing) if missing else "declare it, or ask the sender to drop it"
            notices.append(
                Fault(
                    f"a column of {contract.record_set}",
                    f"unknown column {name!r} (not stored)",
                    cure,
                    f"{source.name}: row 1",
                )
            )
    for name in missing:
        strays = [other for other in arrived if other not in expected]
        cure = f"rename {strays[0]!r}" if len(strays) == 1 else "ask the sender for it"
        got = "no such column"
        notices.append(Fault(f"the column {name!r}", got, cure, f"{source.name}: row 1"))
    return notices


def _timed_sql(contract: Contract, arrived: dict[str, pa.DataType]) -> str:
    """SELECT giving typed columns, happened_at, known_at, source_row and the row as it arrived."""
    plain = [column for column in contract.columns if column.transform is None]
    typed = ", ".join(
        f"{typed_expression(column, arrived.get(column.name))} AS {quoted(column.name)}"
        for column in plain
    )
    computed = ", ".join(
        f"CAST(({column.transform}) AS {SQL_TYPES[column.type]}) AS {quoted(column.name)}"
        for column in contract.columns
        if column.transform is not None
    )
    inner = f"SELECT arrived, arrived.source_row AS source_row, {typed} FROM arrived_rows arrived"
    if computed:
        inner = f"SELECT *, {computed} FROM ({inner})"
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
    by, column = quoted(happened_at.by), quoted(happened_at.column)
    source = f"SELECT {by}, min({column}) AS referred FROM referred_rows GROUP BY {by}"
    return "r.referred", f"LEFT JOIN ({source}) r ON r.{by} = t.{by}"


def _masks(found: list[Check], arrived: dict[str, pa.DataType]) -> str:
    """SQL list, one entry a check: the shape of the value it looked at, NULL for an empty one."""
    shapes = []
    for check in found:
        text = f"arrived.{quoted(check.column)}::VARCHAR"
        shapes.append(MASK.format(text) if check.column in arrived else "NULL::VARCHAR")
    return f"[{', '.join(shapes)}]" if shapes else "[]::VARCHAR[]"
