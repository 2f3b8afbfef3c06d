"""The quick way of `POST /v1/scores`, before the application and all that is around it.

It answers the usual request (serving/recognised.py) from a known key, for whole clues whose
features need nothing that is not at hand. What comes whole in one piece it gets straight from the
connection (serving/quick_http.py), the rest as ASGI's messages. Whatever else it meets, an error
too, it hands on whole to the application, which refuses or answers; so nothing is refused here. All
ways give the same reply, bit for bit: a row's score does not depend on the rows beside it (P-5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from base.errors import CluesError
from serving.desk import Desk
from serving.headers import safe_headers
from serving.recognised import BYTES_AT_MOST
from serving.service import Service
from serving.watched import Answered, new_request_id

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

log = structlog.get_logger()
PATH = "/v1/scores"
BODY_SECONDS = 30.0
# In the state of the application's lifespan: the quick way, for connections.
QUICK = "quick_scores"
# In a request's state: the desk saw it and does not answer it.
WHOLE_WAY = "whole_way"


class QuickScores:
    """ASGI: answers what is usual, hands on the rest to `app`."""

    def __init__(self, app: ASGIApp, service: Service, tracer: Tracer | None = None) -> None:
        self.app, self.service = app, service
        self._desk: Desk | None = None
        self._answered = Answered(PATH, "POST", tracer)
        self.note = self._answered.note
        self._headers = [
            (b"content-type", b"application/json"), *safe_headers(service.settings.hsts_seconds),
        ]  # fmt: skip
        self._head = head_lines(self._headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST"
            or scope.get("state", {}).get(WHOLE_WAY)
        ):  # fmt: skip
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        shown, length = _shown(scope["headers"])
        if not shown or not 0 < length <= BYTES_AT_MOST:
            await self.app(scope, receive, send)
            return
        messages: list[Message] = []
        body = await _read(receive, messages)
        reply = None if body is None else await self._answer(shown, body)
        if reply is None:
            await self.app(scope, _again(messages, receive), send)
            return
        request_id = new_request_id()
        own = (
            (b"content-length", str(len(reply)).encode()), (b"x-request-id", request_id.encode())
        )  # fmt: skip
        headers = [*self._headers, *own]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": reply})
        self.note(perf_counter() - began, request_id)

    def ask(
        self,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        tell: Callable[[bytes | None], None],
    ) -> bool:
        """Whether the desk takes this request; then `tell` gets the reply's body in time, or None
        where it has to take the whole way after all."""
        shown, length = _shown(headers)
        if not shown or length != len(body) or length > BYTES_AT_MOST:
            return False
        try:
            return self._desk_at_hand().ask(shown, body, tell)
        except CluesError:
            return False
        except Exception as error:  # the whole way may manage, and answers for it if not
            log.warning("quick_way_failed", kind=type(error).__name__)
            return False

    def head(self, length: int, keep_alive: bool) -> tuple[bytes, str]:
        """The end of a reply's head, for a body of `length` bytes, and the request's id."""
        request_id = new_request_id()
        closes = b"" if keep_alive else b"connection: close\r\n"
        own = b"content-length: %d\r\nx-request-id: %b\r\n" % (length, request_id.encode())
        return self._head + own + closes + b"\r\n", request_id

    async def _answer(self, shown: str, body: bytes) -> bytes | None:
        try:
            return await self._desk_at_hand().answer(shown, body)
        except CluesError:
            return None
        except Exception as error:  # the whole way may manage, and answers for it if not
            log.warning("quick_way_failed", kind=type(error).__name__)
            return None

    def _desk_at_hand(self) -> Desk:
        if self._desk is None:
            self._desk = Desk(self.service)
        return self._desk


def head_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Headers as they stand in a reply's head."""
    return b"".join([b"%b: %b\r\n" % each for each in headers])


def _shown(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, int]:
    """The bearer key, and the body's length as declared; empty and 0 where either is unusual."""
    shown, length = "", 0
    for name, value in headers:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if shown or scheme.lower() != b"bearer" or not key.isascii():
                return "", 0
            shown = key.strip().decode("ascii")
        elif name == b"content-length":
            length = int(value) if value.isdigit() and len(value) < 10 else 0
    return shown, length


async def _read(receive: Receive, messages: list[Message]) -> bytes | None:
    """The whole body; None where it stalls. What was received is kept in `messages`."""
    message = await receive()
    messages.append(message)
    if message["type"] == "http.request" and not message.get("more_body"):
        return bytes(message["body"])
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while messages[-1]["type"] == "http.request" and messages[-1].get("more_body"):
                messages.append(await receive())
                if sum(len(each.get("body", b"")) for each in messages) > BYTES_AT_MOST:
                    return None
    except TimeoutError:
        return None
    if messages[-1]["type"] != "http.request":
        return None
    return b"".join(each.get("body", b"") for each in messages)


def _again(messages: list[Message], receive: Receive) -> Receive:
    """What was received already, then what still comes."""
    waiting = iter(messages)

    async def received() -> Message:
        for message in waiting:
            return message
        return await receive()

    return received
