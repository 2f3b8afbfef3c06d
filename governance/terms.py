"""What a contract says beside its columns: who answers for the records, how long and how fresh they
are kept, what is measured of every batch, what becomes of a batch that has changed its shape.

All of it is Open Data Contract Standard, read from where the standard has it:

- `team` (a name, or members): the owner; `customProperties` of the contract: `legalGround`
- `slaProperties`: `retention` (d, w, mo, y: how long after a record happened) and `frequency`
  (how often a batch is expected)
- `quality`, of the schema or of a column: the library's metrics (rowCount, nullValues,
  missingValues, invalidValues, duplicateValues) or `type: sql` with a `query`; a rule of severity
  `error` refuses the batch, any other is told
- `customProperties` of the schema: `drift` (kind -> flag or refuse), `unitJumpBy` (a column
  whose values send units of their own), `pull` (a query, for the one of `servers` that is
  PostgreSQL); of a column: `category` (true: a value never seen before is told)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, get_args

import sqlglot
from open_data_contract_standard.model import (
    DataQuality,
    OpenDataContractStandard,
    SchemaObject,
)
from sqlglot.errors import SqlglotError

from base.errors import Fault, nearest

DriftKind = Literal["renamed", "dropped", "added", "retyped", "unit_jump", "new_category"]
DRIFT_KINDS: tuple[str, ...] = get_args(DriftKind)
ACTIONS = ("flag", "refuse")
PERIODS = {"d": 1.0, "w": 7.0, "mo": 30.4375, "y": 365.25}
METRICS = ("rowCount", "nullValues", "missingValues", "invalidValues", "duplicateValues")
OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
PERIOD_PROPERTIES = ("retention", "frequency")
UNITS = ("rows", "percent")


@dataclass(frozen=True)
class QualityRule:
    """One measure of a batch. `column` None: of all rows; `bounds`: one number, or two."""

    name: str
    metric: str
    operator: str
    bounds: tuple[float, ...]
    column: str | None = None
    query: str | None = None
    percent: bool = False
    refuses: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pull:
    """Records are fetched from a PostgreSQL server by a query."""

    server: str
    query: str
    host: str | None = None
    port: int | None = None
    database: str | None = None


@dataclass(frozen=True)
class Terms:
    """Read from a contract by `read_terms`."""

    owner: str | None = None
    legal_ground: str | None = None
    retention: timedelta | None = None
    frequency: timedelta | None = None
    quality: tuple[QualityRule, ...] = ()
    drift: Mapping[str, str] = field(default_factory=dict)
    unit_jump_by: str | None = None
    pull: Pull | None = None

    def action(self, kind: str) -> str:
        """What becomes of a batch with a drift of this kind: flag (by default) or refuse."""
        return self.drift.get(kind, "flag")


def read_terms(declared: OpenDataContractStandard, schema: SchemaObject) -> Terms:
    """The terms of a contract that `terms_faults` found nothing against."""
    own = _custom(declared)
    of_schema = _custom(schema)
    return Terms(
        owner=_owner(declared),
        legal_ground=own.get("legalGround"),
        retention=_period(declared, "retention"),
        frequency=_period(declared, "frequency"),
        quality=tuple(_rule(rule, column) for rule, column in _rules(schema)),
        drift=dict(of_schema.get("drift") or {}),
        unit_jump_by=of_schema.get("unitJumpBy"),
        pull=_pull(declared, of_schema),
    )


def terms_faults(
    declared: OpenDataContractStandard, schema: SchemaObject, where: str
) -> Iterator[Fault]:
    """Everything in the terms that could not be kept."""
    yield from _period_faults(declared, where)
    of_schema = _custom(schema)
    for kind, action in (of_schema.get("drift") or {}).items():
        if kind not in DRIFT_KINDS:
            yield Fault("a kind of drift", repr(kind), nearest(kind, DRIFT_KINDS), where)
        if action not in ACTIONS:
            yield Fault("flag or refuse", repr(action), "use one of flag, refuse", where)
    names = {str(column.name) for column in schema.properties or []}
    by = of_schema.get("unitJumpBy")
    if by is not None and by not in names:
        yield Fault("a column for unitJumpBy", repr(by), nearest(str(by), names), where)
    for rule, column in _rules(schema):
        yield from _rule_faults(rule, f"{where}: quality of {column or schema.name}")
    if "pull" in of_schema:
        if not any(server.type == "postgresql" for server in declared.servers or []):
            cure = "declare it under servers, with type: postgresql"
            yield Fault("a PostgreSQL server for pull", "none", cure, where)
        yield from _select_faults(of_schema["pull"], "postgres", f"{where}: pull")


def _custom(declared: Any) -> dict[str, Any]:
    return {str(entry.property): entry.value for entry in declared.customProperties or []}


def _owner(declared: OpenDataContractStandard) -> str | None:
    team: Any = declared.team
    members = team if isinstance(team, list) else getattr(team, "members", None) or []
    named = getattr(team, "name", None) or next(
        (getattr(one, "name", None) or getattr(one, "username", None) for one in members), None
    )
    return str(named) if named else None


def _period(declared: OpenDataContractStandard, name: str) -> timedelta | None:
    for promise in declared.slaProperties or []:
        if promise.property == name:
            return timedelta(days=float(promise.value or 0) * PERIODS[str(promise.unit)])
    return None


def _period_faults(declared: OpenDataContractStandard, where: str) -> Iterator[Fault]:
    for promise in declared.slaProperties or []:
        if promise.property not in PERIOD_PROPERTIES:
            continue
        place = f"{where}: {promise.property}"
        if str(promise.unit) not in PERIODS:
            yield Fault(
                "a unit of time", repr(promise.unit), nearest(str(promise.unit), PERIODS), place
            )
        try:
            sound = 0 < float(promise.value or 0) < 1_000_000
        except (TypeError, ValueError):
            sound = False
        if not sound:
            yield Fault("a time above 0", repr(promise.value), "say how long", place)


def _rules(schema: SchemaObject) -> Iterator[tuple[DataQuality, str | None]]:
    for rule in schema.quality or []:
        yield rule, None
    for column in schema.properties or []:
        for rule in column.quality or []:
            yield rule, str(column.name)


def _rule(rule: DataQuality, column: str | None) -> QualityRule:
    operator = next(name for name in OPERATORS if getattr(rule, name) is not None)
    bounds = getattr(rule, operator)
    metric = "sql" if rule.type == "sql" else str(rule.metric or rule.rule)
    return QualityRule(
        name=rule.name or rule.id or f"{metric} of {column or 'all rows'}",
        metric=metric,
        operator=operator,
        bounds=tuple(map(float, bounds if isinstance(bounds, list) else [bounds])),
        column=column,
        query=rule.query,
        percent=rule.unit == "percent",
        refuses=rule.severity == "error",
        arguments=dict(rule.arguments or {}),
    )


def _rule_faults(rule: DataQuality, where: str) -> Iterator[Fault]:
    given = [name for name in OPERATORS if getattr(rule, name) is not None]
    if len(given) != 1:
        yield Fault("one of the standard's operators", f"{len(given)}", "write mustBe: 0", where)
    for name in given:
        bounds = getattr(rule, name)
        numbers = bounds if isinstance(bounds, list) else [bounds]
        two = name.endswith("Between")
        if len(numbers) != 1 + two or not all(isinstance(each, int | float) for each in numbers):
            wanted = "two numbers" if two else "a number"
            yield Fault(f"{wanted} for {name}", "something else", "write numbers", where)
    if (rule.unit or "rows") not in UNITS:
        yield Fault("rows or percent", repr(rule.unit), nearest(str(rule.unit), UNITS), where)
    if rule.type == "sql":
        yield from _select_faults(filled(rule.query or "", "t", "c"), "duckdb", where)
    elif rule.type not in (None, "library"):
        yield Fault("a rule of type library or sql", repr(rule.type), "use one of them", where)
    elif (rule.metric or rule.rule) not in METRICS:
        got = str(rule.metric or rule.rule)
        yield Fault("a metric of the standard", repr(got), nearest(got, METRICS), where)


def filled(query: str, table: str, column: str) -> str:
    """A rule's query with the names that it leaves open."""
    for name in ("object", "table"):
        query = query.replace(f"${{{name}}}", table).replace(f"{{{name}}}", table)
    for name in ("property", "column"):
        query = query.replace(f"${{{name}}}", column).replace(f"{{{name}}}", column)
    return query


def _select_faults(query: object, dialect: str, where: str) -> Iterator[Fault]:
    try:
        parsed = sqlglot.parse(str(query), dialect=dialect)
        sound = len(parsed) == 1 and isinstance(parsed[0], sqlglot.exp.Query)
    except SqlglotError:
        sound = False
    if not sound:
        yield Fault("one SELECT", "something else", f"write one SELECT ({dialect})", where)


def _pull(declared: OpenDataContractStandard, of_schema: Mapping[str, Any]) -> Pull | None:
    if "pull" not in of_schema:
        return None
    server = next(each for each in declared.servers or [] if each.type == "postgresql")
    return Pull(
        server=str(server.server or server.id or "postgresql"),
        query=str(of_schema["pull"]).strip().rstrip(";"),
        host=server.host,
        port=int(server.port) if server.port is not None else None,
        database=server.database,
    )
