"""Figures, logs and traces: what is told of a request, and that nothing of its content is."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY
from starlette.testclient import TestClient
from tiny_scorer import write_tiny_bundle

from base.errors import NotReady
from scoring.scorer import Scorer, Scores
from serving import logs
from serving.logs import JsonLines
from serving.metrics import Inputs, note_champion
from serving.traces import tracer_by
from serving.watched import Answered, Watched

ROOT = Path(__file__).resolve().parents[2]


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_fault_in_the_service_is_counted_as_500_and_its_span_ends() -> None:
    """Whatever goes wrong, the request is told of once: in figures, the log and a trace."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))

    async def broken(*_: Any) -> None:
        raise RuntimeError("SECRET")

    before = figure("clues_requests_total", route="-", method="-", status="500")
    app = Watched(broken, provider.get_tracer("test"))
    with structlog.testing.capture_logs() as lines, pytest.raises(RuntimeError):
        TestClient(app).get("/SECRET?SECRET=1")
    assert figure("clues_requests_total", route="-", method="-", status="500") == before + 1
    assert [(line["event"], line["route"], line["status"]) for line in lines] == [
        ("request", "-", 500)
    ]
    (span,) = kept.get_finished_spans()
    assert "SECRET" not in str(lines) + span.to_json()


def test_a_span_names_the_route_and_the_status() -> None:
    """The template, never the address."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))

    async def found(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = SimpleNamespace(path="/v1/clues/{clue_id}")
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    reply = TestClient(Watched(found, provider.get_tracer("test"))).get("/v1/clues/SECRET")
    (span,) = kept.get_finished_spans()
    assert span.name == "GET /v1/clues/{clue_id}"
    assert span.attributes["http.response.status_code"] == 204
    assert len(reply.headers["x-request-id"]) == 16
    assert "SECRET" not in span.to_json()


def test_what_the_quick_way_answered_is_told_of_as_by_a_route() -> None:
    """Counted, logged and traced once each, with the same names."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    labels = {"route": "/v1/scores", "method": "POST", "status": "200"}
    before = figure("clues_requests_total", **labels)
    answered = Answered("/v1/scores", "POST", provider.get_tracer("test"))

    async def noted() -> None:
        answered.note(0.25, "ab")

    with structlog.testing.capture_logs() as lines:
        asyncio.run(noted())
    assert figure("clues_requests_total", **labels) == before + 1
    told = {"event": "request", "log_level": "info", "seconds": 0.25, "request_id": "ab"}
    assert lines == [{**labels, **told, "status": 200}]
    (span,) = kept.get_finished_spans()
    assert (span.name, span.end_time - span.start_time) == ("POST /v1/scores", 250_000_000)


def test_lines_of_one_turn_are_written_together_and_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the loop has come round once, every line is out, in the order of the replies."""
    written: list[bytes] = []

    class Kept(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            written.append(bytes(data))
            return len(data)

    monkeypatch.setattr(logs, "_lines", [io.BufferedWriter(Kept())])
    answered = Answered("/v1/scores", "POST")

    async def turns() -> None:
        for first in (0, 3):
            for at in range(first, first + 3):
                answered.note(0.1, f"id{at}")
            await asyncio.sleep(0)

    asyncio.run(turns())
    told = [[orjson.loads(line)["request_id"] for line in part.splitlines()] for part in written]
    assert told == [["id0", "id1", "id2"], ["id3", "id4", "id5"]]


def test_without_an_endpoint_nothing_of_opentelemetry_is_loaded_by_us() -> None:
    """And with one, but without the extra, the start says what is missing."""
    assert tracer_by(None) is None
    code = "import serving.traces, sys; print('opentelemetry' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "False"


def test_traces_wanted_without_the_extra_are_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cure names the extra."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(NotReady, match=r"\.\[otel\]"):
        tracer_by("http://127.0.0.1:4318/v1/traces")


def test_what_a_library_logs_of_an_error_is_its_kind_only() -> None:
    """A traceback's last line may hold what a caller sent."""
    try:
        raise ValueError("SECRET")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "went wrong", (), sys.exc_info())
    told = json.loads(JsonLines().format(record))
    assert told == {"event": "fault", "kind": "ValueError", "logger": "x", "level": "error"}
    plain = logging.LogRecord("x", logging.INFO, "f", 1, "started %d", (7,), None)
    assert json.loads(JsonLines().format(plain))["event"] == "started 7"


def test_drift_is_the_largest_change_of_a_missing_share(tmp_path: Path) -> None:
    """None while inputs are missing as in training; all of it once a feed has stopped."""
    digest = write_tiny_bundle(tmp_path)
    scorer = Scorer.load(tmp_path / digest, digest)
    trained = np.array([feature.missing_share for feature in scorer.manifest.features])
    inputs, draw = Inputs(scorer), np.random.default_rng(1)
    given = Scores(np.zeros(10), np.full(10, 0.04), [["missing:amount"]] + [[]] * 9)
    bands = figure("clues_scores_total", band="0.05"), figure("clues_flags_total", flag="missing")
    for _ in range(300):
        inputs.note(given, draw.random((10, 3)) < trained)
    assert figure("clues_missing_drift") < 0.1
    assert figure("clues_scores_total", band="0.05") == bands[0] + 3_000
    assert figure("clues_flags_total", flag="missing") == bands[1] + 300
    stopped = np.zeros((10, 3), bool)
    stopped[:, 0] = True
    for _ in range(500):
        inputs.note(given, stopped)
    assert figure("clues_missing_drift") > 0.9


def test_one_scorer_at_a_time_is_told_as_champion() -> None:
    """The one before is put to 0."""
    note_champion("a" * 64, None)
    note_champion("b" * 64, "a" * 64)
    assert figure("clues_champion", scorer="a" * 64) == 0
    assert figure("clues_champion", scorer="b" * 64) == 1
