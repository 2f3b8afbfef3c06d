"""Straight from the connection: the same replies, in order, whatever else is on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from serving.app import create_app
from serving.desk import Desk
from serving.quick import QuickScores
from serving.quick_http import QuickHttp
from serving.service import Service

CLUE = {
    "clue_id": "new",
    "supervision_model": "paid_after_death",
    "subject_id": "p1",
    "raised_at": "2024-07-01T00:00:00",
    "amount_cents": 120_000,
    "agency_id": "x",
}


def asked(key: dict[str, str], clue_id: str = "new", more: str = "", **changed: Any) -> bytes:
    """A request in bytes."""
    body = json.dumps({"clues": [{**CLUE, "clue_id": clue_id, **changed}], "reasons": 3}).encode()
    head = (
        f"POST /v1/scores HTTP/1.1\r\nhost: t\r\nauthorization: {key['authorization']}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n{more}\r\n"
    )
    return head.encode() + body


class Caller:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0.02)

    async def hear(self) -> tuple[int, bytes, Any]:
        """Status, head and body of the next reply."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = json.loads(await self.reader.readexactly(length))
        return int(head.split(b" ")[1]), head, body

    async def ended(self) -> bool:
        return await asyncio.wait_for(self.reader.read(), 20) == b""


Job = Callable[[Callable[[], Awaitable[Caller]], uvicorn.Server], Awaitable[None]]


def serving(home: Any, job: Job) -> None:
    """Run a job beside a server over `home`, in one loop."""

    app = create_app(home)
    app.state.service.warm()

    async def both() -> None:
        config = uvicorn.Config(
            app, port=0, http=QuickHttp, log_config=None, lifespan="on",
            access_log=False, server_header=False,
        )  # fmt: skip
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]

        async def call() -> Caller:
            return Caller(*await asyncio.open_connection("127.0.0.1", port))

        try:
            await job(call, server)
        finally:
            server.should_exit = True
            await asyncio.wait_for(running, 20)

    asyncio.run(both())


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """How many requests the desk answered straight, and how many came as ASGI's messages."""
    seen = {"straight": 0, "asgi": 0}
    answer, call = QuickHttp.answer, QuickScores.__call__

    def answered(self: Any, *rest: Any) -> None:
        seen["straight"] += 1
        answer(self, *rest)

    async def called(self: Any, scope: Any, *rest: Any) -> None:
        seen["asgi"] += scope["type"] == "http"
        await call(self, scope, *rest)

    monkeypatch.setattr(QuickHttp, "answer", answered)
    monkeypatch.setattr(QuickScores, "__call__", called)
    yield seen


def test_the_reply_is_that_of_the_application(
    standing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Body, status and headers, but for the request's id and the date."""
    key = standing.key("case_system")
    body = asked(key).partition(b"\r\n\r\n")[2]
    told = standing.client.post("/v1/scores", content=body, headers=key)

    async def job(call: Any, _: Any) -> None:
        caller = await call()
        for _ in range(2):
            await caller.say(asked(key))
            status, head, reply = await caller.hear()
            assert (status, reply) == (200, told.json())
            said = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
            said = {name.decode(): value.decode() for name, value in said.items()}
            assert len(said.pop("x-request-id")) == 16
            assert said.pop("date")
            assert said == {k: v for k, v in told.headers.items() if k != "x-request-id"}

    with counted(monkeypatch) as seen:
        serving(standing.home, job)
    assert seen == {"straight": 2, "asgi": 0}


def test_replies_come_in_the_order_of_what_was_asked(
    standing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several requests in one piece, of this route and another: none overtakes."""
    key = standing.key("case_system")
    other = f"GET /live HTTP/1.1\r\nhost: t\r\nauthorization: {key['authorization']}\r\n\r\n"

    async def job(call: Any, _: Any) -> None:
        caller = await call()
        await caller.say(
            asked(key, "n1") + asked(key, "n2") + other.encode() + asked(key, "n3"),
            asked(key, "n4"),
        )
        replies = [await caller.hear() for _ in range(5)]
        assert [status for status, *_ in replies] == [200] * 5
        ids = [body["scores"][0]["clue_id"] for *_, body in replies if "scores" in body]
        assert ids == ["n1", "n2", "n3", "n4"]
        assert "scores" not in replies[2][2]

    with counted(monkeypatch) as seen:
        serving(standing.home, job)
    assert seen["straight"] >= 1
    assert seen["asgi"] >= 1


def test_what_comes_in_parts_is_answered_too(standing: Any) -> None:
    """Cut anywhere, byte by byte at its edges; and the connection is kept."""
    key = standing.key("case_system")
    whole = asked(key)
    start = whole.index(b"\r\n\r\n") + 4

    async def job(call: Any, _: Any) -> None:
        caller = await call()
        for cut in (4, 40, start - 1, start, start + 1, len(whole) - 1):
            await caller.say(whole[:cut], whole[cut:])
            status, _, body = await caller.hear()
            assert (status, body["scores"][0]["clue_id"]) == (200, "new")

    serving(standing.home, job)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (lambda key: asked({"authorization": "Bearer wrong"}), 401),
        (lambda key: asked(key, supervision_model="unheard of"), 422),
        (lambda key: asked(key, amount_cents="much"), 422),
        (lambda key: asked(key).replace(b'"reasons"', b'"raisins"'), 422),
        (lambda key: asked(key, more="expect: 100-continue\r\n"), 100),
    ],
    ids=["key", "model", "type", "name", "continue"],
)
def test_what_the_desk_does_not_take_the_application_answers(
    standing: Any, message: Any, status: int
) -> None:
    """Refusals as ever, and the same connection goes on."""
    key = standing.key("case_system")

    async def job(call: Any, _: Any) -> None:
        caller = await call()
        await caller.say(message(key))
        if status == 100:
            assert b" 100 " in await caller.reader.readuntil(b"\r\n\r\n")
            assert (await caller.hear())[0] == 200
        else:
            told, head, body = await caller.hear()
            assert (told, body["status"]) == (status, status)
            assert b"application/problem+json" in head
        await caller.say(asked(key))
        assert (await caller.hear())[0] == 200

    serving(standing.home, job)


def test_what_the_desk_gives_back_takes_the_whole_way(
    standing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the request and could not score it: the application does, once."""
    key = standing.key("case_system")
    monkeypatch.setattr(Desk, "_score", lambda *_: 1 / 0)

    async def job(call: Any, _: Any) -> None:
        caller = await call()
        await caller.say(asked(key, "n1") + asked(key, "n2"))
        told = [await caller.hear() for _ in range(2)]
        assert [(status, body["scores"][0]["clue_id"]) for status, _, body in told] == [
            (200, "n1"), (200, "n2"),
        ]  # fmt: skip

    with counted(monkeypatch) as seen:
        serving(standing.home, job)
    assert seen == {"straight": 0, "asgi": 2}


def test_whoever_hangs_up_harms_nobody_else(standing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections lost while the desk works: the others are answered, the server ends; a score
    that was kept is noted though nobody hears of it."""
    key, noted = standing.key("case_system"), []
    monkeypatch.setattr(
        "serving.watched.Answered.note", lambda _, seconds, request_id: noted.append(request_id)
    )

    async def job(call: Any, _: Any) -> None:
        for _ in range(10):
            caller = await call()
            caller.writer.write(asked(key))
            await caller.writer.drain()
            caller.writer.transport.abort()
        caller = await call()
        await caller.say(asked(key))
        assert (await caller.hear())[0] == 200

    with counted(monkeypatch) as seen:
        serving(standing.home, job)
    assert len(set(noted)) == len(noted) == seen["straight"] >= 2


def test_a_server_that_ends_answers_what_it_has_and_closes(
    standing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-14: the ledger is slow, the server is told to end meanwhile."""
    key, kept = standing.key("case_system"), []
    writer = standing.service.writer
    keep = type(writer).hand_over

    def slowly(self: Any, given: Any) -> Any:
        kept.append(len(given))
        return keep(self, given)

    monkeypatch.setattr(type(writer), "hand_over", slowly)
    monkeypatch.setattr(
        "scoring.ledger.writer.ScoreWriter._commit", _after(0.3, type(writer)._commit)
    )

    async def job(call: Any, server: uvicorn.Server) -> None:
        caller = await call()
        caller.writer.write(asked(key))
        while not kept:
            await asyncio.sleep(0.01)
        server.should_exit = True
        status, head, _ = await caller.hear()
        assert status == 200
        assert b"connection: close" in head
        assert await caller.ended()

    serving(standing.home, job)


def _after(seconds: float, then: Callable[..., Any]) -> Callable[..., Any]:
    import time

    def waited(*given: Any) -> Any:
        time.sleep(seconds)
        return then(*given)

    return waited


def test_services_tell_connections_of_their_own_quick_way(standing: Any) -> None:
    """By the state of the lifespan, so that two services in one process never mix."""
    app = create_app(standing.home)
    assert isinstance(app.quick, QuickScores)
    assert isinstance(app.quick.service, Service)
    assert app.quick.service is app.state.service
