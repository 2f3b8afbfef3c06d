"""OpenLineage: what was admitted and raised is told, in the standard's shape, without a value."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import hamlet
import pytest
from typer.testing import CliRunner

from base.moment import FixedClock
from cli.main import app
from governance.home import Home
from governance.jurisdiction import load_jurisdiction
from governance.openlineage import Dataset, tell_run

DEATHS = "person_id,died_on,reported_on\nsomebody,2024-02-01,2024-03-01\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    hamlet.write_hamlet(tmp_path / "hamlet")
    return Home.create(tmp_path / "home", load_jurisdiction(tmp_path / "hamlet"))


@pytest.fixture
def collector() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that keeps what it is sent."""
    came: list[dict[str, Any]] = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if self.path == "/broken" else 201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Keep)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", came
    server.shutdown()
    server.server_close()


def test_admitting_and_raising_are_told_in_a_file(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inputs, outputs, columns and counts; no value of a record."""
    events_file = tmp_path / "lineage" / "events.jsonl"
    monkeypatch.setenv("CLUES_OPENLINEAGE", str(events_file))
    (tmp_path / "deaths.csv").write_text(DEATHS, "utf-8")
    where = ["--home", str(home.path)]
    for words in (["admit", "deaths", str(tmp_path / "deaths.csv")],) * 2 + (
        ["raise", "--until", "2024-04-01"],
    ):
        assert CliRunner().invoke(app, [*words, *where, "--json"]).exit_code == 0
    text = events_file.read_text("utf-8")
    first, again, raised = map(json.loads, text.splitlines())
    assert first["job"] == {"namespace": "clues:hamlet", "name": "admit.deaths"}
    assert first["run"] == again["run"] != raised["run"]
    assert [each["name"] for each in first["inputs"]] == ["deaths.csv"]
    [written] = first["outputs"]
    assert written["outputFacets"]["outputStatistics"]["rowCount"] == 1
    assert again["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 0
    fields = [each["name"] for each in written["facets"]["schema"]["fields"]]
    assert fields == ["person_id", "died_on", "reported_on"]
    assert [each["name"] for each in raised["inputs"]] == ["deaths", "payments"]
    assert raised["outputs"][0]["name"] == "clues"
    assert raised["eventTime"].endswith("+08:00")
    assert "somebody" not in text


def told(home: Home) -> str:
    clock = FixedClock(datetime(2026, 1, 2))
    written = [Dataset("deaths", {"person_id": "string"}, 1)]
    return tell_run(home.jurisdiction, "admit.deaths", "b", clock, inputs=[], outputs=written)


def test_events_are_sent_to_an_address(
    home: Home,
    collector: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Posted as JSON, one each."""
    address, came = collector
    monkeypatch.setenv("CLUES_OPENLINEAGE", f"{address}/api/v1/lineage")
    assert told(home) == ""
    assert [each["eventType"] for each in came] == ["COMPLETE"]


@pytest.mark.parametrize("path", ["/broken", ":1/"])
def test_a_collector_that_fails_changes_nothing(
    home: Home,
    collector: tuple[str, list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    """Why is returned, for the person at the terminal, and that is all."""
    address = collector[0] if path == "/broken" else "http://127.0.0.1"
    monkeypatch.setenv("CLUES_OPENLINEAGE", address + path)
    assert told(home).startswith("OpenLineage: admit.deaths was not told")


def test_without_the_setting_nothing_is_told(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file, no import of a client."""
    monkeypatch.delenv("CLUES_OPENLINEAGE", raising=False)
    assert told(home) == ""
    assert not list(tmp_path.rglob("*.jsonl"))
