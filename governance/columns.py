"""A file's columns against the contract's: what is unknown, what is missing, what was renamed."""

from __future__ import annotations

from base.errors import Fault, nearest
from governance.contract import Contract


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
