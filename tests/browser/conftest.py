"""A real browser before a real service: Debian's chromium, and a hamlet served by a process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from console_visits import Console
from playwright.sync_api import Browser, BrowserContext, Route, sync_playwright
from running_service import running_service
from served_hamlet import serve_hamlet

from clues.register import read_clues

QUIET = [
    "--no-sandbox", "--disable-background-networking", "--disable-quic", "--no-first-run",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
ENDED = 2


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """Two clues of A have ended, so that there is something to compare with."""
    folder: Path = tmp_path_factory.mktemp("console")
    served = serve_hamlet(folder, persons=20)
    rows = read_clues(served.home).to_pylist()
    own = [row["clue_id"] for row in rows if row["office_id"] == "A"]
    ends = [
        {"clue_id": each, "status": status, "decided_at": "2024-09-01", "reported_at": "2024-09-02"}
        for each, status in zip(own[:ENDED], ("case_filed", "unfounded"), strict=True)
    ]
    reply = served.client.post(
        "/v1/outcomes", content=json.dumps({"outcomes": ends}), headers=served.key("case_system")
    )
    assert reply.status_code == 200, reply.text
    with running_service(served.home.path, folder) as running:
        others = [row["clue_id"] for row in rows if row["office_id"] == "B"]
        yield Console(served, running.url, own[ENDED:], others)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Skipped, saying so, where there is no chromium (`make system` installs it).

    Of one file: while it lives an event loop runs here, and tests of other rooms run their own.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine: make system")
    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=chromium, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[BrowserContext]:
    """A visit with a cookie jar of its own. Nothing it asks for may be of another host, nothing it
    opens may run a dialog."""
    context = browser.new_context(viewport={"width": 1_280, "height": 900})
    elsewhere: list[str] = []
    dialogs: list[str] = []

    def watched(route: Route) -> None:
        if urlsplit(route.request.url).hostname == "127.0.0.1":
            route.continue_()
        else:
            elsewhere.append(route.request.url)
            route.abort()

    context.route("**/*", watched)
    context.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    yield context
    context.close()
    assert (elsewhere, dialogs) == ([], [])
