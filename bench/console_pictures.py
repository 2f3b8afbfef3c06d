"""`make pictures`: what the console shows of a simulated province, in both languages.

The province is made in a folder that is thrown away, unless `--home` names a demo's home.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from bench.console_province import AtWork, put_to_work
from governance.home import Home

INTO = Path(__file__).resolve().parents[1] / "docs" / "pictures"
CLUES, SEED = 1_500, 3
WIDTH, HEIGHT, COLOURS = 1_280, 1_000, 64
SECONDS_TO_START = 120.0
QUIET = [
    "--no-sandbox", "--disable-background-networking", "--disable-quic", "--no-first-run",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def main() -> None:
    """Take every picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=INTO)
    parser.add_argument("--home", type=Path, help="a demo's home, or where to make one")
    given = parser.parse_args()
    given.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        home = given.home or Path(scratch) / "home"
        if not (home / "demo.json").exists():
            from base.progress import Stages
            from experiments.demo import run_demo

            run_demo(home, clues=CLUES, seed=SEED, stages=Stages())
        with served(home) as address:
            _photographed(address, Home.open(home), given.into)


@contextmanager
def served(home: Path) -> Iterator[str]:
    """`clues serve` over a home, on a free port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "from cli.main import run; run()"
    command = [sys.executable, "-c", code, "serve", "--home", str(home), "--port", str(port)]
    process = subprocess.Popen(command, env=os.environ.copy())
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_ready(process, address)
        yield address
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(f"{address}/ready", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.3)
    raise SystemExit("the service did not start")


def _photographed(address: str, home: Home, into: Path) -> None:
    from playwright.sync_api import sync_playwright

    work = put_to_work(home)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=QUIET)
        for language in ("zh", "en"):
            for role, pages in pages_of(work).items():
                page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
                page.goto(f"{address}/console?language={language}")
                page.fill("#login", role)
                page.fill("#password", work.passwords[role])
                page.keyboard.press("Enter")
                page.wait_for_url("**/console/*")
                for what, path in pages.items():
                    page.goto(f"{address}{path}language={language}")
                    _keep(page.screenshot(), into / f"console-{what}-{language}.png")
                page.close()
        browser.close()


def pages_of(work: AtWork) -> dict[str, dict[str, str]]:
    """Role -> picture -> the page it is of."""
    return {
        "reviewer": {
            "queue": "/console/queue?",
            "clue": f"/console/clues/{work.clue_id}?",
            "further": f"/console/clues/{work.clue_id}/further?",
        },
        "dispatcher": {
            "command": "/console/command?",
            "county": f"/console/command?office={work.county}&more=2&",
        },
        "data_scientist": {
            "scorers": "/console/scorers?",
            "scorer": f"/console/scorers/{work.scorer}?",
            "monitoring": "/console/monitoring?",
        },
        "steward": {
            "records": "/console/records?",
            "record-set": "/console/records/benefit_payments?",
        },
    }


def _keep(picture: bytes, path: Path) -> None:
    """Small: pages have few colours."""
    from PIL import Image

    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main()
