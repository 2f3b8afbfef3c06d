"""A peer's process: started, asked one job at a time, stopped."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
Peer = Callable[[str], dict[str, Any]]
SECONDS_TO_END = 60


def interpreter(environment: str) -> Path | None:
    """The Python of an environment in the project's folder, where there is one."""
    path = ROOT / environment / "bin" / "python"
    return path if path.exists() else None


@contextmanager
def peer(python: Path, script: str, folder: Path, *arguments: str) -> Iterator[Peer]:
    """`bench/peers/SCRIPT FOLDER ARGUMENTS` under `python`: a job in, its answer out.

    A job is a line of words, an answer a line of JSON; the script answers once before its first
    job, when it is ready. What else it says goes to peer.log in `folder`, for a full pipe would
    stop it. Raises RuntimeError with the end of that log where it ends without an answer.
    """
    path = ROOT / "bench" / "peers" / script
    with (folder / "peer.log").open("w") as log:
        process = subprocess.Popen(
            [python, path, folder, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        jobs, answers = process.stdin, process.stdout
        assert jobs is not None
        assert answers is not None

        def answer() -> dict[str, Any]:
            line = answers.readline()
            if not line:
                told = (folder / "peer.log").read_text("utf-8", errors="replace")[-2_000:]
                raise RuntimeError(f"{script} ended without an answer:\n{told}")
            return dict(json.loads(line))

        def ask(job: str) -> dict[str, Any]:
            jobs.write(job + "\n")
            jobs.flush()
            return answer()

        try:
            answer()
            yield ask
        finally:
            jobs.close()
            process.wait(timeout=SECONDS_TO_END)
