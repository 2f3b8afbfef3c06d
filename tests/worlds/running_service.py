"""A service in processes of its own, and clients that speak to it byte by byte."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
SECONDS_TO_START = 120.0


@dataclass(frozen=True)
class Running:
    """A service that answers on `port` of 127.0.0.1; `log` is what it said so far."""

    process: subprocess.Popen[bytes]
    port: int
    log_path: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_path.read_text("utf-8", errors="replace")


@contextmanager
def running_service(home: Path, folder: Path, workers: int = 1, **env: str) -> Iterator[Running]:
    """`clues serve` over a home, ready; ended by SIGTERM if it still runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-c", "from cli.main import run; run()", "serve", "--home", str(home),
        "--port", str(port), "--workers", str(workers),
    ]  # fmt: skip
    log = folder / f"service-{port}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=said, stderr=said, env={**os.environ, **env}
        )
        service = Running(process, port, log)
        try:
            _wait_until_ready(service)
            yield service
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(60)


def _wait_until_ready(service: Running) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and service.process.poll() is None:
        try:
            if httpx.get(f"{service.url}/ready", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"the service did not start:\n{service.log[-2_000:]}")


class Client:
    """One connection that is kept, one request at a time."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self.port = port
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    async def connect(self) -> None:
        self._in, self._out = await asyncio.open_connection("127.0.0.1", self.port)

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and parsed reply."""
        content = json.dumps(body).encode()
        self._out.write(request_head(path, len(content), self._head) + content)
        head = (await self._in.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(head.split("content-length:")[1].split("\r\n")[0])
        return int(head.split()[1]), json.loads(await self._in.readexactly(length))

    def close(self) -> None:
        self._out.close()


def request_head(path: str, length: int, head: str = "") -> bytes:
    """The head of a POST."""
    return (
        f"POST {path} HTTP/1.1\r\nhost: test\r\n{head}content-type: application/json\r\n"
        f"content-length: {length}\r\n\r\n"
    ).encode()
