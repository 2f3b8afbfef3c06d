"""Any past score once more: from clue, scorer, moment and table versions to the same bits (P-5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

import pyarrow as pa

from base.errors import NotFound, Refused
from clues.clue import asked_schema, clue_asked_at
from clues.register import read_clues
from features.declared import declared_features
from features.table import build_features
from governance.home import Home
from governance.reading import Records
from scoring.ledger import GivenScore
from scoring.ledger.chain import canonical
from scoring.scorer import Scorer


@dataclass(frozen=True)
class Recomputed:
    """A score computed anew. `same`: margin, base and every contribution, bit for bit, and the
    probability to the last of the digits it is rounded to."""

    clue_id: str
    margin: float
    probability: float
    base: float
    contributions: list[float]
    same: bool


def recompute(home: Home, given: Sequence[GivenScore], *, threads: int = 1) -> list[Recomputed]:
    """Each score from the records as they were, in the order given.

    Raises NotFound where a clue is nowhere, Refused where features.yaml is another by now.
    """
    found: dict[int, Recomputed] = {}
    places = sorted(range(len(given)), key=lambda at: _question(given[at]))
    for _, group in groupby(places, key=lambda at: _question(given[at])):
        chosen = list(group)
        scores = [given[at] for at in chosen]
        found |= dict(zip(chosen, _together(home, scores, threads), strict=True))
    return [found[at] for at in range(len(given))]


def _question(score: GivenScore) -> tuple[str, str, bytes]:
    return score.scorer, score.features_fingerprint, canonical(score.versions)


def _together(home: Home, scores: list[GivenScore], threads: int) -> list[Recomputed]:
    """Scores of one scorer over one state of the records."""
    first = scores[0]
    scorer = Scorer.load(home.scorers / first.scorer, first.scorer, threads)
    definitions = declared_features(home)
    if definitions.fingerprint != first.features_fingerprint:
        raise Refused(
            wanted=f"feature definitions {first.features_fingerprint[:12]}",
            got=definitions.fingerprint[:12],
            cure="restore the features.yaml of that time",
        )
    with Records(home, first.versions) as records:
        rows = build_features(definitions, _clues(home, scores), records, threads=threads)
    scores_anew, explained = scorer.score(rows), scorer.explain(rows)
    margins, probabilities = scores_anew.margin.tolist(), scores_anew.probability.tolist()
    told = []
    for at, score in enumerate(scores):
        values = explained.contributions[at]
        base = float(explained.base[at])
        same = (
            margins[at] == score.margin
            and probabilities[at] == score.probability
            and base == score.base
            and values.tobytes() == score.contributions.tobytes()
        )
        told.append(
            Recomputed(score.clue_id, margins[at], probabilities[at], base, values.tolist(), same)
        )
    return told


def _clues(home: Home, scores: list[GivenScore]) -> pa.Table:
    """The clues as they were asked about: their own columns, at the moment of each score."""
    stored = {
        row["clue_id"]: row
        for row in read_clues(home, {each.clue_id for each in scores}).to_pylist()
    }
    schema = asked_schema(home.jurisdiction)
    rows: list[dict[str, Any]] = []
    for score in scores:
        row = score.given_clue or stored.get(score.clue_id)
        if row is None:
            raise NotFound(wanted="a clue of the register", got="none", cure="check the clue's id")
        rows.append(clue_asked_at(_typed(row, schema), score.moment))
    return pa.Table.from_pylist(rows, schema=schema)


def _typed(row: dict[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Times that were kept as text, as times again."""
    typed = dict(row)
    for name, value in row.items():
        if isinstance(value, str) and name in schema.names:
            kind = schema.field(name).type
            if pa.types.is_timestamp(kind):
                typed[name] = datetime.fromisoformat(value)
            elif pa.types.is_date(kind):
                typed[name] = date.fromisoformat(value)
    return typed
