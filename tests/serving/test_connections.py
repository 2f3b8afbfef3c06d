"""Connections: what is half-sent is closed in time, and no more are open than the bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from serving import connections
from serving.connections import HeadWaits, PatientHttp

WHOLE = b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nok"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers 200 with the body, once it is there."""
    if scope["type"] != "http":
        return
    await send_back(send, await received(receive))


async def in_pieces(scope: Any, receive: Any, send: Any) -> None:
    """Answers 200 with the body, byte by byte."""
    if scope["type"] != "http":
        return
    body = await received(receive)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for at in range(len(body)):
        await send({"type": "http.response.body", "body": body[at : at + 1], "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def received(receive: Any) -> bytes:
    """A request's whole body."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def send_back(send: Any, body: bytes) -> None:
    """A whole reply."""
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def served(
    monkeypatch: pytest.MonkeyPatch, job: Callable[[int], Awaitable[None]], app: Any = echo
) -> None:
    """Run `job(port)` beside a server whose deadlines are a tenth of a second."""
    for name in ("HEAD_SECONDS", "WHOLE_SECONDS", "LAST_SECONDS"):
        monkeypatch.setattr(connections, name, 0.1)

    async def both() -> None:
        config = uvicorn.Config(
            app, port=0, http=PatientHttp, log_config=None, lifespan="off", access_log=False
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            await job(server.servers[0].sockets[0].getsockname()[1])
        finally:
            server.should_exit = True
            await asyncio.wait_for(serving, 20)

    asyncio.run(both())


async def said_to(port: int, *parts: bytes) -> bytes:
    """All that the server says to these bytes until it closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.02)
    told = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return told


@pytest.mark.parametrize(
    "parts",
    [
        [b""],
        [b"POST / HT"],
        [b"POST / HTTP/1.1\r\nhost: t\r\n", b"x-a: b\r\n", b"x-c: d\r\n"],
        [WHOLE[:-1]],
        [WHOLE[:-2], b"o"],
        [WHOLE + b"GET / HT"],
    ],
    ids=["nothing", "line", "head", "body", "body_in_parts", "second"],
)
def test_what_is_half_sent_is_closed(monkeypatch: pytest.MonkeyPatch, parts: list[bytes]) -> None:
    """With 408 where a request had begun; however slowly its parts come."""

    async def job(port: int) -> None:
        told = await said_to(port, *parts)
        assert (b" 408 " in told) == (parts != [b""])
        assert told.count(b" 200 ") == (parts == [WHOLE + b"GET / HT"])

    served(monkeypatch, job)


def test_a_whole_request_is_answered_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one piece, in two, two at once; and the connection is kept."""

    async def job(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for parts in ([WHOLE], [WHOLE[:20], WHOLE[20:]], [WHOLE[:-1], WHOLE[-1:]], [WHOLE * 2]):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.01)
            for _ in range(2 if parts == [WHOLE * 2] else 1):
                head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
                assert b" 200 " in head
                assert await reader.readexactly(2) == b"ok"
        await asyncio.sleep(0.3)  # longer than any deadline: nothing is half-sent
        writer.write(WHOLE)
        assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        writer.close()

    served(monkeypatch, job)


def test_one_connection_too_many_is_refused_and_the_others_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """503; when one of the others goes, the next is taken again."""
    monkeypatch.setattr(connections, "CONNECTIONS", 3)

    async def job(port: int) -> None:
        kept = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        for reader, writer in kept:
            writer.write(WHOLE)
            assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        assert b" 503 " in await said_to(port, b"")
        kept[0][1].close()
        await kept[0][1].wait_closed()
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(WHOLE)
        assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        writer.close()

    served(monkeypatch, job)


class Written:
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.pieces.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def test_a_replys_head_leaves_with_its_body() -> None:
    """In one piece; what follows goes as it comes; a head whose body never came is not lost."""
    whole, cut = Written(), Written()
    reply = HeadWaits(whole)  # type: ignore[arg-type]
    for piece in (b"head", b"body", b"more"):
        reply.write(piece)
    assert whole.pieces == [b"headbody", b"more"]
    reply = HeadWaits(cut)  # type: ignore[arg-type]
    reply.write(b"head")
    reply.close()
    assert (cut.pieces, reply.is_closing()) == ([b"head"], True)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (WHOLE, b"\r\n\r\nok"),
        (b"HEAD / HTTP/1.1\r\nhost: t\r\n\r\n", b"content-length: 0\r\n\r\n"),
        (b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n", b": 0\r\n\r\n"),
        (WHOLE.replace(b"host: t", b"expect: 100-continue"), b"100 Continue\r\n\r\n"),
    ],
    ids=["body", "head", "empty", "continue"],
)
def test_no_reply_waits_for_more_than_its_body(
    monkeypatch: pytest.MonkeyPatch, asked: bytes, told: bytes
) -> None:
    """A reply without a body, and the word that a body may come, go at once."""

    async def job(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(asked)
        await asyncio.wait_for(reader.readuntil(told), 5)
        writer.close()

    served(monkeypatch, job)


def test_a_reply_in_pieces_comes_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    async def job(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(WHOLE)
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert head.count(b" 200 ") == 1
            rest = await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5)
            assert rest == b"1\r\no\r\n1\r\nk\r\n0\r\n\r\n"
        writer.close()

    served(monkeypatch, job, in_pieces)
