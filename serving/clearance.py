"""Who reads which classification: values of any other are masked, default deny."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from governance.jurisdiction import OPEN, Jurisdiction
from serving.principal import Principal, Role

CLEARED: Mapping[Role, frozenset[str]] = {
    "case_system": OPEN | {"confidential", "restricted", "identifying", "personal"},
    "dispatcher": OPEN | {"confidential", "restricted", "identifying", "personal"},
    "reviewer": OPEN | {"confidential"},
}
HIDDEN = "****"
# Enough to tell two persons apart beside a file, of a number long enough to stay unknown.
LAST_SHOWN, LONG_ENOUGH = 4, 12


def cleared(who: Principal, jurisdiction: Jurisdiction) -> frozenset[str]:
    """The classifications that the principal's role reads unmasked.

    `clearance` in jurisdiction.yaml, where it names the role, stands in place of the table here.
    """
    declared = jurisdiction.manifest.clearance.get(who.role)
    if declared is not None:
        return OPEN | frozenset(declared)
    return CLEARED.get(who.role, OPEN)


def masked_value(value: Any) -> Any:
    """A value that may not be read: the last digits of a long number, else nothing of it."""
    if value is None:
        return None
    if isinstance(value, str) and len(value) >= LONG_ENOUGH:
        return HIDDEN + value[-LAST_SHOWN:]
    return HIDDEN


def seen_row(
    row: Mapping[str, Any], classified: Mapping[str, str], seen: Collection[str]
) -> dict[str, Any]:
    """A row as its reader may see it; columns that `classified` does not name are internal."""
    return {
        name: value if classified.get(name, "internal") in seen else masked_value(value)
        for name, value in row.items()
    }
