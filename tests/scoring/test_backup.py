"""A home saved in use and brought back gives the same queue, scores, reasons and proofs."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from ledgers import new_url
from served_hamlet import Served, serve_hamlet

from base.errors import NotFound, NotReady, Refused
from base.moment import FixedClock
from dispatch.transition import move
from governance.home import Home
from scoring.audit import verify
from scoring.backup import backup, restore
from scoring.checkpoint import make_checkpoint, read_checkpoints
from scoring.ledger import metadata, open_ledger
from scoring.ledger.scores import scores_of
from scoring.recompute import recompute
from serving.app import create_app

NOON = datetime(2026, 1, 2, 12)


@pytest.fixture(params=["sqlite", "postgres"])
def served(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Served:
    """Two clues on their way, a checkpoint; the ledger on either database."""
    if request.param == "postgres":
        url = new_url("postgres", tmp_path, request.getfixturevalue("postgres"))
        monkeypatch.setenv("CLUES_LEDGER_URL", url)
    made = serve_hamlet(tmp_path / "made", persons=6)
    ledger = made.service.ledger
    clue = _queue(made)["clues"][0]["clue_id"]
    asked: dict[str, Any] = {"by": "k", "role": "dispatcher", "offices": None, "expects": None}
    move(ledger, clue, "triaged", clock=FixedClock(NOON), idempotency_key="k1", **asked)
    make_checkpoint(ledger, made.home.audit, tmp_path / "outside.jsonl", FixedClock(NOON))
    return made


def _queue(served: Served) -> Any:
    return served.client.get("/v1/queue", headers=served.kept_key("dispatcher")).json()


def _rows(ledger: sa.Engine) -> dict[str, list[Any]]:
    with ledger.connect() as connection:
        return {
            table.name: sorted(map(str, connection.execute(sa.select(table)).mappings()))
            for table in metadata.sorted_tables
        }


def test_a_restored_home_tells_the_same(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    """Queue, reasons, idempotent replies, recomputed bits, audit against an outside checkpoint."""
    before = _queue(served)
    told = backup(served.home, tmp_path / "saved", FixedClock(NOON))
    rows = _rows(served.service.ledger)
    assert told["ledger_rows"] == sum(len(each) for each in rows.values())
    if "CLUES_LEDGER_URL" in __import__("os").environ:
        other = new_url("postgres", tmp_path, request.getfixturevalue("postgres"))
        monkeypatch.setenv("CLUES_LEDGER_URL", other)
    restore(tmp_path / "saved", tmp_path / "back")
    home = Home.open(tmp_path / "back")
    ledger = open_ledger(home.ledger_url)
    assert _rows(ledger) == rows
    client = TestClient(create_app(home), raise_server_exceptions=False)
    headers = served.kept_key("dispatcher")
    assert client.get("/v1/queue", headers=headers).json() == before
    clue = before["clues"][0]["clue_id"]
    again = recompute(home, scores_of(ledger, clue))
    assert again
    assert all(each.same for each in again)
    marks = read_checkpoints(tmp_path / "outside.jsonl", home.audit / "audit.pub")
    assert verify(ledger, marks, deep=True).ok
    asked = {"to": "withdrawn", "expects": "scored", "reason": "corrected"}
    path = f"/v1/clues/{before['clues'][1]['clue_id']}/transitions"
    moved = client.post(path, content=json.dumps(asked), headers=headers)
    assert moved.status_code == 200, moved.text
    assert verify(ledger, marks, deep=True).ok


def test_a_damaged_backup_is_refused_by_the_names_of_its_files(
    tmp_path: Path, clock: FixedClock
) -> None:
    """A changed file, a missing one; a folder that holds anything; a folder that is no backup."""
    served = serve_hamlet(tmp_path / "made", persons=2)
    backup(served.home, tmp_path / "saved", clock)
    with pytest.raises(NotReady):
        backup(served.home, tmp_path / "saved", clock)
    with pytest.raises(NotReady):
        restore(tmp_path / "saved", served.home.path)
    with pytest.raises(NotFound):
        restore(tmp_path / "made", tmp_path / "back")
    (tmp_path / "saved" / "ledger.db").write_bytes(b"another")
    (tmp_path / "saved" / "home.json").unlink()
    with pytest.raises(Refused) as told:
        restore(tmp_path / "saved", tmp_path / "back")
    assert {fault.where for fault in told.value.faults} == {"ledger.db", "home.json"}
    assert not (tmp_path / "back").exists()
