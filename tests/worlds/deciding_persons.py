"""Data scientists who decide about scorers by the console's pages."""

from __future__ import annotations

import json
import re
from typing import Any

from served_hamlet import Served

from scoring.champion import read_champion


def weigh(served: Served, digest: str, *, passed: bool) -> None:
    """What `clues weigh` keeps."""
    reason = {
        "rule": "calibration",
        "passed": passed,
        "title": {"zh": "概率校准", "en": "calibration"},
        "wanted": {"zh": "至多0.05", "en": "at most 0.05"},
        "got": {"zh": "0.09", "en": "0.09"},
    }
    champion = read_champion(served.home.scorers).scorer
    note = {"scorer": digest, "champion": champion, "passed": passed, "reasons": [reason]}
    served.home.proposals.mkdir(exist_ok=True)
    (served.home.proposals / f"{digest}.json").write_text(json.dumps(note), "utf-8")


class Person:
    """A data scientist at the pages of one scorer."""

    def __init__(self, served: Served, holder: str, **more: Any) -> None:
        self.served, self.token = served, ""
        self.key = served.key("data_scientist", holder=holder, **more)["authorization"].split()[1]

    def page(self, digest: str) -> str:
        return str(
            self.served.client.get(
                f"/console/scorers/{digest}?language=en", headers=self.shown
            ).text
        )

    @property
    def shown(self) -> dict[str, str]:
        return {"cookie": f"clues_key={self.key}"}

    def send(self, digest: str, step: str, why: str = "", token: str = "") -> Any:
        if not self.token:
            self.token = re.findall(r'name="token" value="([0-9a-f]{64})"', self.page(digest))[0]
        return self.served.client.post(
            f"/console/scorers/{digest}/promotion?language=en",
            data={"token": token or self.token, "step": step, "why": why},
            headers=self.shown,
            follow_redirects=False,
        )
