"""A contract compiled to one SQL pass: typed values beside the list of reasons against each row.

Nothing is cast on trust: SQL engines round '1.5' to 2 and wrap dates, so text is matched against
the exact form first, and a value that does not survive is a reason, never a silent NULL.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from governance.contract import Column, Contract

SQL_TYPES = {
    "integer": "BIGINT",
    "number": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "boolean": "BOOLEAN",
}
INTEGER_TEXT = r"[+-]?[0-9]{1,18}"
NUMBER_TEXT = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
ISO_FORMS = {
    "date": ("%Y-%m-%d",),
    "timestamp": ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"),
}
FORM_WORDS = {
    "integer": "a whole number",
    "number": "a finite number",
    "string": "text",
    "boolean": "true or false",
}


@dataclass(frozen=True)
class Check:
    """One reason: a SQL condition that is true for a bad row, with what to say of it."""

    column: str
    bad: str
    wanted: str
    cure: str


def quoted(name: str) -> str:
    """A name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def typed_expression(column: Column, arrived: pa.DataType | None) -> str:
    """SQL that gives the column's typed value, or NULL where the value has not its form."""
    if column.transform is not None:
        return f"({column.transform})"
    if arrived is None:
        return f"NULL::{SQL_TYPES[column.type]}"
    name = quoted(column.name)
    if pa.types.is_string(arrived) or pa.types.is_large_string(arrived):
        return _from_text(column, f"trim({name})")
    if column.type == "integer" and pa.types.is_floating(arrived):
        whole = f"isfinite({name}) AND {name} = trunc({name}) AND abs({name}) < 9e15"
        return f"CASE WHEN {whole} THEN {name}::BIGINT END"
    if column.type == "number" and pa.types.is_floating(arrived):
        return f"CASE WHEN isfinite({name}) THEN {name}::DOUBLE END"
    if column.type == "date":
        midnight = (
            f"TRY_CAST({name} AS TIMESTAMP) = date_trunc('day', TRY_CAST({name} AS TIMESTAMP))"
        )
        return f"CASE WHEN {midnight} THEN TRY_CAST({name} AS DATE) END"
    return f"TRY_CAST({name} AS {SQL_TYPES[column.type]})"


def _from_text(column: Column, text: str) -> str:
    if column.type == "string":
        return text
    if column.type in ("date", "timestamp"):
        forms = ", ".join(literal(form) for form in column.formats or ISO_FORMS[column.type])
        parsed = f"try_strptime({text}, [{forms}])"
        return f"{parsed}::DATE" if column.type == "date" else parsed
    if column.type == "boolean":
        return (
            f"CASE lower({text}) WHEN 'true' THEN true WHEN '1' THEN true "
            f"WHEN 'false' THEN false WHEN '0' THEN false END"
        )
    form = INTEGER_TEXT if column.type == "integer" else NUMBER_TEXT
    cast = f"TRY_CAST({text} AS {SQL_TYPES[column.type]})"
    finite = f" AND isfinite({cast})" if column.type == "number" else ""
    return f"CASE WHEN regexp_full_match({text}, '{form}'){finite} THEN {cast} END"


def wanted_form(column: Column) -> str:
    """The form a value of the column must have, in words."""
    if column.type in ("date", "timestamp"):
        forms = column.formats or ISO_FORMS[column.type][:1]
        return f"a {column.type} written {' or '.join(forms)}"
    return FORM_WORDS[column.type]


def checks(contract: Contract, arrived: dict[str, pa.DataType]) -> list[Check]:
    """Every reason a row of this contract may be quarantined for, in column order.

    In the conditions a raw value is `arrived."col"`, a typed value plainly `"col"`.
    """
    found: list[Check] = []
    for column in contract.columns:
        found += _column_checks(column, column.name in arrived)
    return found + _time_checks(contract)


def _column_checks(column: Column, present: bool) -> list[Check]:
    raw, typed = f"arrived.{quoted(column.name)}", quoted(column.name)
    found = []
    if present:
        given = f"{raw} IS NOT NULL AND trim({raw}::VARCHAR) <> ''"
        declare = (
            " or declare the form in `formats`" if column.type in ("date", "timestamp") else ""
        )
        found.append(
            Check(
                column.name,
                f"{given} AND {typed} IS NULL",
                wanted_form(column),
                f"mend the value at its source{declare}",
            )
        )
    if column.required:
        empty = f"({raw} IS NULL OR trim({raw}::VARCHAR) = '')" if present else f"{typed} IS NULL"
        found.append(Check(column.name, empty, "a value", "fill it at its source"))
    return found + _bound_checks(column, typed)


def _bound_checks(column: Column, typed: str) -> list[Check]:
    found = []
    cure = "mend the value, or widen the bound in the contract"
    if column.minimum is not None:
        bound = f"at least {column.minimum:g}"
        found.append(Check(column.name, f"{typed} < {column.minimum!r}", bound, cure))
    if column.maximum is not None:
        bound = f"at most {column.maximum:g}"
        found.append(Check(column.name, f"{typed} > {column.maximum!r}", bound, cure))
    if column.pattern is not None:
        bad = f"NOT regexp_full_match({typed}, {literal(column.pattern)})"
        found.append(Check(column.name, bad, f"text like {column.pattern}", cure))
    if column.values:
        known = ", ".join(literal(value) for value in column.values)
        bad, wanted = f"{typed}::VARCHAR NOT IN ({known})", f"one of {', '.join(column.values)}"
        found.append(Check(column.name, bad, wanted, "mend the value, or add it to the enum"))
    return found


def _time_checks(contract: Contract) -> list[Check]:
    name = contract.happened_at if isinstance(contract.happened_at, str) else "happened_at"
    found = []
    if not isinstance(contract.happened_at, str):
        reference = contract.happened_at
        found.append(
            Check(
                reference.by,
                f"{quoted(reference.by)} IS NOT NULL AND happened_at IS NULL",
                f"a {reference.by} admitted in {reference.record_set}",
                f"admit {reference.record_set} first, then this file again",
            )
        )
    if contract.known_at is not None:
        found.append(
            Check(
                contract.known_at,
                "happened_at > known_at",
                f"a time not before {name}",
                "mend the two times at their source",
            )
        )
    return found


def reasons_sql(found: list[Check]) -> str:
    """SQL for a row's reasons: a list of check numbers, empty for a good row."""
    if not found:
        return "[]::INTEGER[]"
    cases = ", ".join(f"CASE WHEN {check.bad} THEN {i} END" for i, check in enumerate(found))
    return f"list_filter([{cases}], lambda x: x IS NOT NULL)"
