"""A contract's quality rules measured: over a batch while it is admitted, or over what stands."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

from base.errors import Fault
from governance.checks import literal, quoted
from governance.contract import Contract
from governance.doubles import lay_out_repeated
from governance.home import Home
from governance.reading import Records
from governance.terms import QualityRule, filled

COMPARED: dict[str, Callable[[float, tuple[float, ...]], bool]] = {
    "mustBe": lambda value, bounds: value == bounds[0],
    "mustNotBe": lambda value, bounds: value != bounds[0],
    "mustBeGreaterThan": lambda value, bounds: operator.gt(value, bounds[0]),
    "mustBeGreaterOrEqualTo": lambda value, bounds: operator.ge(value, bounds[0]),
    "mustBeLessThan": lambda value, bounds: operator.lt(value, bounds[0]),
    "mustBeLessOrEqualTo": lambda value, bounds: operator.le(value, bounds[0]),
    "mustBeBetween": lambda value, bounds: bounds[0] <= value <= bounds[1],
    "mustNotBeBetween": lambda value, bounds: not bounds[0] <= value <= bounds[1],
}


@dataclass(frozen=True)
class Measured:
    """What a rule found. `value` is None where a query gave no number: then the rule has failed."""

    rule: str
    column: str | None
    metric: str
    value: float | None
    wanted: str
    ok: bool
    refuses: bool

    def fault(self, where: str) -> Fault:
        """What to say of a rule that failed."""
        got = "no number" if self.value is None else f"{self.value:g}"
        return Fault(f"{self.rule}: {self.wanted}", got, "ask the sender about this batch", where)


def measured(home: Home, record_set: str) -> list[Measured]:
    """The rules of a record set, over its rows that stand now (no earlier versions)."""
    contract = home.jurisdiction.contract(record_set)
    with Records(home, only=[record_set]) as records:
        rows = f"(SELECT * FROM {quoted(record_set)} WHERE retracted_at IS NULL)"
        return measure(records.connection(), contract, rows)


def measure(connection: duckdb.DuckDBPyConnection, contract: Contract, rows: str) -> list[Measured]:
    """The rules of a contract over a relation of its columns."""
    if not contract.terms.quality:
        return []
    [(count,)] = connection.execute(f"SELECT count(*) FROM {rows} t").fetchall()
    return [_measured(connection, rule, rows, int(count)) for rule in contract.terms.quality]


def _measured(
    connection: duckdb.DuckDBPyConnection, rule: QualityRule, rows: str, count: int
) -> Measured:
    if rule.metric == "duplicateValues":
        rows = _in_doubt(connection, rule, rows)
    [(found,)] = connection.execute(_query(rule, rows)).fetchall()[:1] or [(None,)]
    value = float(found) if isinstance(found, int | float) else None
    if value is not None and rule.percent:
        value = 100 * value / count if count else 0.0
    ok = value is not None and COMPARED[rule.operator](value, rule.bounds)
    wanted = f"{rule.operator} {' and '.join(f'{each:g}' for each in rule.bounds)}"
    unit = " percent" if rule.percent else ""
    return Measured(rule.name, rule.column, rule.metric, value, wanted + unit, ok, rule.refuses)


def _query(rule: QualityRule, rows: str) -> str:
    column = quoted(rule.column or "")
    if rule.metric == "sql":
        return filled(rule.query or "", f"{rows} t", column)
    return f"SELECT {_counted(rule, column)} FROM {rows} t"


def _counted(rule: QualityRule, column: str) -> str:
    if rule.metric == "rowCount":
        return "count(*)"
    if rule.metric == "duplicateValues":
        return f"count(*) - count(DISTINCT ({_key(rule)}))"
    if rule.metric == "invalidValues":
        return f"count(*) FILTER ({column} IS NOT NULL AND NOT ({_valid(rule, column)}))"
    missing = [each for each in rule.arguments.get("missingValues", []) if each is not None]
    told = "".join(f" OR {column}::VARCHAR = {literal(str(each))}" for each in missing)
    return f"count(*) FILTER ({column} IS NULL{told})"


def _key(rule: QualityRule) -> str:
    names = rule.arguments.get("properties") or [rule.column]
    return ", ".join(quoted(str(name)) for name in names)


def _in_doubt(connection: duckdb.DuckDBPyConnection, rule: QualityRule, rows: str) -> str:
    """The rows that others may be doubles of, or that have no value: each of the others has one of
    its own, and adds nothing."""
    hashed = f"hash({_key(rule)})"
    lay_out_repeated(connection, "values_repeated", hashed, rows)
    return f"(FROM {rows} t WHERE {hashed} IN (FROM values_repeated) OR ({_key(rule)}) IS NULL)"


def _valid(rule: QualityRule, column: str) -> str:
    conditions = ["true"]
    if "validValues" in rule.arguments:
        listed = ", ".join(literal(str(each)) for each in rule.arguments["validValues"])
        conditions.append(f"{column}::VARCHAR IN ({listed})")
    if "pattern" in rule.arguments:
        pattern = literal(str(rule.arguments["pattern"]))
        conditions.append(f"regexp_full_match({column}::VARCHAR, {pattern})")
    return " AND ".join(conditions)
