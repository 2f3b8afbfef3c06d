"""What the stand-in knows, in one SQLite file: messages by id, clues as last told, its outcomes."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TABLES = """
CREATE TABLE IF NOT EXISTS inbox (
    message_no INTEGER PRIMARY KEY, message_id TEXT UNIQUE, clue_id TEXT, kind TEXT,
    sequence TEXT, body TEXT, doubles INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS clues (
    clue_id TEXT PRIMARY KEY, state TEXT, sequence TEXT, since TEXT);
CREATE TABLE IF NOT EXISTS outcomes (
    clue_id TEXT PRIMARY KEY, status TEXT, decided_at TEXT, reported_at TEXT, due REAL,
    sent INTEGER DEFAULT 0);
"""


class Store:
    """Safe to use from many threads, and after a kill: what was taken was committed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / "cases.db", check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(TABLES)

    def take(self, event: Mapping[str, Any]) -> bool:
        """Keep a message; False for one that was kept before. A clue stands by its newest one."""
        data = event["data"]
        row = (event["id"], event["subject"], event["type"], event.get("sequence", ""))
        with self._lock, self._db:
            new = self._db.execute(
                "INSERT INTO inbox (message_id, clue_id, kind, sequence, body)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (*row, json.dumps(event)),
            ).rowcount
            if not new:
                self._db.execute(
                    "UPDATE inbox SET doubles = doubles + 1 WHERE message_id = ?", (event["id"],)
                )
                return False
            if "state" in data:
                self._db.execute(
                    "INSERT INTO clues VALUES (?, ?, ?, ?) ON CONFLICT (clue_id) DO UPDATE SET"
                    " state = excluded.state, sequence = excluded.sequence, since = excluded.since"
                    " WHERE excluded.sequence > clues.sequence",
                    (event["subject"], data["state"], event["sequence"], data["since"]),
                )
        return True

    def plan(self, clue_id: str, status: str, decided_at: str, due: float) -> None:
        """An outcome to be reported at `due` (seconds since 1970); the first one planned stays."""
        with self._lock, self._db:
            self._db.execute(
                "INSERT INTO outcomes (clue_id, status, decided_at, reported_at, due)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (clue_id, status, decided_at, decided_at, due),
            )

    def to_report(self, now: float) -> list[dict[str, str]]:
        """Outcomes whose time has come and that nobody took yet."""
        return self._read(
            "SELECT clue_id, status, decided_at, reported_at FROM outcomes"
            " WHERE sent = 0 AND due <= ? ORDER BY due LIMIT 1000",
            now,
        )

    def reported(self, clue_id: str) -> None:
        """The platform took it; here the clue has ended."""
        with self._lock, self._db:
            self._db.execute("UPDATE outcomes SET sent = 1 WHERE clue_id = ?", (clue_id,))

    def messages(self) -> list[dict[str, Any]]:
        """Every message kept, in the order of taking."""
        return self._read(
            "SELECT message_id, clue_id, kind, sequence, doubles FROM inbox ORDER BY message_no"
        )

    def export(self) -> list[dict[str, Any]]:
        """Where each clue stands here, as `clues reconcile` reads it."""
        return self._read(
            "SELECT c.clue_id, coalesce(o.status, c.state) AS state,"
            " coalesce(o.decided_at, substr(c.since, 1, 19)) AS decided_at"
            " FROM clues c LEFT JOIN outcomes o ON o.clue_id = c.clue_id AND o.sent = 1"
            " ORDER BY c.clue_id"
        )

    def _read(self, query: str, *values: Any) -> list[dict[str, Any]]:
        with self._lock:
            found = self._db.execute(query, values)
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
