"""Keys looked up lately, so that a machine's thousandth request asks the ledger one short question.

On SQLite that question is asked for every request: is the key's row still what it was? A revoked
key is refused from the next request on. On PostgreSQL, and for tokens, what was found counts for
KEPT_SECONDS.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from serving.credentials import find_principal
from serving.keys import key_hash
from serving.principal import Principal
from serving.service import Service

KEPT_SECONDS = 1.0
KEYS_KEPT = 1_000


@dataclass(frozen=True)
class _Found:
    who: Principal
    until: float
    row: tuple[Any, ...] | None


class KnownKeys:
    """Of one process; used by its event loop alone."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._found: OrderedDict[str, _Found] = OrderedDict()
        self._rows = _rows_of(service.ledger)
        self._now: dict[str, Principal] = {}

    def principal(self, shown: str) -> Principal:
        """Who shows this key. Raises what `find_principal` raises.

        What is asked for requests that the loop read at one time is asked once for all of them:
        none of them was sent after the answer.
        """
        who = self._now.get(shown)
        if who is None:
            who = self._principal(shown)
            if not self._now:
                asyncio.get_running_loop().call_soon(self._now.clear)
            self._now[shown] = who
        return who

    def _principal(self, shown: str) -> Principal:
        digest = key_hash(shown)
        row = self._row(digest)
        found = self._found.get(digest)
        if found is not None and found.row == row and time.monotonic() < found.until:
            return found.who
        self._found.pop(digest, None)
        who = find_principal(self._service, shown)
        self._found[digest] = _Found(who, time.monotonic() + KEPT_SECONDS, row)
        if len(self._found) > KEYS_KEPT:
            self._found.popitem(last=False)
        return who

    def _row(self, digest: str) -> tuple[Any, ...] | None:
        if self._rows is None:
            return None
        row: tuple[Any, ...] | None = self._rows.execute(
            "SELECT * FROM keys WHERE key_hash = ?", (digest,)
        ).fetchone()
        return row


def _rows_of(ledger: sa.Engine) -> sqlite3.Connection | None:
    """A connection of its own that only reads; None where the ledger is not a file here."""
    if ledger.dialect.name != "sqlite" or not ledger.url.database:
        return None
    return sqlite3.connect(
        f"file:{ledger.url.database}?mode=ro",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )
