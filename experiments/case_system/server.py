"""The stand-in's door: takes signed messages, as slowly and as badly as it is told to.

POST /events: a message; kept once by its id. GET /export: where clues stand here, a line each.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from base.errors import NotAllowed
from dispatch.exchange.signature import verify
from experiments.case_system.store import Store

BODY_BYTES = 1_000_000
Taken = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Manners:
    """How it behaves. `slow_seconds` before each answer; `faults`: the share of messages that are
    answered 500 and not kept; `lost_answers`: kept, and answered 500 all the same."""

    slow_seconds: float = 0.0
    faults: float = 0.0
    lost_answers: float = 0.0
    seed: int = 1


class CaseSystem(ThreadingHTTPServer):
    """Listens on 127.0.0.1 alone. `taken` hears of each message, doubles too:
    whoever was killed over the first one hears of the second."""

    daemon_threads = True

    def __init__(
        self,
        port: int,
        store: Store,
        keys: tuple[bytes, ...],
        manners: Manners,
        taken: Taken = lambda _: None,
    ) -> None:
        self.store, self.keys, self.manners, self.taken = store, keys, manners, taken
        self.draw = random.Random(manners.seed)  # noqa: S311 - no secret is drawn
        super().__init__(("127.0.0.1", port), Handler)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    timeout = 10
    server: CaseSystem

    def do_POST(self) -> None:
        """A message: kept once, or refused."""
        length = self.headers.get("content-length", "")
        if self.path != "/events" or not length.isdigit() or int(length) > BODY_BYTES:
            self.close_connection = True
            self._answer(HTTPStatus.NOT_FOUND)
            return
        self._answer(self._taken(self.rfile.read(int(length))))

    def do_GET(self) -> None:
        """Where clues stand here."""
        if self.path != "/export":
            self._answer(HTTPStatus.NOT_FOUND)
            return
        lines = [json.dumps(row) + "\n" for row in self.server.store.export()]
        self._answer(HTTPStatus.OK, "".join(lines).encode())

    def _taken(self, body: bytes) -> HTTPStatus:
        manners, draw = self.server.manners, self.server.draw
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            verify(self.server.keys, headers, body, time.time())
        except NotAllowed:
            return HTTPStatus.UNAUTHORIZED
        time.sleep(manners.slow_seconds)
        if draw.random() < manners.faults:
            return HTTPStatus.INTERNAL_SERVER_ERROR
        event = json.loads(body)
        self.server.store.take(event)
        self.server.taken(event)
        if draw.random() < manners.lost_answers:
            return HTTPStatus.INTERNAL_SERVER_ERROR
        return HTTPStatus.NO_CONTENT

    def _answer(self, status: HTTPStatus, content: bytes = b"") -> None:
        self.send_response(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Nothing is logged: a path may hold an id."""
