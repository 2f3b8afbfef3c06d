"""Connections that cannot wait for ever: a server's protocol with deadlines and a bound.

uvicorn waits for a half-sent request without end, at SIGTERM too. Here a request's head has to
come within HEAD_SECONDS of its first byte (or of the connection), the rest within WHOLE_SECONDS of
the head; what is half-sent at SIGTERM has LAST_SECONDS. One connection more than the bound is
answered 503 and closed. A reply to a POST leaves in one piece: its head waits for its body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS, WHOLE_SECONDS, LAST_SECONDS = 10.0, 30.0, 1.0
CONNECTIONS = 1_000
CLOSED = b"content-type: application/problem+json\r\nconnection: close\r\n"


def _reply(status: str, number: int) -> bytes:
    body = f'{{"type":"about:blank","title":"{status}","status":{number}}}'.encode()
    head = f"HTTP/1.1 {number} {status}\r\ncontent-length: {len(body)}\r\n".encode()
    return head + CLOSED + b"\r\n" + body


FULL = _reply("Service Unavailable", 503)
SLOW = _reply("Request Timeout", 408)


class HeadWaits:
    """The transport of one reply whose body follows its head: both go in one call of the system.

    uvicorn writes them one after the other, and each write on a socket costs as much as reading
    the request did. Only for replies that have a body (no HEAD) and ask for nothing first (no 100).
    """

    __slots__ = ("_head", "_transport", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing
        self.write: Callable[[bytes], None] = self._hold

    def _hold(self, head: bytes) -> None:
        self._head, self.write = head, self._together

    def _together(self, body: bytes) -> None:
        self.write = self._transport.write
        self.write(self._head + body)

    def close(self) -> None:
        """End the connection; what was written goes first."""
        if self.write == self._together:
            self._together(b"")
        self._transport.close()


class PatientHttp(HttpToolsProtocol):
    """One connection. A request that comes whole in one piece costs no timer."""

    _deadline: asyncio.TimerHandle | None = None
    _head_came = _begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse one too many; else wait for a head."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            transport.write(FULL)
            transport.close()
        else:
            self._wait(HEAD_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Read on; what is not whole yet has a deadline, counted from its first byte."""
        begun, head_came = self._begun, self._head_came
        super().data_received(data)
        if not self._begun:
            self._rest()
        elif not begun or self._head_came != head_came:
            self._wait(WHOLE_SECONDS if self._head_came else HEAD_SECONDS)

    def on_message_begin(self) -> None:
        """A request's first byte."""
        self._begun, self._head_came = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._head_came = True
        before = self.cycle
        super().on_headers_complete()
        cycle = self.cycle
        if cycle is not before and cycle.scope["method"] == "POST" and not self.expect_100_continue:
            cycle.transport = HeadWaits(self.transport)  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._begun = False
        super().on_message_complete()

    def shutdown(self) -> None:
        """SIGTERM: what is whole is answered; what is half-sent may end its sentence."""
        super().shutdown()
        if self._begun:
            self._wait(LAST_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._rest()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._rest()
        self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _rest(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if self._begun and (cycle is None or cycle.response_complete or not cycle.response_started):
            self.transport.write(SLOW)
        self.transport.close()
