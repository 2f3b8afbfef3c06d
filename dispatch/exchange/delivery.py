"""Delivery: what waits in the outbox is sent, signed, until the other system took it.

    outbox.due -> envelope -> signed POST -> delivered | tried again later | dead

At least once: a worker that is killed after the other system answered and before that was noted
sends the same message again, under the same id; the receiver leaves doubles aside. Of one clue
nothing is sent before what happened earlier was taken. Any answer but 2xx is a fault, redirects
too. Nothing that was answered is kept or told.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import httpx
import sqlalchemy as sa

from base.moment import Clock
from dispatch.exchange.destinations import Destination
from dispatch.exchange.envelope import CONTENT_TYPE, body_of, envelope
from dispatch.exchange.outbox import DEAD, DELIVERED, WAITING, due, settle
from dispatch.exchange.signature import signed_headers

REPLY_BYTES = 65_536
IN_HAND = 8  # messages looked up for each one that is sent at once
AGENT = "clues"
Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Addressee:
    """A destination with the keys that sign for it."""

    destination: Destination
    keys: tuple[bytes, ...]


@dataclass
class Pass:
    """What came of one pass. `unanswered`: whether nobody answered; the rest was left then."""

    delivered: int = 0
    failed: int = 0
    dead: int = 0
    unanswered: bool = False

    def counted(self) -> dict[str, int]:
        return {"delivered": self.delivered, "failed": self.failed, "dead": self.dead}


@dataclass
class Delivery:
    """Sends to one destination. `draw` gives numbers from 0 to 1, for the jitter."""

    ledger: sa.Engine
    addressee: Addressee
    clock: Clock
    source: str
    timezone: str
    tell: Tell = lambda _: None
    draw: Callable[[], float] = secrets.SystemRandom().random
    _faults_in_a_row: int = field(default=0, init=False)

    def once(self) -> dict[str, int]:
        """Send what is due until nothing is, or nobody answers."""
        return asyncio.run(self._once()).counted()

    async def work(self, stop: asyncio.Event, pause: float = 1.0) -> None:
        """Send what comes until `stop` is set; what is under way is ended first.

        Between passes it rests `pause` seconds, longer and longer while nobody answers.
        """
        while not stop.is_set():
            told = await self._once(stop)
            if told.delivered or told.failed:
                self.tell({"destination": self.addressee.destination.name, **told.counted()})
            self._faults_in_a_row = self._faults_in_a_row + 1 if told.unanswered else 0
            rest = pause if not told.unanswered else self._later(self._faults_in_a_row)
            try:
                await asyncio.wait_for(stop.wait(), rest)
            except TimeoutError:
                continue

    async def _once(self, stop: asyncio.Event | None = None) -> Pass:
        told, to = Pass(), self.addressee.destination
        gate = asyncio.Semaphore(to.parallel)

        async def send(row: dict[str, Any]) -> None:
            async with gate:
                if not told.unanswered and not (stop and stop.is_set()):
                    await self._send(client, row, told)

        async with self._client() as client:
            while not told.unanswered and not (stop and stop.is_set()):
                rows = await asyncio.to_thread(self._due, to.parallel * IN_HAND)
                if not rows:
                    break
                await asyncio.gather(*(send(row) for row in rows))
        return told

    def _due(self, limit: int) -> list[dict[str, Any]]:
        with self.ledger.connect() as connection:
            return due(connection, self.addressee.destination.name, self.clock.now(), limit)

    async def _send(self, client: httpx.AsyncClient, row: dict[str, Any], told: Pass) -> None:
        said = await self._post(client, row)
        values = self._after(row, said, self.clock.now())
        await asyncio.to_thread(settle, self.ledger, row["message_no"], **values)
        told.delivered += values["state"] == DELIVERED
        told.dead += values["state"] == DEAD
        told.failed += values["state"] != DELIVERED
        told.unanswered = told.unanswered or not said.isdigit()

    async def _post(self, client: httpx.AsyncClient, row: dict[str, Any]) -> str:
        """The status that was answered, or the kind of fault. Never raises for what is outside."""
        to = self.addressee.destination
        body = body_of(envelope(row, source=self.source, timezone=self.timezone))
        signed = signed_headers(self.addressee.keys, row["message_id"], int(time.time()), body)
        headers = {"content-type": CONTENT_TYPE, "user-agent": AGENT, **signed}
        try:
            async with (
                asyncio.timeout(to.seconds),
                client.stream("POST", to.url, content=body, headers=headers) as reply,
            ):
                read = 0
                async for chunk in reply.aiter_raw():
                    read += len(chunk)
                    if read > REPLY_BYTES:
                        break
                return str(reply.status_code)
        except (TimeoutError, httpx.HTTPError, ssl.SSLError, OSError) as error:
            return type(error).__name__

    def _after(self, row: dict[str, Any], said: str, now: datetime) -> dict[str, Any]:
        """What the row says after an attempt."""
        to, attempts = self.addressee.destination, row["attempts"] + 1
        first = row["first_tried_at"] or now
        values = {"attempts": attempts, "first_tried_at": first, "said": said}
        if len(said) == 3 and said.startswith("2"):
            return {**values, "state": DELIVERED, "settled_at": now}
        if now - first >= timedelta(hours=to.give_up_hours):
            return {**values, "state": DEAD, "settled_at": now}
        later = timedelta(seconds=self._later(attempts))
        return {**values, "state": WAITING, "next_at": now + later}

    def _later(self, attempts: int) -> float:
        """Seconds to wait after so many faults: doubled each time, with jitter, up to the most."""
        to = self.addressee.destination
        doubled = to.first_retry_seconds * 2.0 ** min(attempts - 1, 40)
        return min(to.longest_retry_seconds, doubled) * (0.5 + self.draw() / 2)

    @cached_property
    def _authorities(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.addressee.destination.ca_file)

    def _client(self) -> httpx.AsyncClient:
        """Follows nothing, and takes nothing from the environment: no proxy, no password file."""
        to = self.addressee.destination
        return httpx.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            verify=self._authorities,
            timeout=to.seconds,
            limits=httpx.Limits(max_connections=to.parallel),
        )
