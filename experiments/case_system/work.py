"""What the stand-in does with clues that are dispatched: decides after a while, and reports."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from dispatch.exchange.signature import signed_headers
from experiments.case_system.store import Store

DISPATCHED = "clues.clue.dispatched.v1"


@dataclass
class Work:
    """Outcomes of dispatched clues, `after_seconds` on the mean, drawn by clue and seed: the same
    clue always ends the same. `platform`: where outcomes are sent to, signed by `signs` (a source's
    name and its keys) or else with the bearer `key`."""

    store: Store
    platform: str
    key: str
    after_seconds: float = 5.0
    case_share: float = 0.1
    days: float = 10.0
    seed: int = 1
    signs: tuple[str, tuple[bytes, ...]] | None = None
    post: Callable[..., Any] = httpx.post
    _ended: threading.Event = field(default_factory=threading.Event, init=False)

    def taken(self, event: dict[str, Any]) -> None:
        """A clue was dispatched: plan its outcome, decided by when it is reported: the platform
        takes no word from a day to come."""
        if event["type"] != DISPATCHED:
            return
        draw = random.Random(f"{self.seed} {event['subject']}")  # noqa: S311 - no secret is drawn
        became = "case_filed" if draw.random() < self.case_share else "unfounded"
        since = datetime.fromisoformat(event["data"]["since"])
        decided = since + timedelta(days=self.days * draw.expovariate(1.0))
        due = time.time() + self.after_seconds * draw.expovariate(1.0)
        decided = min(decided, max(since, datetime.fromtimestamp(due, since.tzinfo)))
        decided = decided.replace(tzinfo=None, microsecond=0)
        self.store.plan(event["subject"], became, decided.isoformat(timespec="seconds"), due)

    def report(self) -> int:
        """Send what is due; what is not taken is sent again later. Returns how many were taken."""
        rows, taken = self.store.to_report(time.time()), 0
        for row in rows:
            url, headers, body = self.signed(row) if self.signs else self.with_key(row)
            try:
                reply = self.post(url, content=body, headers=headers, timeout=30)
            except httpx.HTTPError:
                return taken
            if reply.status_code == httpx.codes.OK and not reply.json()["refused"]:
                self.store.reported(row["clue_id"])
                taken += 1
        return taken

    def with_key(self, row: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
        """Address, headers and body of an outcome sent with a bearer key."""
        body = json.dumps({"outcomes": [row]}).encode()
        told = {
            "authorization": f"Bearer {self.key}",
            "idempotency-key": hashlib.sha256(body).hexdigest(),
        }
        return f"{self.platform}/v1/outcomes", told, body

    def signed(self, row: dict[str, str]) -> tuple[str, dict[str, str], bytes]:
        """The same as a signed event: one id and one body however often it is sent, signed anew
        each time."""
        assert self.signs is not None
        source, keys = self.signs
        told = json.dumps(row, sort_keys=True).encode()
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": hashlib.sha256(told).hexdigest()[:32],
            "source": "cases/stand-in",
            "type": "cases.outcomes.v1",
            "subject": row["clue_id"],
            "datacontenttype": "application/json",
            "data": {"outcomes": [row]},
        }
        body = json.dumps(event).encode()
        headers = signed_headers(keys, event["id"], int(time.time()), body)
        headers["content-type"] = "application/cloudevents+json; charset=utf-8"
        return f"{self.platform}/v1/events/{source}", headers, body

    def run(self) -> None:
        """Report until `end`."""
        while not self._ended.wait(0.5):
            self.report()

    def end(self) -> None:
        """Report no more."""
        self._ended.set()
