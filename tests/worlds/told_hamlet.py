"""The hamlet with ended clues and classified columns, scored and served."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import hamlet
import pyarrow as pa
from fastapi.testclient import TestClient
from hamlet_scorer import write_hamlet_bundle

from base.moment import FixedClock
from base.progress import silent
from clues.register import read_clues
from dispatch.score_clues import score_clues
from governance.home import Home
from governance.intake import admit_table
from scoring.champion import write_champion
from serving.app import create_app
from serving.keys import create
from serving.service import Service

NOON = datetime(2026, 1, 2, 12)
SCORED_AT = datetime(2024, 8, 1)


def ended(home: Home, offices: Sequence[str], reported: datetime) -> pa.Table:
    """Outcomes of every second clue of these offices, every fourth a case."""
    rows = [row for row in read_clues(home).to_pylist() if row["office_id"] in offices]
    rows = sorted(rows, key=lambda row: row["subject_id"])[::2]
    filed = [at % 2 == 0 for at in range(len(rows))]
    return pa.table(
        {
            "clue_id": [row["clue_id"] for row in rows],
            "status": ["case_filed" if each else "unfounded" for each in filed],
            "decided_at": [reported.date()] * len(rows),
            "reported_at": [reported.date()] * len(rows),
            "became_case": pa.array([int(each) for each in filed], pa.int64()),
            "supervision_model": [row["supervision_model"] for row in rows],
            "function": [row["function"] for row in rows],
            "agency_id": [row["agency_id"] for row in rows],
        }
    )


def classify(home: Home) -> Home:
    """Identity numbers of payments, the subject and the amount may not be read by everybody."""
    folder = home.jurisdiction.folder
    contract = folder / "records" / "payments.odcs.yaml"
    plain = "{name: person_id, logicalType: string, required: true}"
    text = contract.read_text("utf-8")
    assert plain in text
    classified = plain.replace("}", ", classification: restricted}")
    contract.write_text(text.replace(plain, classified), "utf-8")
    manifest = folder / "jurisdiction.yaml"
    text = manifest.read_text("utf-8").replace(
        "type: integer, title: {zh: 金额",
        "type: integer, classification: restricted, title: {zh: 金额",
    )
    manifest.write_text(text + "subject_classification: personal\n", "utf-8")
    return Home.open(home.path)


def score_all(home: Home) -> None:
    """Score the open clues as of SCORED_AT."""
    score_clues(
        home,
        SCORED_AT,
        output=home.path / "scores.parquet",
        chosen=None,
        reasons=3,
        language="zh",
        clock=FixedClock(NOON),
        stages=silent(),
    )


def told_hamlet(folder: Path) -> Home:
    """Clues of both offices; some of A ended before the others were scored. A champion serves."""
    clock = FixedClock(NOON)
    home = hamlet.settled_hamlet(folder, clock)
    digest = write_hamlet_bundle(home)
    write_champion(home.scorers, digest, by="Li", approved_by="Wang", at=NOON)
    admit_table(home, "outcomes", ended(home, ["A"], datetime(2024, 7, 15)), clock)
    score_all(home)
    return classify(home)


class Asking:
    """A client of a home, with a key per role and office."""

    def __init__(self, home: Home) -> None:
        self.home = home
        app = create_app(home)
        self.service: Service = app.state.service
        self.client = TestClient(app, raise_server_exceptions=False)

    def key(self, role: str, office: str | None = None) -> dict[str, str]:
        """Headers of a new key."""
        made = create(self.service.ledger, role=role, office_id=office, clock=FixedClock(NOON))
        return {"authorization": f"Bearer {made['key']}"}

    def clue_of(self, person: str) -> str:
        """The id of a person's one clue."""
        rows = read_clues(self.home).to_pylist()
        return str(next(row["clue_id"] for row in rows if row["subject_id"] == person))
