"""How each record set stands: its owner, rows, when it last came and whether it is late."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from base.moment import Clock
from governance import tables
from governance.home import Home
from governance.receipts import newest_first


@dataclass(frozen=True)
class Standing:
    """A record set now. `due` and `late` are None where its contract names no frequency.

    `rows` counts every stored version; `quarantined_share` is of these and the quarantined.
    """

    record_set: str
    owner: str | None
    legal_ground: str | None
    retention_days: float | None
    rows: int
    version: int
    batches: int
    last_admitted_at: datetime | None
    due: datetime | None
    late: bool | None
    quarantined: int
    quarantined_share: float | None


def quarantined_share(stored: int, quarantined: int) -> float | None:
    """Quarantined rows among all that came and were not there before, to four digits; None where
    none came. The one way in which this share is told."""
    came = stored + quarantined
    return round(quarantined / came, 4) if came else None


def standings(home: Home, clock: Clock) -> list[Standing]:
    """Every record set of the jurisdiction, in alphabetical order."""
    return [standing(home, name, clock) for name in home.jurisdiction.contracts]


def standing(home: Home, record_set: str, clock: Clock) -> Standing:
    """One record set, from its receipts and its Delta log; no row is read."""
    contract = home.jurisdiction.contract(record_set)
    kept = list(newest_first(home, record_set))
    admitted = [each for each in kept if not each.get("refused_because")]
    last = datetime.fromisoformat(admitted[0]["at"]) if admitted else None
    frequency, now = contract.terms.frequency, clock.now()
    due = last + frequency if frequency is not None and last is not None else None
    rows = sum(tables.file_rows(home.table(record_set)).values())
    quarantined = sum(tables.file_rows(home.quarantine(record_set)).values())
    retention = contract.terms.retention
    return Standing(
        record_set=record_set,
        owner=contract.terms.owner,
        legal_ground=contract.terms.legal_ground,
        retention_days=retention.total_seconds() / 86_400 if retention is not None else None,
        rows=rows,
        version=tables.version(home.table(record_set)),
        batches=len(admitted),
        last_admitted_at=last,
        due=due,
        late=None if frequency is None else due is None or due < now,
        quarantined=quarantined,
        quarantined_share=quarantined_share(rows, quarantined),
    )
