"""Conditions in definitions: a SQL boolean over one record's own columns, fixed when it was known.

Whatever could see past the clue's moment is refused by name: a column that is written later, a
column of another record set (an outcome above all), the clock, chance, other rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import duckdb
import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from base.errors import Fault, nearest
from governance.checks import SQL_TYPES, quoted
from governance.engine import connect, lock_down

Types = Mapping[str, str]
FIXED = "a column that was fixed when the record became known"
OTHER_ROWS = (
    exp.Query, exp.Table, exp.Command, exp.Window, exp.AggFunc, exp.Exists, exp.Star,
    exp.Lambda, exp.Placeholder, exp.Parameter, exp.Explode,
)  # fmt: skip
CLOCK_OR_CHANCE = (
    exp.CurrentDate, exp.CurrentDatetime, exp.CurrentTime, exp.CurrentTimestamp, exp.Localtime,
    exp.Localtimestamp, exp.Rand, exp.Randn, exp.Uuid,
)  # fmt: skip
# Anonymous to the parser, but known to the engine.
CLOCK_OR_CHANCE_NAMES = {
    "now", "get_current_timestamp", "get_current_time", "transaction_timestamp", "nextval",
    "currval", "setseed", "txid_current", "uuidv4", "uuidv7", "age",
}  # fmt: skip
PLAIN = (
    exp.And, exp.Or, exp.Xor, exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Cast, exp.TryCast,
    exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Left, exp.Right, exp.Substring, exp.Concat,
    exp.DPipe, exp.Replace, exp.StartsWith, exp.EndsWith, exp.Contains, exp.StrPosition,
    exp.RegexpLike, exp.Abs, exp.Sign, exp.Round, exp.Floor, exp.Ceil, exp.Greatest, exp.Least,
    exp.Year, exp.Quarter, exp.Month, exp.Week, exp.Day, exp.DayOfMonth, exp.DayOfWeek,
    exp.DayOfYear, exp.Extract, exp.DateDiff, exp.DateTrunc, exp.TimestampTrunc,
)  # fmt: skip
# A value of each type, so that the engine meets every cast that the condition makes.
SPECIMENS = {
    "integer": "0",
    "number": "0",
    "string": "'0'",
    "boolean": "false",
    "date": "'2000-01-01'",
    "timestamp": "'2000-01-01'",
}
WRITTEN_ELSEWHERE = {
    "retracted_at": "is written later, when the record is corrected: it could see the outcome",
    "known_at": "is held against the clue's moment by the rule itself",
    "happened_at": "is held against the clue's moment by the rule itself",
    "record_no": "is given in the order of arrival, not fixed by what happened",
    "batch": "says how the record arrived, not what happened",
    "row_digest": "says how the record is stored, not what happened",
}


def condition_faults(
    condition: str | None,
    columns: Types,
    where: str,
    *,
    source: str = "the record set",
    others: Mapping[str, Types] | None = None,
) -> list[Fault]:
    """What is wrong with a condition over the `columns` (name -> type) of `source`.

    `others` are further record sets, so that a column of theirs is told from a misspelt one.
    """
    if condition is None:
        return []
    try:
        statements = sqlglot.parse(condition, read="duckdb")
    except SqlglotError as error:
        got = str(error).splitlines()[0][:120]
        return [Fault("a SQL condition", got, "mend the condition", where)]
    parsed = statements[0] if len(statements) == 1 else None
    if parsed is None:
        got = f"{len(statements)} statements" if condition.strip() else "nothing"
        return [Fault("one SQL condition", got, "join conditions with AND or OR", where)]
    faults = _parts_refused(parsed, where)
    for column in parsed.find_all(exp.Column):
        if column.table:
            got, cure = repr(column.sql(dialect="duckdb")), f"write {column.name!r}"
            faults.append(Fault("a column by its plain name", got, cure, where))
        elif column.name not in columns:
            faults.append(_unknown(column.name, columns, where, source, others or {}))
    return faults or _engine_faults(condition, columns, where)


def columns_used(condition: str | None) -> set[str]:
    """Column names a (checked) condition reads."""
    if condition is None:
        return set()
    parsed = sqlglot.parse_one(condition, read="duckdb")
    return {column.name for column in parsed.find_all(exp.Column)}


def _parts_refused(parsed: exp.Expr, where: str) -> list[Fault]:
    faults = []
    for node in parsed.walk():
        got = node.sql(dialect="duckdb")[:60]
        if node.comments:
            faults.append(Fault("a condition", "a comment in it", "leave the comment out", where))
        if isinstance(node, OTHER_ROWS):
            faults.append(Fault("a condition on one record", got, "compare columns only", where))
        elif isinstance(node, CLOCK_OR_CHANCE) or (
            isinstance(node, exp.Anonymous) and node.name.lower() in CLOCK_OR_CHANCE_NAMES
        ):
            wanted = "a condition that answers alike whenever it is asked"
            got = f"{got}, which reads the clock or draws lots: it could see the outcome"
            cure = "compare columns; how far back to look is the window's to say"
            faults.append(Fault(wanted, got, cure, where))
        elif isinstance(node, exp.Func) and not isinstance(node, PLAIN):
            wanted = "a function of one record's values that every engine has"
            cure = "use plain comparisons, LIKE, lower, coalesce, CASE, year, date_diff"
            faults.append(Fault(wanted, got, cure, where))
    return faults


def _unknown(
    name: str, columns: Types, where: str, source: str, others: Mapping[str, Types]
) -> Fault:
    if name in WRITTEN_ELSEWHERE:
        cure = "leave it out; late, retracted and old records are cut by the rule and the window"
        return Fault(FIXED, f"{name!r}, which {WRITTEN_ELSEWHERE[name]}", cure, where)
    holders = sorted(other for other, types in others.items() if name in types)
    if holders:
        got = f"{name!r}, a column of {holders[0]}, which is known apart from {source}"
        if "outcomes" in holders:
            holders = ["outcomes"]
            got = f"{name!r}, a column of outcomes: seen from {source} it could see the outcome"
        cure = f"make a group with source: {holders[0]}, whose records count once they are known"
        return Fault(FIXED, got, cure, where)
    got = f"{name!r}, which {source} does not offer (what its sender overwrites is not offered)"
    return Fault(FIXED, got, nearest(name, columns), where)


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    connection = connect(threads=1)
    lock_down(connection)
    return connection


def _engine_faults(condition: str, columns: Types, where: str) -> list[Fault]:
    """What the engine says of the condition when it is asked of one made-up record."""
    record = ", ".join(
        f"{SPECIMENS[kind]}::{SQL_TYPES[kind]} AS {quoted(name)}" for name, kind in columns.items()
    )
    try:
        asked = _engine().cursor().sql(f"SELECT ({condition}) FROM (SELECT {record or 'NULL'})")
        asked.fetchall()
    except duckdb.Error as error:
        got = " ".join(str(error).split("LINE 1")[0].split())[:160]
        cure = "mend the condition; TRY_CAST where a text may have another form"
        return [Fault("a condition the engine can answer", got, cure, where)]
    if str(asked.types[0]) != "BOOLEAN":
        got, cure = f"{condition[:60]!r} ({asked.types[0]})", "compare it with a value"
        return [Fault("a condition that is true or false", got, cure, where)]
    return []
