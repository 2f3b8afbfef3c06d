"""Scores over HTTP: our service beside three others with the same model, one worker each.

One clue of 120 values in, probability and 10 reasons out, on 127.0.0.1. All four run during the
whole of it and are asked in turns; what they answer to the same clues is compared first. Ours also
checks the key and the message, writes the reasons in words, counts, logs, and keeps each score in
its ledger before it replies.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from base.moment import WallClock
from base.settings import available_cores
from bench.load import Loaded, load
from bench.measure import Comparison
from bench.subjects import subject_bodies, subject_home
from bench.wide import CATEGORIES, NUMBERS, WORDS, drawn_rows, wide_clue, wide_home
from governance.home import Home
from scoring.bundle import read_calibrator, read_manifest
from scoring.champion import read_champion
from scoring.ledger import open_ledger
from serving.keys import create

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "bench" / "peers"
CONNECTIONS, ROUNDS, SECONDS, CLUES, REASONS = (1, 16, 64), 3, 3.0, 200, 10
GOAL_MS, SECONDS_TO_START = 20.0, 180
FIRST_PORT = int(os.environ.get("BENCH_PORT", "18310"))


@dataclass(frozen=True)
class Asked:
    """A service that runs, and where its requests lie."""

    port: int
    path: str
    folder: Path

    def load(self, connections: int, seconds: float = SECONDS) -> Loaded:
        return load(self.folder, self.port, self.path, connections, seconds)


def comparisons() -> Iterator[Comparison]:
    """http.{mlflow,tutorial,careful}.c{1,16,64}."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        services = _started(Path(name), running)
        _require_alike(services)
        for each in services.values():
            each.load(16, 1.0)  # warm
        for connections in CONNECTIONS:
            yield from _beside(services, connections)


def by_subject() -> Iterator[Comparison]:
    """http.by_subject.p99_ms: 24 features of a subject out of 20 million records, at 16
    connections, as many workers as cores."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        home = subject_home(Path(name))
        folder = _requests(Path(name) / "subjects", subject_bodies(), _key(home))
        workers = available_cores()
        ours = running.enter_context(_ours(home, FIRST_PORT + 4, folder, workers))
        ours.load(16, 4.0)
        loaded = [ours.load(16) for _ in range(ROUNDS)]
        p99 = statistics.median(each.p99_ms for each in loaded)
        _tell("http.by_subject", "ours", loaded)
        yield _told("http.by_subject.p99_ms", p99, GOAL_MS, "ms", GOAL_MS / p99)


def _beside(services: dict[str, Asked], connections: int) -> Iterator[Comparison]:
    taken: dict[str, list[Loaded]] = {name: [] for name in services}
    for _ in range(ROUNDS):
        for name, each in services.items():
            taken[name].append(each.load(connections))
    speed = {name: statistics.median(x.per_second for x in told) for name, told in taken.items()}
    for name, told in taken.items():
        _tell(f"http.c{connections}", name, told)
    for name in services:
        if name != "ours":
            ratio = speed["ours"] / speed[name]
            yield _told(
                f"http.{name}.c{connections}", speed["ours"], speed[name], "requests/s", ratio
            )


def _started(folder: Path, running: ExitStack) -> dict[str, Asked]:
    home = wide_home(folder / "ours")
    rows = drawn_rows(CLUES, seed=9)
    clues = [wide_clue(row, f"c{at}") for at, row in enumerate(rows)]
    bodies = [{"clues": [clue], "reasons": REASONS, "language": "en"} for clue in clues]
    parts = _parts(home, folder / "parts")
    values = [{name: clue[name] for name in parts} for clue in clues]
    predict = _requests(folder / "predict", values, None)
    frames = [{"dataframe_split": {"columns": list(v), "data": [list(v.values())]}} for v in values]
    invoked = _requests(folder / "invoked", frames, None)
    env = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run([sys.executable, PEERS / "mlflow_model.py", folder], check=True, env=env)
    mlflow = [
        sys.executable, "-m", "mlflow", "models", "serve", "-m", str(folder / "mlflow"),
        "--env-manager", "local", "--workers", "1", "--host", "127.0.0.1", "--port",
    ]  # fmt: skip
    script = [sys.executable, str(PEERS / "tutorial_service.py"), str(folder / "parts")]
    careful = [sys.executable, str(PEERS / "careful_service.py"), str(folder / "parts")]
    port = FIRST_PORT
    return {
        "ours": running.enter_context(
            _ours(home, port, _requests(folder / "scores", bodies, _key(home)))
        ),
        "mlflow": running.enter_context(
            _service([*mlflow, str(port + 1)], port + 1, "/invocations", invoked)
        ),
        "tutorial": running.enter_context(
            _service([*script, str(port + 2)], port + 2, "/predict", predict)
        ),
        "careful": running.enter_context(
            _service([*careful, str(port + 3)], port + 3, "/predict", predict)
        ),
    }


def _parts(home: Home, folder: Path) -> list[str]:
    """What the peers read; returns the features' names in order."""
    bundle = home.scorers / read_champion(home.scorers).scorer
    manifest, calibrator = read_manifest(bundle), read_calibrator(bundle)
    names = [feature.name for feature in manifest.features]
    folder.mkdir()
    shutil.copy(bundle / "model.txt", folder / "model.txt")
    told = {
        "names": names,
        "words": list(WORDS),
        "categories": names[NUMBERS : NUMBERS + CATEGORIES],
        "slope": calibrator.slope,
        "intercept": calibrator.intercept,
    }
    (folder / "parts.json").write_text(json.dumps(told), "utf-8")
    return names


def _requests(folder: Path, bodies: list[dict[str, Any]], key: str | None) -> Path:
    folder.mkdir(parents=True)
    (folder / "bodies").write_text("\n".join(json.dumps(body) for body in bodies), "utf-8")
    headers = {"content-type": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    (folder / "headers.json").write_text(json.dumps(headers), "utf-8")
    return folder


def _key(home: Home) -> str:
    ledger = open_ledger(home.ledger_url)
    made = create(ledger, role="case_system", office_id=None, clock=WallClock())
    return str(made["key"])


@contextmanager
def _ours(home: Home, port: int, folder: Path, workers: int = 1) -> Iterator[Asked]:
    command = [
        sys.executable, "-c", "from cli.main import run; run()", "serve", "--home", str(home.path),
        "--port", str(port), "--workers", str(workers),
    ]  # fmt: skip
    with _service(command, port, "/v1/scores", folder) as asked:
        yield asked


@contextmanager
def _service(command: list[str], port: int, path: str, folder: Path) -> Iterator[Asked]:
    """A service's process, until it answers; what it says goes to a file."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    env["CLUES_RATE_MACHINES"] = "0"
    # MLflow starts uvicorn by its name.
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    with (folder / f"{port}.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=env)
        try:
            asked = Asked(port, path, folder)
            _wait(asked, process, folder / f"{port}.log")
            yield asked
        finally:
            process.terminate()
            process.wait(60)


def _wait(asked: Asked, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and process.poll() is None:
        try:
            if _answer(asked, 0).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise RuntimeError(f"no answer at {asked.path}:\n{log.read_text('utf-8')[-3_000:]}")


def _answer(asked: Asked, at: int) -> httpx.Response:
    body = (asked.folder / "bodies").read_text("utf-8").split("\n")[at]
    headers = json.loads((asked.folder / "headers.json").read_text("utf-8"))
    url = f"http://127.0.0.1:{asked.port}{asked.path}"
    return httpx.post(url, content=body, headers=headers, timeout=60)


def _require_alike(services: dict[str, Asked]) -> None:
    """The same probability and the same ten contributions, within 1e-6 and 1e-9."""
    for at in range(20):
        told = {name: _answer(each, at).json() for name, each in services.items()}
        ours = told["ours"]["scores"][0]
        told["mlflow"] = told["mlflow"]["predictions"][0]
        wanted = [(each["feature"], each["contribution"]) for each in ours["reasons"]]
        for name in ("mlflow", "tutorial", "careful"):
            reply = told[name]
            assert abs(reply["probability"] - ours["probability"]) <= 1.1e-6, (name, at)
            for (feature, part), each in zip(wanted, reply["reasons"], strict=True):
                assert abs(part - each["contribution"]) <= 1e-9, (name, at, feature)


def _tell(name: str, who: str, taken: list[Loaded]) -> None:
    middle = {
        field: float(np.median([getattr(each, field) for each in taken]))
        for field in ("per_second", "p50_ms", "p99_ms")
    }
    print(
        f"  {name} {who}: {middle['per_second']:,.0f} requests/s, p50 {middle['p50_ms']:.2f} ms,"
        f" p99 {middle['p99_ms']:.2f} ms"
    )


def _told(name: str, ours: float, peer: float, unit: str, ratio: float) -> Comparison:
    return Comparison(
        name,
        round(ours, 3),
        round(peer, 3),
        round(ratio, 3),
        unit,
        ROUNDS,
        os.getloadavg()[0],
        available_cores(),
    )
