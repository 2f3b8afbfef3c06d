"""The quick way straight from a connection: no task, no scope and no messages in between.

A `POST /v1/scores` that comes whole in one piece goes to the desk with its last byte, and its reply
is written as soon as the desk has it. Until then a QuickReply stands where uvicorn keeps its cycle,
so that what follows on the same connection waits, and a server that ends waits too. What the desk
does not answer, and whatever comes in parts, takes uvicorn's own way to the application.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from serving.connections import HeadWaits, PatientHttp
from serving.quick import PATH, QUICK, WHOLE_WAY, QuickScores, head_lines

URL = PATH.encode()


class QuickHttp(PatientHttp):
    """One connection; the application tells of its quick way in the state of its lifespan."""

    _quick: QuickScores | None = None
    _held_back: bytearray | None = None  # the body of what may take the quick way, as far as read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's."""
        super().connection_made(transport)
        self._quick = self.app_state.get(QUICK)

    def data_received(self, data: bytes) -> None:
        """Read on; what did not come whole is not held back any longer."""
        super().data_received(data)
        if self._held_back is not None and not self.transport.is_closing():
            self._let_go(judged=False)

    def on_headers_complete(self) -> None:
        """Hold back what may be answered without uvicorn's cycle."""
        if self._may_be_quick():
            self._head_came, self._held_back = True, bytearray()
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._held_back is None:
            super().on_body(body)
        else:
            self._held_back += body

    def on_message_complete(self) -> None:
        """All of a request is there."""
        if self._held_back is None:
            super().on_message_complete()
            return
        assert self._quick is not None, "nothing is held back without it"
        waits = QuickReply(self, bytes(self._held_back))
        if self._quick.ask(self.headers, waits.body, waits.tell):
            self._held_back, self._begun = None, False
            self.cycle = waits  # type: ignore[assignment]
        else:
            self._let_go(judged=True)
            super().on_message_complete()

    def answer(self, reply: QuickReply, told: bytes) -> None:
        """Write a reply; whatever waits behind it on this connection comes next. Where the caller
        is gone the score was given nevertheless: it is kept, counted and logged."""
        assert self._quick is not None, "there is no QuickReply without it"
        reply.response_started = reply.response_complete = True
        head, request_id = self._quick.head(len(told), reply.keep_alive)
        if not self.transport.is_closing():
            self.transport.write(
                b"HTTP/1.1 200 OK\r\n" + head_lines(self.server_state.default_headers) + head + told
            )
            if not reply.keep_alive:
                self.transport.close()
        self._quick.note(perf_counter() - reply.began, request_id)
        self.on_response_complete()

    def take_whole_way(self, reply: QuickReply) -> None:
        """Hand on to the application what the desk did not answer after all."""
        reply.scope |= {"method": "POST", "path": PATH, "raw_path": URL, "query_string": b""}
        reply.scope["state"][WHOLE_WAY] = True
        cycle = RequestResponseCycle(
            scope=reply.scope,
            transport=HeadWaits(self.transport),  # type: ignore[arg-type]
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=reply.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body, cycle.more_body = bytearray(reply.body), False
        cycle.message_event.set()
        if self.cycle is reply:
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)

    def _may_be_quick(self) -> bool:
        """Whether this is the route, asked plainly, on a connection where nothing else waits."""
        parser, cycle = self.parser, self.cycle
        return (
            self.url == URL
            and self._quick is not None
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and not self.expect_100_continue
            and (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
        )

    def _let_go(self, *, judged: bool) -> None:
        """What was held back goes uvicorn's way, as if it came just now. `judged`: the desk saw it
        and does not answer it."""
        held, self._held_back = self._held_back, None
        self.scope["state"][WHOLE_WAY] = judged
        super().on_headers_complete()
        if held:
            super().on_body(bytes(held))


class QuickReply:
    """In the place of uvicorn's cycle while the desk works at a request that it took."""

    __slots__ = (
        "_connection", "began", "body", "disconnected", "keep_alive", "message_event",
        "response_complete", "response_started", "scope",
    )  # fmt: skip

    def __init__(self, connection: QuickHttp, body: bytes) -> None:
        self._connection, self.body = connection, body
        self.scope: Any = connection.scope
        self.keep_alive, self.disconnected = True, False
        self.response_started = self.response_complete = False
        self.message_event = _Unwaited()
        self.began = perf_counter()

    def tell(self, told: bytes | None) -> None:
        """What the desk says: the reply's body, or None for the whole way."""
        if told is not None:
            self._connection.answer(self, told)
        elif not self.disconnected:
            self._connection.take_whole_way(self)


class _Unwaited:
    """uvicorn sets the event of a cycle whose connection is lost; here nobody waits for it."""

    def set(self) -> None:
        """Nothing."""
