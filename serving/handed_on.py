"""Where clues that were handed on stand now: who judges by the office asks here first (P-10).

The register of clues tells the office where a clue was raised. Only an order can hand it to
another, so the events of orders tell the rest; they are read on from where the last look ended.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import sqlalchemy as sa

from scoring.ledger.tables import clue_events

# On PostgreSQL an event may be seen after one of a higher number: so many are looked at again.
AGAIN = 1_000


class HandedOn:
    """One per process; safe to share between threads."""

    def __init__(self, ledger: Callable[[], sa.Engine]) -> None:
        self._ledger = ledger
        self._seen = 0
        self._stands: dict[str, tuple[int, str]] = {}
        self._turn = threading.Lock()

    def offices(self) -> dict[str, str]:
        """clue_id -> the office that it was last ordered to, of those that an order names."""
        columns = (clue_events.c.event_id, clue_events.c.clue_id, clue_events.c.version)
        with self._turn, self._ledger().connect() as connection:
            query = sa.select(*columns, clue_events.c.facts).where(
                clue_events.c.event_id > self._seen - AGAIN, clue_events.c.to_state == "dispatched"
            )
            for event, clue, version, facts in connection.execute(query):
                self._seen = max(self._seen, event)
                office = facts.get("office_id")
                if office is not None and (version or 0) > self._stands.get(clue, (-1, ""))[0]:
                    self._stands[clue] = (version or 0, office)
            return {clue: office for clue, (_, office) in self._stands.items()}
