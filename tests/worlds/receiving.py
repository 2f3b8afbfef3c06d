"""A case system to tell things to: in this process, or in one of its own that may be killed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from dispatch.exchange.delivery import Addressee, Delivery
from dispatch.exchange.destinations import Destination
from dispatch.exchange.outbox import subscribe
from dispatch.exchange.signature import new_key, read_keys
from dispatch.exchange.worker import deliver
from experiments.case_system.run import run
from experiments.case_system.server import CaseSystem, Manners
from experiments.case_system.store import Store
from governance.home import Home

KEY = b"k" * 32


@contextmanager
def case_system(folder: Path, **manners: Any) -> Iterator[CaseSystem]:
    """One that listens, in a thread."""
    with listening(CaseSystem(0, Store(folder), (KEY,), Manners(**manners))) as server:
        yield server


@contextmanager
def listening(server: Any) -> Iterator[Any]:
    """A server that answers until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def answering(status: int, headers: dict[str, str], content: bytes) -> ThreadingHTTPServer:
    """A server that gives one answer to everything; `asked` counts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.server.asked.append(self.path)  # type: ignore[attr-defined]
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []  # type: ignore[attr-defined]
    return server


def delivery(ledger: Any, clock: Any, port: int, **more: Any) -> Delivery:
    """To a case system on a port, subscribed from now on; no jitter."""
    to = Destination(name="cases", url=f"http://127.0.0.1:{port}/events", **more)
    subscribe(ledger, {"cases": to.kinds}, clock)
    return Delivery(
        ledger, Addressee(to, (KEY,)), clock, "clues/test", "Asia/Shanghai", draw=lambda: 1.0
    )


def declare(home: Home, port: int, **more: Any) -> Path:
    """Write exchange.yaml and a key for a home; returns the key's file."""
    lines = "".join(f"    {name}: {value}\n" for name, value in more.items())
    (home.jurisdiction.folder / "exchange.yaml").write_text(
        f"destinations:\n  - name: cases\n    url: http://127.0.0.1:{port}/events\n{lines}", "utf-8"
    )
    path = home.path / "exchange" / "cases.key"
    if not path.is_file():
        new_key(path)
    assert len(read_keys(path)) == 1
    return path


def run_worker(home: Path, url: str) -> None:
    """`clues deliver`, in a process of its own."""
    from base.moment import WallClock

    os.environ["CLUES_LEDGER_URL"] = url
    opened = Home.open(home)
    deliver(opened, WallClock(opened.jurisdiction.timezone), lambda _: None)


def run_receiver(folder: Path, key_file: Path, port: int, manners: Manners) -> None:
    """`clues case-system`, in a process of its own."""
    run(folder, key_file, port, manners)
