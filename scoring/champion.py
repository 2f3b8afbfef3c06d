"""The champion: which scorer serves, written in the home, so that the service starts without a
registry (P-9). Every change names two persons and the scorer before.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from base.errors import NotReady, Refused
from scoring.bundle import check_bundle


@dataclass(frozen=True)
class Champion:
    """The scorer in use, and who put it there."""

    scorer: str
    by: str
    approved_by: str
    promoted_at: str
    previous: str | None


def read_champion(scorers: Path) -> Champion:
    """The champion of a home. Raises NotReady before the first promotion."""
    try:
        note = json.loads((scorers / "champion.json").read_text("utf-8"))
    except FileNotFoundError:
        raise NotReady(
            wanted="a champion scorer",
            got="none promoted yet",
            cure="run: clues train EXPERIMENT, then clues promote SCORER --by A --approved-by B",
        ) from None
    return Champion(**note)


def write_champion(
    scorers: Path, digest: str, *, by: str, approved_by: str, at: datetime
) -> Champion:
    """Put a checked bundle in use. Raises Refused unless two different persons stand for it."""
    if not by.strip() or by.strip().casefold() == approved_by.strip().casefold():
        raise Refused(
            wanted="two different persons: one proposes, another approves",
            got="the same name, or none",
            cure="let a second person approve",
        )
    check_bundle(scorers / digest, digest)
    try:
        previous = read_champion(scorers).scorer
    except NotReady:
        previous = None
    champion = Champion(digest, by, approved_by, at.isoformat(), previous)
    draft = scorers / "champion.json.new"
    draft.write_text(json.dumps(asdict(champion), ensure_ascii=False, indent=1) + "\n", "utf-8")
    draft.replace(scorers / "champion.json")  # atomic, over the old one
    return champion
