"""Promotion: one person proposes, another approves; then the bundle serves."""

from __future__ import annotations

from typing import Any

from base.moment import Clock
from governance.home import Home
from scoring.bundle import find_digest
from scoring.champion import write_champion
from scoring.registry import alias_champion
from scoring.trial import try_bundle


def promote(home: Home, scorer: str, *, by: str, approved_by: str, clock: Clock) -> dict[str, Any]:
    """Try the bundle in a process of its own, put it in use, then tell the registry.

    `scorer` is a digest or its beginning. Raises NotFound, or Refused where the two persons are
    one or the bundle fails its trial; then the champion stays.
    """
    digest = find_digest(home.scorers, scorer)
    try_bundle(home.scorers / digest, digest)
    champion = write_champion(home.scorers, digest, by=by, approved_by=approved_by, at=clock.now())
    alias_champion(home, digest)
    return {"champion": champion.scorer, "previous": champion.previous}
