"""Scores told to a caller, as the ledger keeps them: enough to give each again (P-5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, overload

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


class GivenRows(Sequence[GivenScore]):
    """The same for rows that never were a table, all of whole clues. Made where they are kept: no
    reply waits for it, only for what comes of it."""

    def __init__(
        self,
        scorer: Scorer,
        clues: list[dict[str, Any]],
        scored: ScoredRows,
        versions: dict[str, int],
        given_at: datetime,
    ) -> None:
        self._scorer, self._clues, self._scored = scorer, clues, scored
        self._versions, self._given_at = versions, given_at

    def __len__(self) -> int:
        return len(self._clues)

    @overload
    def __getitem__(self, at: int) -> GivenScore: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[GivenScore]: ...
    def __getitem__(self, at: int | slice) -> GivenScore | Sequence[GivenScore]:
        if isinstance(at, slice):
            return [self._given(each) for each in range(*at.indices(len(self)))]
        return self._given(range(len(self))[at])

    def _given(self, at: int) -> GivenScore:
        scores, explanation, clue = self._scored.scores, self._scored.explanation, self._clues[at]
        return GivenScore(
            clue_id=clue["clue_id"],
            office_id=clue["office_id"],
            moment=clue["raised_at"],
            scorer=self._scorer.digest,
            features_fingerprint=self._scorer.manifest.features_fingerprint,
            versions=self._versions,
            margin=float(scores.margin[at]),
            probability=float(scores.probability[at]),
            base=float(explanation.base[at]),
            feature_values=self._scored.values[at],
            contributions=explanation.contributions[at],
            flags=scores.flags[at],
            given_at=self._given_at,
            purpose="asked",
            given_clue=_held(clue),
        )


def _held(clue: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in clue.items() if value is not None}
