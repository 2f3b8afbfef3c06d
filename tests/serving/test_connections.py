"""Connections: what is half-sent is closed in time, and no more are open than the bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from serving import connections
from serving.connections import PatientHttp

WHOLE = b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\nok"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers 200 with the body, once it is there."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def served(monkeypatch: pytest.MonkeyPatch, job: Callable[[int], Awaitable[None]]) -> None:
    """Run `job(port)` beside a server whose deadlines are a tenth of a second."""
    for name in ("HEAD_SECONDS", "WHOLE_SECONDS", "LAST_SECONDS"):
        monkeypatch.setattr(connections, name, 0.1)

    async def both() -> None:
        config = uvicorn.Config(
            echo, port=0, http=PatientHttp, log_config=None, lifespan="off", access_log=False
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
