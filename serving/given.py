"""Scores told to a caller, as the ledger keeps them: enough to give each again (P-5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from dispatch.scoring_run import ScoredClues, given_scores
from scoring.ledger import GivenScore
from scoring.rows import ScoredRows
from scoring.scorer import Scorer


def given_to_caller(
    scored: ScoredClues, whole: list[bool], given_at: datetime
) -> Iterator[GivenScore]:
    """The scores of a request, clue by clue; `whole`: it brought its own columns."""
    rows = scored.clues.to_pylist()
    for at, given in enumerate(given_scores(scored, given_at)):
        clue = _held(rows[at]) if whole[at] else None
        yield replace(given, purpose="asked", given_clue=clue)


def given_rows(
    scorer: Scorer,
    clues: list[dict[str, Any]],
    scored: ScoredRows,
    versions: dict[str, int],
    given_at: datetime,
) -> list[GivenScore]:
    """The same for rows that never were a table, all of whole clues."""
    scores, explanation = scored.scores, scored.explanation
    return [
        GivenScore(
            clue_id=clue["clue_id"],
            office_id=clue["office_id"],
            moment=clue["raised_at"],
            scorer=scorer.digest,
            features_fingerprint=scorer.manifest.features_fingerprint,
            versions=versions,
            margin=float(scores.margin[at]),
            probability=float(scores.probability[at]),
            base=float(explanation.base[at]),
            feature_values=scored.values[at],
            contributions=explanation.contributions[at],
            flags=scores.flags[at],
            given_at=given_at,
            purpose="asked",
            given_clue=_held(clue),
        )
        for at, clue in enumerate(clues)
    ]


def _held(clue: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in clue.items() if value is not None}
