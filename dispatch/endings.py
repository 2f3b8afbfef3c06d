"""A person's ending becomes a record: what was decided here teaches like what is reported here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from base.moment import Clock
from clues.register import read_clues
from dispatch.outcome import GIVEN, RECORD_SET, admit_outcomes
from dispatch.outcome_events import give_up, settle, waiting_endings
from dispatch.standing import PLATFORM
from governance.contract import Contract
from governance.home import Home
from governance.source import from_table
from scoring.ledger.opening import writing


def admit_endings(home: Home, ledger: sa.Engine, clock: Clock) -> dict[str, int]:
    """Admit endings that wait as outcomes. Safe to call at any time, and again after a crash.

    Returns `admitted` and `refused` (the jurisdiction's contract has no such status).
    """
    told = {"admitted": 0, "refused": 0}
    contract = home.jurisdiction.contracts.get(RECORD_SET)
    if contract is None:
        return told
    while True:
        with ledger.connect() as connection:
            waiting = waiting_endings(connection)
        if not waiting:
            return told
        rows = [_as_row(contract, event) for event in waiting]
        clues = read_clues(home, {event["clue_id"] for event in waiting})
        receipt = admit_outcomes(
            home, from_table("endings", pa.Table.from_pylist(rows)), clues, clock
        )
        with writing(ledger) as connection:
            ids = {event["clue_id"] for event in waiting}
            settle(connection, home, ids, at=clock.now(), by=PLATFORM)
            left = {event["event_id"] for event in waiting_endings(connection)}
            give_up(connection, left & {event["event_id"] for event in waiting})
        told["admitted"] += len(waiting) - receipt.quarantined
        told["refused"] += receipt.quarantined


def as_told(contract: Contract, column: str, moment: datetime) -> str:
    """A moment as text that the contract's column reads: a day, or to the second."""
    if contract.types.get(column) == "date":
        return moment.date().isoformat()
    forms = next((each.formats for each in contract.columns if each.name == column), ())
    return moment.strftime(forms[0]) if forms else moment.isoformat(timespec="seconds")


def _as_row(contract: Contract, event: dict[str, Any]) -> dict[str, str]:
    values = {
        "clue_id": event["clue_id"],
        "status": event["to_state"],
        "decided_at": as_told(contract, "decided_at", event["decided_at"]),
        "reported_at": as_told(contract, "reported_at", event["reported_at"]),
    }
    return {name: values[name] for name in GIVEN}
