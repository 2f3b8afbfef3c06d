"""Shadow scores: what a challenger would have said beside the champion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from scoring.ledger.tables import shadow_scores


@dataclass(frozen=True)
class ShadowScore:
    """What the challenger would have said beside a score that was given."""

    clue_id: str
    moment: datetime
    champion: str
    champion_margin: float
    challenger: str
    challenger_margin: float
    dropped_before: int
    given_at: datetime


def record_shadow(engine: sa.Engine, given: Iterable[ShadowScore]) -> int:
    """Keep shadow scores in one transaction; returns how many."""
    rows = [dict(vars(score)) for score in given]
    if rows:
        with engine.begin() as connection:
            connection.execute(sa.insert(shadow_scores), rows)
    return len(rows)


def newest_shadow(engine: sa.Engine, champion: str, challenger: str) -> list[dict[str, Any]]:
    """clue_id, moment, both margins and given_at of each clue's newest shadow score of the pair."""
    pair = (shadow_scores.c.champion == champion) & (shadow_scores.c.challenger == challenger)
    newest = (
        sa.select(sa.func.max(shadow_scores.c.shadow_id))
        .where(pair)
        .group_by(shadow_scores.c.clue_id)
    )
    wanted = ("clue_id", "moment", "champion_margin", "challenger_margin", "given_at")
    query = sa.select(*(shadow_scores.c[name] for name in wanted)).where(
        shadow_scores.c.shadow_id.in_(newest)
    )
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def shadow_counts(engine: sa.Engine, challenger: str) -> dict[str, int]:
    """How many shadow scores of a challenger are kept, and how many clues were left out."""
    query = sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(shadow_scores.c.dropped_before), 0)
    ).where(shadow_scores.c.challenger == challenger)
    with engine.connect() as connection:
        scored, dropped = connection.execute(query).one()
    return {"scored": int(scored), "dropped": int(dropped)}
