"""Columns against the contract's: those of a file, and those that rows are stored in."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from base.errors import Fault, Refused, nearest
from governance import tables
from governance.contract import SYSTEM_COLUMNS, Contract

# Contract's type -> whether an Arrow type is how it is stored.
STORED_AS = {
    "integer": pa.types.is_integer,
    "number": pa.types.is_floating,
    "string": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    "date": pa.types.is_date,
    "timestamp": pa.types.is_timestamp,
    "boolean": pa.types.is_boolean,
}
CURE = "keep the stored columns, or declare another record set and admit the files there"


def column_notices(contract: Contract, file: str, arrived: list[str]) -> list[Fault]:
    """What the file's columns have too many or too few of, against the contract's."""
    expected = [column.name for column in contract.columns if column.transform is None]
    missing = [name for name in expected if name not in arrived]
    strays = [name for name in arrived if name not in expected]
    notices = []
    for name in strays:
        cure = nearest(name, missing) if missing else "declare it, or ask the sender to drop it"
        wanted, got = f"a column of {contract.record_set}", f"unknown column {name!r} (not stored)"
        notices.append(Fault(wanted, got, cure, f"{file}: row 1"))
    for name in missing:
        cure = f"rename {strays[0]!r}" if len(strays) == 1 else "ask the sender for it"
        notices.append(Fault(f"the column {name!r}", "no such column", cure, f"{file}: row 1"))
    return notices


def require_stored_alike(contract: Contract, table: Path) -> None:
    """Raise Refused where rows are stored under other columns than the contract has now.

    Files of two shapes in one table would be read by whichever comes first.
    """
    held = tables.open_table(table)
    if held is None:
        return
    schema = pa.schema(held.schema().to_arrow())
    stored = {each.name: each.type for each in schema if each.name not in SYSTEM_COLUMNS}
    declared = {column.name: column.type for column in contract.columns}
    faults = [
        Fault(f"no column {name!r}, as its rows are stored", "one in the contract", CURE)
        for name in declared.keys() - stored.keys()
    ]
    faults += [
        Fault(f"the column {name!r}, as its rows are stored", "none in the contract", CURE)
        for name in stored.keys() - declared.keys()
    ]
    faults += [
        Fault(f"{name!r} as it is stored ({stored[name]})", f"{declared[name]}", CURE)
        for name in declared.keys() & stored.keys()
        if not STORED_AS[declared[name]](stored[name])
    ]
    if faults:
        raise Refused.gather(sorted(faults, key=str))
