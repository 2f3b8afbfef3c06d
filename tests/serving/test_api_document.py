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
from clues.supervision import load_supervision_models
from dispatch.offices import load_offices
from governance.jurisdiction import load_jurisdiction
from serving.messages import parse_message
from serving.work_messages import OutcomesRequest, new_clues_request, transition_request

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text("utf-8")
# The page speaks of the demo; the hamlet has names of its own for the same things.
HERE = {"benefit_after_death": "paid_after_death", "AH0101": "A", "AH0102": "B", "AH01": "P"}
EXAMPLES = re.findall(
    r"^curl .*?(?=^curl |^```)",
    re.sub("|".join(HERE), lambda found: HERE[found[0]], TEXT),
    re.MULTILINE | re.DOTALL,
)
BODIES = re.findall(r"^POST (\S+)/(clues|transitions|outcomes) +(\{.*\})$", TEXT, re.MULTILINE)


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


@pytest.mark.parametrize(("path", "what", "body"), BODIES, ids=[each[1] for each in BODIES])
def test_a_body_that_is_shown_is_of_the_routes_shape(path: str, what: str, body: str) -> None:
    """Clues, moves and outcomes; supervision models and offices are the demo's."""
    demo = load_jurisdiction("anhui")
    shapes = {
        "clues": new_clues_request(demo),
        "transitions": transition_request(demo),
        "outcomes": OutcomesRequest,
    }
    read = parse_message(shapes[what], body.encode())
    offices = load_offices(demo.folder / "offices.yaml").by_id
    models = {each.name for each in load_supervision_models(demo)}
    for clue in getattr(read, "clues", ()):
        assert clue.office_id in offices
        assert clue.supervision_model in models


def test_the_document_shows_a_body_of_each_of_them() -> None:
    """Were none found, nothing would be tested."""
    assert {what for _, what, _ in BODIES} == {"clues", "transitions", "outcomes"}
