"""A record set's contract: Open Data Contract Standard v3 YAML, read into what the checks need.

The dialect is ODCS with these custom properties, all explained in docs/declare.md:

- on the schema: `happenedAt` (a column, or `record_set.column` found by `happenedAtBy`, a column
  both share), `knownAt` (a column; else the SLA `latency` says how long after `happenedAt` a
  record becomes known), `planned` (true: what is still to come may be admitted; nobody sees it
  before it has happened);
- on a property: `formats` (strptime forms tried in order, for dates and timestamps), `outcome`
  (true: the column tells how the thing ended, so nothing that raises clues from a schedule may
  read it) and `overwritten` (true: the sender changes it later without a trace, so it is stored
  and shown but no feature and no supervision model may use it).

Owner, legal ground, retention, freshness, quality, drift and pull: `governance/terms.py`.

A property with the standard's `transformLogic` (a SQL expression over the other columns) is
computed here and not expected in the file.

`businessName` is the title in zh-CN and `description` the title in English; of a value of an enum,
`label` and `description`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from open_data_contract_standard.model import (
    OpenDataContractStandard,
    SchemaObject,
    SchemaProperty,
)
from pydantic import BaseModel, ValidationError

from base.bilingual import Bilingual
from base.declared import read_yaml
from base.errors import Fault, Refused, nearest
from governance.terms import Terms, read_terms, terms_faults

ColumnType = Literal["integer", "number", "string", "date", "timestamp", "boolean"]
COLUMN_TYPES: tuple[str, ...] = get_args(ColumnType)
SYSTEM_COLUMNS = ("record_no", "happened_at", "known_at", "retracted_at", "batch", "row_digest")
SCHEMA_PROPERTIES = {
    "happenedAt",
    "happenedAtBy",
    "planned",
    "knownAt",
    "drift",
    "unitJumpBy",
    "pull",
}
COLUMN_PROPERTIES = {"formats", "outcome", "overwritten", "category"}
CONTRACT_PROPERTIES = {"legalGround"}
LATENCY_UNITS = {"d": "days", "h": "hours", "m": "minutes", "min": "minutes"}


@dataclass(frozen=True)
class Column:
    """One column of a record set, with every bound its values must keep. `labels`: titles of those
    of `values` that have one."""

    name: str
    type: ColumnType
    title: Bilingual
    required: bool = False
    primary_key: bool = False
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    values: tuple[str, ...] = ()
    labels: Mapping[str, Bilingual] = field(default_factory=dict, hash=False)
    formats: tuple[str, ...] = ()
    classification: str = "internal"
    outcome: bool = False
    overwritten: bool = False
    transform: str | None = None
    category: bool = False


@dataclass(frozen=True)
class Reference:
    """Where `happened_at` stands when it stands in another record set."""

    record_set: str
    column: str
    by: str


@dataclass(frozen=True)
class Contract:
    """What a record set promises. `digest` is the sha256 of the file it was read from."""

    record_set: str
    title: Bilingual
    columns: tuple[Column, ...]
    happened_at: str | Reference
    known_at: str | None
    latency: timedelta
    version: str
    digest: str
    terms: Terms = field(default_factory=Terms)
    planned: bool = False

    @property
    def primary_key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.primary_key)

    @property
    def types(self) -> dict[str, str]:
        """Column -> type, of the columns a feature or a supervision model may use."""
        return {column.name: column.type for column in self.columns if not column.overwritten}

    @property
    def outcome_columns(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns if column.outcome)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def load_contract(path: Path) -> Contract:
    """Read one `*.odcs.yaml`. Refuses, all faults together, what it cannot promise to keep."""
    text = path.read_bytes()
    where = path.name
    try:
        declared = OpenDataContractStandard.model_validate(read_yaml(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise Refused.gather(_parse_faults(error, where)) from None
    schema = _only_schema(declared, where)
    faults = [*_unknown_keys(read_yaml(text), where), *_schema_faults(schema, where)]
    faults += _latency_faults(declared, where)
    faults += _custom_faults(_custom(declared), CONTRACT_PROPERTIES, where)
    faults += terms_faults(declared, schema, where)
    if faults:
        raise Refused.gather(faults)
    return _contract(declared, schema, hashlib.sha256(text).hexdigest())


def _contract(declared: OpenDataContractStandard, schema: SchemaObject, digest: str) -> Contract:
    custom = _custom(schema)
    return Contract(
        record_set=str(schema.name),
        title=_title(schema),
        columns=tuple(_column(declared_column) for declared_column in schema.properties or []),
        happened_at=_happened_at(custom),
        known_at=custom.get("knownAt"),
        latency=_latency(declared),
        version=str(declared.version or "0"),
        digest=digest,
        terms=read_terms(declared, schema),
        planned=custom.get("planned") is True,
    )


def _column(declared: SchemaProperty) -> Column:
    options = declared.logicalTypeOptions or {}
    custom = _custom(declared)
    return Column(
        name=str(declared.name),
        type=declared.logicalType,  # type: ignore[arg-type]  # checked in _schema_faults
        title=_title(declared),
        required=bool(declared.required or declared.primaryKey),
        primary_key=bool(declared.primaryKey),
        minimum=options.get("minimum"),
        maximum=options.get("maximum"),
        pattern=options.get("pattern"),
        values=tuple(str(entry.value) for entry in declared.enum or []),
        labels={
            str(entry.value): _bilingual(str(entry.value), entry.label, entry.description)
            for entry in declared.enum or []
            if entry.label or entry.description
        },
        formats=tuple(custom.get("formats", ())),
        classification=declared.classification or "internal",
        outcome=bool(custom.get("outcome", False)),
        overwritten=bool(custom.get("overwritten", False)),
        transform=declared.transformLogic,
        category=bool(custom.get("category", False)),
    )


def _happened_at(custom: dict[str, Any]) -> str | Reference:
    record_set, dot, column = str(custom["happenedAt"]).partition(".")
    return Reference(record_set, column, custom["happenedAtBy"]) if dot else record_set


def _title(declared: SchemaObject | SchemaProperty) -> Bilingual:
    return _bilingual(str(declared.name), declared.businessName, declared.description)


def _bilingual(name: str, zh: str | None, en: str | None) -> Bilingual:
    return Bilingual(zh=zh or name, en=en or name)


def _custom(declared: OpenDataContractStandard | SchemaObject | SchemaProperty) -> dict[str, Any]:
    return {str(entry.property): entry.value for entry in declared.customProperties or []}


def _latency(declared: OpenDataContractStandard) -> timedelta:
    for promise in declared.slaProperties or []:
        if promise.property == "latency":
            unit = LATENCY_UNITS[str(promise.unit)]
            return timedelta(**{unit: float(promise.value or 0)})
    return timedelta(0)


def _latency_faults(declared: OpenDataContractStandard, where: str) -> list[Fault]:
    """Known before it happened would let features see what is to come."""
    faults = []
    for promise in declared.slaProperties or []:
        if promise.property != "latency":
            continue
        if str(promise.unit) not in LATENCY_UNITS:
            cure = nearest(str(promise.unit), LATENCY_UNITS)
            faults.append(Fault("a unit of latency", repr(promise.unit), cure, f"{where}: latency"))
        try:
            sound = 0 <= float(promise.value or 0) < float("inf")
        except (TypeError, ValueError):
            sound = False
        if not sound:
            wanted, cure = "a latency of 0 or more", "say how long after it happened it is known"
            faults.append(Fault(wanted, repr(promise.value), cure, f"{where}: latency"))
    return faults


def _only_schema(declared: OpenDataContractStandard, where: str) -> SchemaObject:
    schemas = declared.schema_ or []
    if len(schemas) != 1:
        raise Refused(
            wanted="one schema: a contract is one record set",
            got=f"{len(schemas)}",
            cure="write one file per record set",
            where=where,
        )
    return schemas[0]


def _parse_faults(error: yaml.YAMLError | ValidationError, where: str) -> list[Fault]:
    if isinstance(error, yaml.YAMLError):
        return [Fault("YAML", str(error).replace("\n", " "), "mend the YAML", where)]
    return [
        Fault(
            f"an ODCS contract: {problem['msg']}",
            f"key {'.'.join(map(str, problem['loc']))}",
            nearest(str(problem["loc"][-1]), OpenDataContractStandard.model_fields),
            where,
        )
        for problem in error.errors()
    ]


def _unknown_keys(raw: dict[str, Any], where: str) -> list[Fault]:
    """The standard's own classes pass a misspelt key below the top without a word; we do not."""
    faults: list[Fault] = []
    for schema in raw.get("schema") or []:
        faults += _misspelt(schema, SchemaObject, f"{where}: schema")
        for column in schema.get("properties") or []:
            place = f"{where}: column {column.get('name', '?')}"
            faults += _misspelt(column, SchemaProperty, place)
    return faults


def _misspelt(mapping: dict[str, Any], shape: type[BaseModel], where: str) -> list[Fault]:
    return [
        Fault("a key of the ODCS standard", repr(key), nearest(key, shape.model_fields), where)
        for key in mapping
        if key not in shape.model_fields
    ]


def _schema_faults(schema: SchemaObject, where: str) -> list[Fault]:
    columns = {str(column.name): column for column in schema.properties or []}
    custom = _custom(schema)
    faults = _custom_faults(custom, SCHEMA_PROPERTIES, where)
    for name, column in columns.items():
        place = f"{where}: column {name}"
        faults += _custom_faults(_custom(column), COLUMN_PROPERTIES, place)
        if column.logicalType not in COLUMN_TYPES:
            got, cure = repr(column.logicalType), nearest(str(column.logicalType), COLUMN_TYPES)
            faults.append(Fault("a logicalType we store", got, cure, place))
        if name in SYSTEM_COLUMNS:
            faults.append(Fault("a free name", f"{name!r} is the platform's", "rename it", place))
    return faults + _time_faults(custom, columns, where)


def _time_faults(
    custom: dict[str, Any], columns: dict[str, SchemaProperty], where: str
) -> list[Fault]:
    faults = []
    if "happenedAt" not in custom:
        cure = "add customProperties: [{property: happenedAt, value: COLUMN}]"
        faults.append(Fault("a happenedAt column", "none", cure, where))
    if not isinstance(custom.get("planned", False), bool):
        got, cure = repr(custom["planned"]), "write true, or leave it out"
        faults.append(Fault("true or false for planned", got, cure, where))
    if custom.get("happenedAtBy", next(iter(columns))) not in columns:
        got, cure = repr(custom["happenedAtBy"]), nearest(custom["happenedAtBy"], columns)
        faults.append(Fault("a column for happenedAtBy", got, cure, where))
    roles = {"happenedAt", "knownAt"} if "happenedAtBy" not in custom else {"knownAt"}
    for role in sorted(roles & set(custom)):
        column = columns.get(custom[role])
        if column is None:
            cure = nearest(str(custom[role]), columns)
            faults.append(Fault(f"a column for {role}", repr(custom[role]), cure, where))
        elif column.logicalType not in ("date", "timestamp") or not column.required:
            got = f"{custom[role]} ({column.logicalType}, required: {bool(column.required)})"
            cure = "give it logicalType date or timestamp and required: true"
            faults.append(Fault(f"a required date or timestamp for {role}", got, cure, where))
    return faults


def _custom_faults(custom: dict[str, Any], known: set[str], where: str) -> list[Fault]:
    return [
        Fault("a custom property we keep", repr(key), nearest(key, known), where)
        for key in custom
        if key not in known
    ]
