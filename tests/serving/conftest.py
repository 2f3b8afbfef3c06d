"""A hamlet that serves: scored clues, a champion, keys for each role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import hamlet
import pytest
from fastapi.testclient import TestClient
from hamlet_scorer import write_hamlet_bundle

from base.moment import FixedClock
from base.progress import silent
from dispatch.scoring_run import score_clues
from governance.home import Home
from scoring.champion import write_champion
from serving.app import create_app
from serving.keys import create
from serving.service import Service

NOON = datetime(2026, 1, 2, 12)


@dataclass(frozen=True)
class Served:
    """A home behind a test client."""

    home: Home
    client: TestClient
    service: Service

    def key(self, role: str, office: str | None = None) -> dict[str, str]:
        """Headers of a new key."""
        made = create(self.service.ledger, role=role, office_id=office, clock=FixedClock(NOON))
        return {"authorization": f"Bearer {made['key']}"}


@pytest.fixture
def served(tmp_path: Path) -> Served:
    clock = FixedClock(NOON)
    home = hamlet.settled_hamlet(tmp_path, clock)
    digest = write_hamlet_bundle(home)
    write_champion(home.scorers, digest, by="Li", approved_by="Wang", at=NOON)
    score_clues(
        home,
        datetime(2024, 8, 1),
        output=home.path / "scores.parquet",
        chosen=None,
        reasons=3,
        language="zh",
        clock=clock,
        stages=silent(),
    )
    app = create_app(home)
    return Served(home, TestClient(app, raise_server_exceptions=False), app.state.service)
