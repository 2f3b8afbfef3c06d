"""Clues scored: features, champion, contributions, and a score told in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from base.bilingual import Language
from base.errors import NotFound, Refused
from base.settings import Settings
from clues.clue import clues_asked_at
from clues.register import read_clues
from features.declared import declared_features
from features.definition import FeatureSet
from features.table import build_features
from governance.home import Home
from governance.reading import Records
from scoring.champion import read_champion
from scoring.explanation import Explanation
from scoring.ledger import GivenScore, latest_score, open_ledger
from scoring.lines import Lines, scores_to_tell
from scoring.matrix import to_matrix
from scoring.scorer import Scorer, Scores
from scoring.telling import tell_given


@dataclass(frozen=True)
class ScoredClues:
    """Clues with features, scores and contributions; all tables and arrays are parallel."""

    scorer: Scorer
    clues: pa.Table
    rows: pa.Table
    scores: Scores
    explanation: Explanation
    versions: dict[str, int]

    @cached_property
    def _columns(self) -> list[list[float | str | None]]:
        names = [feature.name for feature in self.scorer.manifest.features]
        return [self.rows[name].to_pylist() for name in names]

    def values(self, at: int) -> list[float | str | None]:
        """The inputs of one clue, in the manifest's order, categories by name."""
        return [column[at] for column in self._columns]


def load_champion(home: Home) -> Scorer:
    """The scorer in use. Raises NotReady before the first promotion."""
    digest = read_champion(home.scorers).scorer
    return Scorer.load(home.scorers / digest, digest, Settings().threads)


def score_at(home: Home, scorer: Scorer, clues: pa.Table, moment: datetime) -> ScoredClues:
    """Score clues as of `moment`, with every contribution.

    Raises Refused where a clue was raised only later (its own columns were not known then), or
    where the definitions are no longer those the scorer learned from.
    """
    asked, definitions = as_of(home, scorer, clues, moment)
    return score_rows(scorer, asked, *batch_rows(home, definitions, asked))


def as_of(
    home: Home, scorer: Scorer, clues: pa.Table, moment: datetime
) -> tuple[pa.Table, FeatureSet]:
    """The clues with `moment` as theirs, and the definitions of the scorer's features."""
    later = pc.sum(pc.greater(clues["raised_at"], pa.scalar(moment, pa.timestamp("us")))).as_py()
    if later:
        raise Refused(
            wanted=f"clues raised by {moment.isoformat()}",
            got=f"{later} raised later",
            cure="score them as of a later moment, or leave them out",
        )
    asked = clues_asked_at(clues, moment)
    definitions = declared_features(home)
    require_same_features(scorer, definitions.fingerprint)
    return asked, definitions


def batch_rows(
    home: Home, definitions: FeatureSet, clues: pa.Table
) -> tuple[pa.Table, dict[str, int]]:
    """The feature table of clues, each as of its own `raised_at`, and the versions it is of."""
    with Records(home) as records:
        rows = build_features(definitions, clues, records, threads=Settings().threads)
        return rows, dict(records.versions)


def score_rows(
    scorer: Scorer, clues: pa.Table, rows: pa.Table, versions: dict[str, int]
) -> ScoredClues:
    """Score clues whose feature table (parallel to `clues`) is there already."""
    return ScoredClues(scorer, clues, rows, scorer.score(rows), _explained(scorer, rows), versions)


def _explained(scorer: Scorer, rows: pa.Table) -> Explanation:
    """LightGBM explains one row or many, but divides by zero for none."""
    if rows.num_rows == 0:
        return Explanation(np.empty((0, len(scorer.manifest.features))), np.empty(0))
    return scorer.explain(rows)


def require_same_features(scorer: Scorer, fingerprint: str) -> None:
    """One definition when learning and when serving."""
    if scorer.manifest.features_fingerprint != fingerprint:
        raise Refused(
            wanted=f"feature definitions {scorer.manifest.features_fingerprint[:12]}",
            got=fingerprint[:12],
            cure="train and promote a scorer for the new definitions, or restore features.yaml",
        )


def explain_clue(home: Home, clue_id: str, *, language: Language, reasons: int) -> dict[str, Any]:
    """The newest score of a clue with its reasons, from the ledger alone.

    A clue that was never scored is scored at its own moment, and not kept.
    """
    try:
        given = latest_score(open_ledger(home.ledger_url), clue_id)
    except NotFound:
        return _explain_unscored(home, clue_id, language, reasons)
    scorer = Scorer.load(home.scorers / given.scorer, given.scorer)
    return tell_score(given, scorer, language, reasons)


def tell_score(
    given: GivenScore, scorer: Scorer, language: Language, reasons: int
) -> dict[str, Any]:
    """A score from the ledger in words; nothing is computed anew."""
    return tell_given(given, scorer, language, reasons)


def given_scores(scored: ScoredClues, given_at: datetime) -> Iterable[GivenScore]:
    """The ledger's rows of a scored batch."""
    offices = scored.clues["office_id"].to_pylist()
    moments = scored.clues["raised_at"].to_pylist()
    for at, clue_id in enumerate(scored.clues["clue_id"].to_pylist()):
        yield GivenScore(
            clue_id=clue_id,
            office_id=offices[at],
            moment=moments[at],
            scorer=scored.scorer.digest,
            features_fingerprint=scored.scorer.manifest.features_fingerprint,
            versions=scored.versions,
            margin=float(scored.scores.margin[at]),
            probability=float(scored.scores.probability[at]),
            base=float(scored.explanation.base[at]),
            feature_values=scored.values(at),
            contributions=scored.explanation.contributions[at],
            flags=scored.scores.flags[at],
            given_at=given_at,
        )


def lines_of(scored: ScoredClues, reasons: int, language: Language) -> list[dict[str, Any]]:
    """Every clue's score and reasons, plain values."""
    features = scored.scorer.manifest.features
    values = [scored.values(at) for at in range(scored.clues.num_rows)]
    told = scores_to_tell(
        scored.scorer,
        scored.clues["clue_id"].to_pylist(),
        scored.scores,
        scored.explanation,
        to_matrix(features, scored.rows),
        values,
        scored.clues["raised_at"].to_pylist(),
        reasons,
    )
    lines = Lines(features, language)
    return [orjson.loads(lines.of(each, reasons)) for each in told]


def _explain_unscored(home: Home, clue_id: str, language: Language, reasons: int) -> dict[str, Any]:
    clues = read_clues(home, [clue_id])
    if clues.num_rows == 0:
        raise NotFound(wanted="a clue", got="no such clue", cure="check the clue's id")
    scorer = load_champion(home)
    scored = score_at(home, scorer, clues, clues["raised_at"][0].as_py())
    moment = clues["raised_at"][0].as_py().isoformat()
    return {**lines_of(scored, reasons, language)[0], "scorer": scorer.digest, "moment": moment}
