"""Load on a service: so many connections, each asking again as soon as it was answered.

wrk where it is installed (it costs least), else a process of ours with the same report.
`python -m bench.load PORT PATH CONNECTIONS SECONDS FOLDER`: FOLDER has `bodies` (one a line) and
`headers.json`.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop

LONGEST = 20.0
WRK = """
local headers = {}
bodies = {}
for line in io.lines("FOLDER/bodies") do bodies[#bodies + 1] = line end
local at = 0
function request()
  at = at % #bodies + 1
  return wrk.format("POST", "PATH", HEADERS, bodies[at])
end
function lost(errors)
  return errors.connect + errors.read + errors.write + errors.status + errors.timeout
end
function done(summary, latency, requests)
  local told = '{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}'
  io.write(string.format(told, summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    lost(summary.errors)))
end
"""


@dataclass(frozen=True)
class Loaded:
    """Requests answered a second, and the time that half and all but one in a hundred took."""

    per_second: float
    p50_ms: float
    p99_ms: float


def load(
    folder: Path, port: int, path: str, connections: int, seconds: float, *, wrk: bool = True
) -> Loaded:
    """Ask for `seconds`; raises RuntimeError if any request failed."""
    if wrk and shutil.which("wrk"):
        command = _wrk(folder, port, path, connections, seconds)
    else:
        command = [
            sys.executable, "-m", "bench.load", str(port), path, str(connections), str(seconds),
            str(folder),
        ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout[done.stdout.index('{"requests"') :].splitlines()[0])
    if not told["requests"] and seconds < LONGEST:  # nothing came back in time: ask longer
        return load(folder, port, path, connections, LONGEST, wrk=wrk)
    if told["errors"] or not told["requests"]:
        raise RuntimeError(f"{told['errors']} of {told['requests']} requests failed at {path}")
    return Loaded(told["requests"] / told["seconds"], told["p50_ms"], told["p99_ms"])


def _wrk(folder: Path, port: int, path: str, connections: int, seconds: float) -> list[str]:
    headers = json.loads((folder / "headers.json").read_text("utf-8"))
    table = "{" + ", ".join(f'["{name}"] = "{value}"' for name, value in headers.items()) + "}"
    script = WRK.replace("FOLDER", str(folder)).replace("PATH", path).replace("HEADERS", table)
    (folder / "load.lua").write_text(script, "utf-8")
    return [
        "wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "30s",
        "-s", str(folder / "load.lua"), f"http://127.0.0.1:{port}",
    ]  # fmt: skip


class _Asking(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: list[bytes], first: int, until: float, taken: list[float]) -> None:
        self.requests, self.at, self.until, self.taken = requests, first, until, taken
        self.errors, self.over = 0, asyncio.get_running_loop().create_future()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        self.at = (self.at + 1) % len(self.requests)
        self.began = time.perf_counter()
        self.transport.write(self.requests[self.at])

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if len(self._buffer) < end + 4 + length:
            return
        self.errors += head.split()[1] != b"200"
        self._buffer = b""
        now = time.perf_counter()
        self.taken.append(now - self.began)
        if now < self.until:
            self._ask()
        else:
            self.transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def _asked(port: int, path: str, connections: int, seconds: float, folder: Path) -> None:
    headers = json.loads((folder / "headers.json").read_text("utf-8"))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    bodies = (folder / "bodies").read_bytes().splitlines()
    start = f"POST {path} HTTP/1.1\r\nhost: x\r\n{head}content-length: "
    requests = [f"{start}{len(body)}\r\n\r\n".encode() + body for body in bodies]
    taken: list[float] = []
    began, loop = time.perf_counter(), asyncio.get_running_loop()
    made = [
        await loop.create_connection(
            lambda at=at: _Asking(requests, at, began + seconds, taken), "127.0.0.1", port
        )
        for at in range(connections)
    ]
    await asyncio.gather(*(protocol.over for _, protocol in made))
    told = {
        "requests": len(taken),
        "seconds": time.perf_counter() - began,
        "p50_ms": float(np.percentile(taken, 50) * 1e3),
        "p99_ms": float(np.percentile(taken, 99) * 1e3),
        "errors": sum(protocol.errors for _, protocol in made),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    port, path, connections, seconds, folder = sys.argv[1:]
    uvloop.run(_asked(int(port), path, int(connections), float(seconds), Path(folder)))
