"""Trial load: a bundle is parsed first in a process that may die of it.

Of text models damaged at random, most kill or hang the process that parses them and some score
differently without a word; so the parent looks at the exit code only.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from base.errors import Refused
from scoring.bundle import check_bundle

TIMEOUT_SECONDS = 60


def try_bundle(folder: Path, digest: str, timeout: float = TIMEOUT_SECONDS) -> None:
    """Refuse a bundle that does not load, or whose golden rows differ, in a sacrificial process.

    Its digest is checked here first: no process is started for bytes that nobody registered.
    """
    check_bundle(folder, digest)
    command = [sys.executable, "-m", "scoring.tried", str(folder), digest]
    try:
        done = subprocess.run(  # noqa: S603  # our own module and a path we made
            command,
            capture_output=True,
            timeout=timeout,
            check=False,
            encoding="utf-8",
            errors="replace",  # what a dying process says may be any bytes
        )
    except subprocess.TimeoutExpired:
        _refuse(f"no answer within {timeout:g} s")
    if done.returncode != 0:
        _refuse((done.stdout or f"the trial process ended with {done.returncode}").strip()[:300])


def _refuse(got: str) -> None:
    raise Refused(
        wanted="a bundle that loads and gives its golden rows' margins",
        got=got,
        cure="restore the bundle from the registry; the champion goes on serving",
    )
