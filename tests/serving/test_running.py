"""The service as it is run: processes on 127.0.0.1, a champion swapped, clients that stall."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hamlet_scorer import write_hamlet_bundle
from running_service import Client, Running, request_head, running_service
from served_hamlet import NOON, Served, serve_hamlet

from scoring.champion import write_champion
from scoring.scorer import Scorer
from serving.asked import asked_clues
from serving.messages import parse_message, scores_request
from serving.principal import Principal
from serving.run import GRACE_SECONDS

WHOLE = {
    "clue_id": "n",
    "supervision_model": "paid_after_death",
    "subject_id": "p1",
    "raised_at": "2024-07-01T00:00:00",
    "amount_cents": 120_000,
    "agency_id": "x",
}
CLIENTS, AMOUNTS, SWAPS, SWAP_SECONDS = 32, 8, 4, 2.0
SLOW_CLIENTS, HALF_BODIES = 500, 20
SECRETS = ("340101199001011234", "ZHANG-SAN", "13800138000")


@dataclass(frozen=True)
class World:
    """A hamlet, and its service with two workers whose registry is away."""

    served: Served
    running: Running


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("running")
    served = serve_hamlet(folder)
    away = "http://127.0.0.1:9"
    with running_service(served.home.path, folder, workers=2, CLUES_TRACKING_URI=away) as running:
        yield World(served, running)


def bodies() -> list[dict[str, Any]]:
    return [
        {"clues": [{**WHOLE, "amount_cents": 20_000 * at}], "reasons": 3} for at in range(AMOUNTS)
    ]


def test_it_starts_and_serves_with_the_registry_away_and_says_so(world: World) -> None:
    """P-9: from the home's own bundle."""
    headers = world.served.key("case_system")
    reply = httpx.post(f"{world.running.url}/v1/scores", json=bodies()[1], headers=headers)
    assert reply.status_code == 200
    ready = httpx.get(f"{world.running.url}/ready").json()
    assert ready["ready"] is True
    assert ready["scorer"] == reply.json()["scorer"]
    assert ready["registry"].startswith("away")


def test_a_champion_swapped_under_load_fails_and_mixes_no_request(world: World) -> None:
    """P-8: 32 clients, both workers; every reply is whole and of the one digest it names."""
    home, headers = world.served.home, world.served.key("case_system")
    digests = [world.served.service.champion().digest, write_hamlet_bundle(home, seed=2)]
    told = asyncio.run(_under_load(world, digests, headers))
    assert {reply["scorer"] for _, reply in told} == set(digests)
    own = {digest: _own_replies(world.served, digest) for digest in digests}
    for at, reply in told:
        line, whole = reply["scores"][0], own[reply["scorer"]][at]
        assert (line["margin"], line["base"]) == (whole[0], whole[1])
        parts = {reason["feature"]: reason["contribution"] for reason in line["reasons"]}
        assert parts == {name: whole[2][name] for name in parts}


def _own_replies(served: Served, digest: str) -> list[tuple[float, float, dict[str, float]]]:
    """Margin, base and contributions of each body, by a scorer loaded here."""
    scorer = Scorer.load(served.home.scorers / digest, digest)
    names = [feature.name for feature in scorer.manifest.features]
    found = []
    for body in bodies():
        table = _rows_of(served, body)
        margin, why = scorer.score(table).margin, scorer.explain(table)
        parts = dict(zip(names, why.contributions[0].tolist(), strict=True))
        found.append((float(margin[0]), float(why.base[0]), parts))
    return found


def _rows_of(served: Served, body: dict[str, Any]) -> Any:
    asked = parse_message(scores_request(served.home.jurisdiction), json.dumps(body).encode())
    who = Principal("k", "case_system", None)
    return served.service.feature_rows(asked_clues(served.service, who, asked.clues, None))[0]


async def _under_load(
    world: World, digests: list[str], headers: dict[str, str]
) -> list[tuple[int, Any]]:
    """Replies to clients that ask on and on while the champion changes SWAPS times."""
    told: list[tuple[int, Any]] = []
    over = asyncio.Event()
    asked = bodies()

    async def ask(first: int) -> None:
        client = Client(world.running.port, headers)
        await client.connect()
        at = first
        while not over.is_set():
            at = (at + 1) % AMOUNTS
            status, reply = await client.post("/v1/scores", asked[at])
            assert status == 200, reply
            told.append((at, reply))
        client.close()

    async def swap() -> None:
        until, swaps = time.monotonic() + 90, 0
        while time.monotonic() < until:
            await asyncio.sleep(SWAP_SECONDS)
            swaps += 1
            write_champion(
                world.served.home.scorers, digests[swaps % 2], by="Li", approved_by="Wang", at=NOON
            )
            seen = {reply["scorer"] for _, reply in told}
            if swaps >= SWAPS and len(seen) == 2:
                break
        over.set()

    await asyncio.gather(swap(), *(ask(at) for at in range(CLIENTS)))
    return told


def test_metrics_tell_the_sum_of_all_workers(world: World) -> None:
    """Requests by route and status, stages, scores by band; whichever worker is asked."""
    headers = world.served.key("case_system")
    line = r'clues_requests_total\{method="POST",route="/v1/scores",status="200"\} ([0-9.]+)'

    def count() -> float:
        text = httpx.get(f"{world.running.url}/metrics").text
        found = re.search(line, text)
        return float(found.group(1)) if found else 0.0

    before = count()
    for _ in range(12):  # a connection each, so that either worker may get it
        reply = httpx.post(f"{world.running.url}/v1/scores", json=bodies()[2], headers=headers)
        assert reply.status_code == 200
    assert {count() for _ in range(6)} == {before + 12}
    text = httpx.get(f"{world.running.url}/metrics").text
    for stage in ("parse", "features", "score", "explain", "reply", "ledger"):
        assert f'clues_stage_seconds_count{{stage="{stage}"}}' in text
    assert "clues_scores_total{" in text
    assert f'clues_champion{{scorer="{reply.json()["scorer"]}"}} 1.0' in text
    assert "clues_missing_drift" in text


def test_no_log_and_no_figure_has_anything_of_a_person(world: World) -> None:
    """In the body, the address, the query, a header, a broken message: nothing is written down."""
    headers, url = world.served.key("case_system"), world.running.url
    number, name, phone = SECRETS
    whole = {**WHOLE, "clue_id": number, "subject_id": name, "agency_id": phone}
    asked = [
        httpx.post(f"{url}/v1/scores", json={"clues": [whole]}, headers=headers),
        httpx.post(f"{url}/v1/scores", content=f'{{"{name}": {number}', headers=headers),
        httpx.post(f"{url}/v1/scores", json={"clues": [{**whole, name: phone}]}, headers=headers),
        httpx.get(f"{url}/v1/clues/{number}", params={name: phone}, headers=headers),
        httpx.get(f"{url}/{name}/{number}", headers={"x-request-id": phone}),
        httpx.get(f"{url}/v1/queue", headers={"authorization": f"Bearer {number}"}),
    ]
    assert [reply.status_code for reply in asked] == [200, 422, 422, 403, 404, 401]
    ids = [reply.headers["x-request-id"] for reply in asked]
    told: dict[str, Any] = {}
    until = time.monotonic() + 20
    while not told.keys() >= set(ids) and time.monotonic() < until:  # a line follows its reply
        lines = [
            json.loads(line)
            for line in world.running.log.splitlines(keepends=True)
            if line.endswith("\n")
        ]
        told = {line.get("request_id"): line for line in lines if line["event"] == "request"}
    routes = [told[each]["route"] for each in ids]
    assert routes[0] == "/v1/scores"
    assert routes[3:5] == ["/v1/clues/{clue_id}", "-"]
    assert [told[each]["status"] for each in ids] == [reply.status_code for reply in asked]
    written = world.running.log + httpx.get(f"{url}/metrics").text
    for secret in SECRETS:
        assert secret not in written


def half_sent(port: int, content: bytes) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), timeout=30)
    opened.sendall(content)
    return opened


def test_slow_clients_block_neither_others_nor_the_end(world: World, tmp_path: Path) -> None:
    """P-14: 500 half-sent requests wait; others are answered; at SIGTERM what is in flight is
    answered, what is half-sent is closed, new ones are refused, and the process is gone in time.
    """
    headers = world.served.key("case_system")
    with running_service(world.served.home.path, tmp_path) as running:
        slow = [half_sent(running.port, b"POST /v1/scores HT") for _ in range(SLOW_CLIENTS)]
        half = request_head("/v1/scores", 100, f"authorization: {headers['authorization']}\r\n")
        slow += [half_sent(running.port, half + b'{"clues"') for _ in range(HALF_BODIES)]
        told = asyncio.run(_ended_in_flight(running, headers))
        assert [status for status, _ in told] == [200] * len(told)
        assert all(len(reply["scores"]) in (1, 900) for _, reply in told)
        running.process.wait(GRACE_SECONDS + 5)
        with pytest.raises(ConnectionRefusedError):
            half_sent(running.port, b"GET /live")
        for each in slow:
            each.settimeout(5)
            assert b" 200 " not in each.recv(1_000)
            each.close()


async def _ended_in_flight(running: Running, headers: dict[str, str]) -> list[tuple[int, Any]]:
    """Replies to requests before, and to long ones that SIGTERM finds in flight."""
    client = Client(running.port, headers)
    await client.connect()
    told = [await client.post("/v1/scores", body) for body in bodies()]
    long = {"clues": [{**WHOLE, "clue_id": f"n{at}"} for at in range(900)], "reasons": 1}
    clients = [Client(running.port, headers) for _ in range(3)]
    for each in clients:
        await each.connect()
    flying = [asyncio.create_task(each.post("/v1/scores", long)) for each in clients]
    await asyncio.sleep(0.5)
    running.process.send_signal(signal.SIGTERM)
    return told + list(await asyncio.gather(*flying))
