"""Workers that share a port: connections that come together are dealt out, and none is lost."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from base.errors import NotReady
from serving.doors import own_socket
from serving.run import require_free

ROOT = Path(__file__).resolve().parents[2]
CALLERS = 64
# Of 64 dealt out by chance, fewer than twelve come to one of two once in ten million times.
LEAST = 12
WORKER = """
import asyncio, os, socket, sys
from serving.doors import SharingLoop

class TellsWho(asyncio.Protocol):
    def connection_made(self, transport):
        transport.write(f"{os.getpid()}\\n".encode())

async def work(given):
    await asyncio.get_running_loop().create_server(TellsWho, sock=given)
    print("listening", flush=True)
    await asyncio.sleep(600)

with asyncio.Runner(loop_factory=SharingLoop) as runner:
    runner.run(work(socket.socket(fileno=int(sys.argv[1]))))
"""


def place() -> socket.socket:
    """Bound, as the parent process of workers has it."""
    given = socket.socket()
    given.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    given.bind(("127.0.0.1", 0))
    return given


@contextmanager
def worker(given: socket.socket) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", WORKER, str(given.fileno())]
    process = subprocess.Popen(
        command, cwd=ROOT, pass_fds=[given.fileno()], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "listening\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def who_answers(port: int) -> Counter[int]:
    """How many of the callers each worker has; all stay until the last was answered."""
    with ExitStack() as calls:
        come = [
            calls.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            for _ in range(CALLERS)
        ]
        return Counter(int(each.makefile().readline()) for each in come)


def test_callers_who_come_together_are_dealt_out_to_both_workers() -> None:
    """And all go to the one that is left when the other has ended."""
    with place() as given, worker(given) as one, worker(given) as other:
        port = given.getsockname()[1]
        had = who_answers(port)
        assert set(had) == {one.pid, other.pid}
        assert min(had.values()) >= LEAST
        one.kill()
        one.wait()
        assert who_answers(port) == {other.pid: CALLERS}


def test_a_port_that_workers_share_is_not_free_for_another_service() -> None:
    with place() as given, own_socket(given) as own:
        own.listen()
        with pytest.raises(NotReady, match="another program listens"):
            require_free(*given.getsockname())
