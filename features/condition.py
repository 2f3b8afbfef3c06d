"""Conditions in definitions: a SQL boolean over a source's own columns, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from base.errors import Fault, nearest

FORBIDDEN = (exp.Subquery, exp.Select, exp.Table, exp.Command, exp.Window, exp.AggFunc)


def condition_faults(condition: str | None, columns: Mapping[str, str], where: str) -> list[Fault]:
    """What is wrong with a condition; columns it may not see are refused by name."""
    if condition is None:
        return []
    try:
        parsed = sqlglot.parse_one(condition, read="duckdb")
    except SqlglotError as error:
        got = str(error).splitlines()[0][:120]
        return [Fault("a SQL condition", got, "mend the condition", where)]
    faults = []
    for node in parsed.find_all(*FORBIDDEN):
        got = node.sql(dialect="duckdb")[:60]
        faults.append(Fault("a condition on one record", got, "compare columns only", where))
    for function in parsed.find_all(exp.Anonymous):
        got = f"{function.name}()"
        faults.append(Fault("a function that SQL knows", got, "use plain comparisons", where))
    for column in parsed.find_all(exp.Column):
        if column.name not in columns:
            wanted = "a column that was known with the record"
            faults.append(Fault(wanted, repr(column.name), nearest(column.name, columns), where))
    return faults


def columns_used(condition: str | None) -> set[str]:
    """Column names a (checked) condition reads."""
    if condition is None:
        return set()
    parsed = sqlglot.parse_one(condition, read="duckdb")
    return {column.name for column in parsed.find_all(exp.Column)}
