"""The examples of docs/api.md are right: each is run against a real server by the real curl."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from served_hamlet import Served

from clues.register import read_clues

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text("utf-8")
EXAMPLES = re.findall(r"^curl .*?(?=^curl |^```)", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def environment(standing: Served) -> Iterator[dict[str, str]]:
    """What the examples name, and a server on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        config = uvicorn.Config(standing.client.app, log_level="critical", server_header=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([place],))
        thread.start()
        while not server.started:
            time.sleep(0.05)
        keys = {
            "MACHINE": "case_system",
            "READER": "reviewer",
            "SCIENTIST": "data_scientist",
            "CENTRE": "dispatcher",
        }
        yield {
            **os.environ,
            "URL": f"http://127.0.0.1:{place.getsockname()[1]}",
            "CLUE": read_clues(standing.home)["clue_id"][0].as_py(),
            "SCORER": standing.service.champion().digest,
            **{name: standing.key(role)["authorization"].split()[1] for name, role in keys.items()},
        }
        server.should_exit = True
        thread.join(20)


def test_the_document_has_examples_and_curl_is_there() -> None:
    """curl is part of the machine the project asks for."""
    assert len(EXAMPLES) >= 10
    assert shutil.which("curl")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda text: text.split("$URL")[1][:30])
def test_an_example_answers_with_json(example: str, environment: dict[str, str]) -> None:
    """As it stands in the document, variables filled by the shell."""
    line = example.strip().removeprefix("curl -s")
    done = subprocess.run(
        ["bash", "-c", f"curl -s -o - -w '\\n%{{http_code}}' {line}"],
        env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    body, _, status = done.stdout.rpartition("\n")
    assert status == "200", body
    assert json.loads(body)
