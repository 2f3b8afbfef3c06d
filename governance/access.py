"""Who may read which columns, for which purpose: one question, one answer, default deny.

A column is classified in its contract. `public` and `internal` are open to everybody; any other
classification is read by those cleared for it: by role, by purpose, and where the jurisdiction
says so by office (`clearance` and `access` of jurisdiction.yaml). What a reader is not cleared for
he gets masked, or under a pseudonym where rows have to be told apart without being known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from governance.jurisdiction import OPEN, Jurisdiction, Purpose

Way = Literal["plain", "masked", "pseudonym"]
# Called with the record set and what was read of it, before anything is shown.
Noted = Callable[[str, str], None]
SENSITIVE = frozenset({"confidential", "restricted", "identifying", "personal"})
# Purpose -> role -> classifications beside the open ones. A role that is not named reads those.
CLEARED: Mapping[Purpose, Mapping[str, frozenset[str]]] = {
    "handling": {
        "case_system": SENSITIVE,
        "dispatcher": SENSITIVE,
        "reviewer": frozenset({"confidential"}),
    },
    "training": {"data_scientist": frozenset({"confidential"})},
    "export": {},
    "quality": {"steward": frozenset({"confidential"})},
}
# Where rows must be told apart by a number nobody may know.
UNDER_PSEUDONYM: frozenset[Purpose] = frozenset({"training", "export"})
HIDDEN = "****"
# Enough to tell two persons apart beside a file, of a number long enough to stay unknown.
LAST_SHOWN, LONG_ENOUGH = 4, 12


@dataclass(frozen=True)
class Readable:
    """Each column with the way its reader sees it, in the contract's order."""

    record_set: str
    columns: Mapping[str, Way]

    def of(self, way: Way) -> tuple[str, ...]:
        """The columns that are seen in one way."""
        return tuple(name for name, each in self.columns.items() if each == way)

    @property
    def privileged(self) -> bool:
        """Whether more than what is open is seen plainly: such a read is told to the audit."""
        return bool(self._beyond_open & set(self.of("plain")))

    _beyond_open: frozenset[str] = frozenset()


def cleared(
    jurisdiction: Jurisdiction,
    role: str,
    purpose: Purpose = "handling",
    offices: Collection[str] | None = None,
) -> frozenset[str]:
    """The classifications that a role reads plainly, for a purpose, at any of these offices.

    `access` in jurisdiction.yaml, where it names role and purpose, stands in place of the table
    here, and so does `clearance` for handling. A rule that names offices holds at those only;
    `offices` None are all of them.
    """
    manifest = jurisdiction.manifest
    rules = [rule for rule in manifest.access if rule.purpose == purpose and role in rule.roles]
    if rules:
        found = (
            rule.classifications
            for rule in rules
            if not rule.offices or offices is None or set(rule.offices) & set(offices)
        )
        return OPEN.union(*found)
    if purpose == "handling" and role in manifest.clearance:
        return OPEN | frozenset(manifest.clearance[role])
    return OPEN | CLEARED[purpose].get(role, frozenset())


def readable(
    jurisdiction: Jurisdiction,
    record_set: str,
    role: str,
    purpose: Purpose = "handling",
    offices: Collection[str] | None = None,
) -> Readable:
    """How a role sees each column of a record set (or of the `clues`) for a purpose."""
    seen = cleared(jurisdiction, role, purpose, offices)
    hidden: Way = "pseudonym" if purpose in UNDER_PSEUDONYM else "masked"
    classified = classifications(jurisdiction, record_set)
    columns: dict[str, Way] = {
        name: "plain" if classification in seen else hidden
        for name, classification in classified.items()
    }
    beyond = frozenset(name for name, each in classified.items() if each not in OPEN)
    return Readable(record_set, columns, beyond)


def classifications(jurisdiction: Jurisdiction, record_set: str) -> dict[str, str]:
    """Column -> classification of a record set, or of the clues."""
    if record_set == "clues":
        return jurisdiction.clue_classifications
    contract = jurisdiction.contract(record_set)
    return {column.name: column.classification for column in contract.columns}


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
