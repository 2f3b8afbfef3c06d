"""/ready names what it answers with: scorer, explainer, ledger, registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from served_hamlet import Served


def test_without_a_registry_it_is_ready_and_says_so(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-9: no file of the store, and one at an address where nobody answers."""
    told = served.client.get("/ready").json()
    assert told["ready"] is True
    assert told["registry"].startswith("away")
    monkeypatch.setenv("CLUES_TRACKING_URI", "http://127.0.0.1:9")
    reply = served.client.get("/readyz")
    assert reply.status_code == 200
    assert reply.json()["registry"].startswith("away")
    assert reply.json()["scorer"] == served.service.champion().digest


def test_it_names_the_engine_that_explains_and_the_ledgers_settings(standing: Served) -> None:
    """An operator sees whether the fast explainer works, and that the ledger is durable."""
    told = standing.client.get("/ready").json()
    assert told["explainer"]["engine"] in ("quadrature", "lightgbm")
    assert told["ledger"] == {"database": "sqlite", "journal": "wal", "synchronous": "2"}


def test_the_usual_names_of_both_answer_alike(standing: Served) -> None:
    """/livez is /live and /readyz is /ready."""
    for name in ("live", "ready"):
        first, second = (standing.client.get(f"/{name}{end}") for end in ("", "z"))
        assert first.status_code == second.status_code == 200
        assert first.json() == second.json()


def test_without_a_champion_it_is_not_ready_and_tells_the_cure(served: Served) -> None:
    """503; the process lives all the same."""
    (served.home.scorers / "champion.json").unlink()
    (served.home.scorers / "champions.jsonl").unlink()
    served.service.__dict__.pop("champions", None)
    reply = served.client.get("/ready")
    assert (reply.status_code, reply.json()["ready"]) == (503, False)
    assert "clues promote" in reply.json()["cure"]
    assert served.client.get("/live").status_code == 200
    assert Path(served.home.scorers).is_dir()
