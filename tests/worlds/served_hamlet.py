"""A hamlet behind a test client: scored clues, a champion, keys for each role."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import hamlet
from fastapi.testclient import TestClient
from hamlet_scorer import write_hamlet_bundle

from base.moment import FixedClock
from base.progress import silent
from dispatch.score_clues import score_clues
from governance.home import Home
from scoring.champion import write_champion
from serving.app import create_app
from serving.keys import create
from serving.service import Service

NOON = datetime(2026, 1, 2, 12)
SCORED_AT = datetime(2024, 8, 1)


@dataclass(frozen=True)
class Served:
    """A home behind a test client."""

    home: Home
    client: TestClient
    service: Service
    _keys: dict[tuple[str, str | None], dict[str, str]] = field(default_factory=dict)

    def key(self, role: str, office: str | None = None, **more: Any) -> dict[str, str]:
        """Headers of a new key."""
        clock = FixedClock(NOON)
        made = create(self.service.ledger, role=role, office_id=office, clock=clock, **more)
        return {"authorization": f"Bearer {made['key']}"}

    def kept_key(self, role: str, office: str | None = None) -> dict[str, str]:
        """The same headers each time."""
        if (role, office) not in self._keys:
            self._keys[role, office] = self.key(role, office)
        return self._keys[role, office]


def serve_hamlet(folder: Path, persons: int = 12) -> Served:
    """Make the whole of it in a new folder."""
    clock = FixedClock(NOON)
    home = hamlet.settled_hamlet(folder, clock, persons)
    digest = write_hamlet_bundle(home)
    write_champion(home.scorers, digest, by="Li", approved_by="Wang", at=NOON)
    score_clues(
        home,
        SCORED_AT,
        output=home.path / "scores.parquet",
        chosen=None,
        reasons=3,
        language="zh",
        clock=clock,
        stages=silent(),
    )
    app = create_app(home)
    return Served(home, TestClient(app, raise_server_exceptions=False), app.state.service)
