"""A contract compiled to one SQL pass: typed values beside the list of reasons against each row.

Nothing is cast on trust: SQL engines round '1.5' to 2 and wrap dates, so text is matched against
the exact form first, and a value that does not survive is a reason, never a silent NULL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

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
MOST_DIGITS = 18
INTEGER_TEXT = rf"[+-]?[0-9]{{1,{MOST_DIGITS}}}"
NUMBER_TEXT = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
ISO_FORMS = {
    "date": ("%Y-%m-%d",),
    "timestamp": (
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%dT%H:%M:%S",
        "%Y-%m-%d",
        "%Y-%m-%d %H:%M:%S.%f",
        "%Y-%m-%dT%H:%M:%S.%f",
    ),
}
# Control characters (but tab and line breaks), soft hyphen, zero width, marks of direction, BOM,
# and tags.
UNSEEN = (
    r"[\x{0}-\x{8}\x{B}\x{C}\x{E}-\x{1F}\x{7F}-\x{9F}\x{AD}\x{61C}\x{180E}\x{200B}-\x{200F}"
    r"\x{2028}-\x{202E}\x{2060}-\x{206F}\x{FEFF}\x{FFF9}-\x{FFFD}\x{E0000}-\x{E007F}]"
)
# A cell that begins with = is one; with @, + or - if something is called or piped in it.
FORMULA = r"^(=|[@+-][^0-9]*[(|!])"
BEGINS_WITH_DIGIT = frozenset({"%Y", "%y", "%m", "%d", "%H"})
NOT_AFTER_NOW = "a moment not after now"
# A moment may be this far ahead of this machine's clock and still be no mistake.
CLOCKS_DIFFER = timedelta(days=1)
# No column of a contract can be called so.
EARLIEST = '"earliest moment"'
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


@dataclass(frozen=True)
class Look:
    """What the values of a text column may hold, by a look at all their bytes at once.

    `digits`: of whole numbers they have only such as are written in at most 18 digits.
    """

    spaces: bool = True
    formula: bool = True
    unseen: bool = True
    digits: bool = False


@dataclass(frozen=True)
class Earliest:
    """`column` tells no day before that of a moment: of the row of `moments` (key, earliest; a key
    at most once) that `by` names. A row that names none is not judged by it."""

    column: str
    by: str
    moments: pa.Table
    wanted: str
    cure: str

    def check(self) -> Check:
        """SQL over the column EARLIEST; by days, for a time may be told as a day."""
        bad = f"{quoted(self.column)}::DATE < {EARLIEST}::DATE"
        return Check(self.column, bad, self.wanted, self.cure)


def earliest_sql(earliest: Earliest | None) -> str:
    """SQL: what the table `earliest_moments` has of a row, as the column EARLIEST."""
    if earliest is None:
        return f"NULL::TIMESTAMP AS {EARLIEST}"
    key = quoted(earliest.by)
    return f"(SELECT m.earliest FROM earliest_moments m WHERE m.key = {key}) AS {EARLIEST}"


def quoted(name: str) -> str:
    """A name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def given(name: str) -> str:
    """The column that holds what came in for `name`: text without the spaces around it, or NULL."""
    return quoted(f"given:{name}")


def typed_expression(column: Column, arrived: pa.DataType | None, look: Look | None = None) -> str:
    """SQL over the given value: the column's typed value, or NULL where it has not its form."""
    kind, value = SQL_TYPES[column.type], given(column.name)
    if arrived is None or pa.types.is_null(arrived):
        return f"NULL::{kind}"
    if pa.types.is_string(arrived):
        return _from_text(column, value, look or Look())
    if not convertible(arrived, column):
        return f"NULL::{kind}"
    if column.type == "integer" and pa.types.is_floating(arrived):
        whole = f"isfinite({value}) AND {value} = trunc({value}) AND abs({value}) < 9e15"
        return f"CASE WHEN {whole} THEN {value}::BIGINT END"
    if column.type == "number":
        return f"CASE WHEN isfinite({value}::DOUBLE) THEN {value}::DOUBLE + 0.0 END"
    if column.type == "date":
        moment = f"TRY_CAST({value} AS TIMESTAMP)"
        return _in_calendar(
            f"CASE WHEN {moment} = date_trunc('day', {moment}) THEN {moment}::DATE END"
        )
    if column.type == "timestamp":
        return _in_calendar(f"TRY_CAST({value} AS TIMESTAMP)")
    return f"TRY_CAST({value} AS {kind})"


def convertible(arrived: pa.DataType, column: Column) -> bool:
    """Whether a typed value can be taken as the column's without guessing what was meant."""
    types = pa.types
    if types.is_nested(arrived) or types.is_binary(arrived) or types.is_large_binary(arrived):
        return False
    if column.type in ("date", "timestamp"):
        return bool(types.is_date(arrived) or types.is_timestamp(arrived))
    if column.type == "boolean":
        return bool(types.is_boolean(arrived) or types.is_integer(arrived))
    if column.type in ("integer", "number"):
        return bool(types.is_integer(arrived) or types.is_floating(arrived))
    return not types.is_floating(arrived)


def _from_text(column: Column, text: str, look: Look) -> str:
    if column.type == "string":
        return text
    if column.type in ("date", "timestamp"):
        declared = column.formats or ISO_FORMS[column.type]
        forms = ", ".join(literal(form) for form in declared)
        # The engine reads 'infinity' and 'epoch' as days of 1900; a moment written out has digits.
        begins = all(form[:2] in BEGINS_WITH_DIGIT for form in declared)
        digits = f"{text} BETWEEN '0' AND ':'" if begins else f"regexp_matches({text}, '[0-9]')"
        parsed = f"CASE WHEN {digits} THEN try_strptime({text}, [{forms}]) END"
        return _in_calendar(f"{parsed}::DATE" if column.type == "date" else parsed)
    if column.type == "boolean":
        return (
            f"CASE WHEN lower({text}) IN ('true', 't', '1') THEN true "
            f"WHEN lower({text}) IN ('false', 'f', '0') THEN false END"
        )
    form = INTEGER_TEXT if column.type == "integer" else NUMBER_TEXT
    cast = f"TRY_CAST({text} AS {SQL_TYPES[column.type]})"
    if column.type == "integer" and look.digits:
        return cast
    if column.type == "integer":
        return f"CASE WHEN regexp_full_match({text}, '{form}') THEN {cast} END"
    return (
        f"CASE WHEN regexp_full_match({text}, '{form}') AND isfinite({cast}) THEN {cast} + 0.0 END"
    )


def _in_calendar(value: str) -> str:
    """A year of two digits is read as one of the first century: no year before 1000 was meant."""
    return f"CASE WHEN year({value}) BETWEEN 1000 AND 9999 THEN {value} END"


def wanted_form(column: Column) -> str:
    """The form a value of the column must have, in words."""
    if column.type in ("date", "timestamp"):
        forms = column.formats or ISO_FORMS[column.type][:1]
        return f"a {column.type} written {' or '.join(forms)}"
    return FORM_WORDS[column.type]


def checks(
    contract: Contract,
    arrived: dict[str, pa.DataType],
    looked_at: Mapping[str, Look] | None = None,
    latest: Mapping[str, datetime] | None = None,
    earliest: Earliest | None = None,
) -> list[Check]:
    """Every reason a row of this contract may be quarantined for, in column order. `latest`: of
    some columns the last moment they may tell; `earliest`: of one the first.

    In the conditions what came in is `given(column)`, a typed value plainly `"column"`. What a
    look at a column's bytes has ruled out is not asked of its rows.
    """
    found: list[Check] = []
    for column in contract.columns:
        look = (looked_at or {}).get(column.name, Look())
        found += _column_checks(column, arrived.get(column.name), look)
    found += _time_checks(contract) + _latest_checks(latest or {})
    return found + ([earliest.check()] if earliest else [])


def _column_checks(column: Column, arrived: pa.DataType | None, look: Look) -> list[Check]:
    came, typed = given(column.name), quoted(column.name)
    text = arrived is not None and pa.types.is_string(arrived)
    found = []
    if arrived is not None and not (text and column.type == "string"):
        declare = (
            " or declare the form in `formats`" if column.type in ("date", "timestamp") else ""
        )
        bad = f"{came} IS NOT NULL AND {typed} IS NULL"
        cure = f"mend the value at its source{declare}"
        found.append(Check(column.name, bad, wanted_form(column), cure))
    if column.required:
        empty = f"{came} IS NULL" if column.transform is None else f"{typed} IS NULL"
        found.append(Check(column.name, empty, "a value", "fill it at its source"))
    if text and column.type == "string":
        found += _text_checks(column.name, typed, look)
    return found + _bound_checks(column, typed)


def _text_checks(name: str, typed: str, look: Look) -> list[Check]:
    """What looks like one text and is another, and what a spreadsheet would run."""
    found = []
    if look.formula:
        # All four beginnings stand before the letters: most values need no closer look.
        bad = f"{typed} < 'A' AND regexp_matches({typed}, {literal(FORMULA)})"
        found.append(Check(name, bad, "text, not a formula", "export values, not formulas"))
    if look.unseen:
        bad = f"regexp_matches({typed}, {literal(UNSEEN)})"
        cure = "take the characters out that cannot be seen"
        found.append(Check(name, bad, "visible characters", cure))
    return found


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
                f"happened_at > {quoted(contract.known_at)}",
                f"a time not before {name}",
                "mend the two times at their source",
            )
        )
    return found


def _latest_checks(latest: Mapping[str, datetime]) -> list[Check]:
    cure = "mend the time at its source, or send the row when it is so far (see `planned`)"
    return [
        Check(
            name,
            f"{quoted(name)} > TIMESTAMP {literal(moment.isoformat(sep=' '))}",
            NOT_AFTER_NOW,
            cure,
        )
        for name, moment in latest.items()
    ]


def bad_sql(found: list[Check]) -> str:
    """SQL that is true for a row with any reason against it."""
    if not found:
        return "false"
    return f"coalesce({' OR '.join(f'({check.bad})' for check in found)}, false)"
