"""An MLflow server in a process of its own on this machine, for pictures and for tests.

It waits for no cache and makes no backup: only what people see of the store is of interest here.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

START_SECONDS = 300.0
ADDRESS = "127.0.0.1"


@contextmanager
def mlflow_server(store: str, folder: Path) -> Iterator[str]:
    """`mlflow server` over `store` (sqlite:///..., postgresql://...); yields its address.

    Artifacts of runs logged through it and its words go below `folder`. A fresh database gets its
    tables first, so it may take a minute. Raises TimeoutError with its last words if it never
    answers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind((ADDRESS, 0))
        port = free.getsockname()[1]
    said = folder / "server.log"
    with said.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *_options(store, folder, port)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            start_new_session=True,
        )
    try:
        address = f"http://{ADDRESS}:{port}"
        _wait(process, address, said)
        yield address
    finally:
        # Workers are its children: the whole group ends.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _options(store: str, folder: Path, port: int) -> list[str]:
    given = {
        "--backend-store-uri": store,
        "--artifacts-destination": (folder / "artifacts").resolve().as_uri(),
        "--host": ADDRESS,
        "--port": str(port),
        "--workers": "1",
    }
    return [word for pair in given.items() for word in pair]


def _wait(process: subprocess.Popen[bytes], address: str, said: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            if httpx.get(f"{address}/health", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.5)
    raise TimeoutError(f"the MLflow server never answered: {said.read_text('utf-8')[-2_000:]}")
