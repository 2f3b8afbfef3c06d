"""Drift of the inputs and of the scores: clues raised of late beside the training rows.

Both sides are as of the raising of each clue, for that is where a scorer learned: the scores of a
queue are all of one moment, and would differ from any training row by their age alone. Clues count
whether they were scored or not and whatever became of them, as they do in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from clues.register import read_clues
from features.slices import micros
from governance.home import Home
from governance.pseudonyms import told_apart
from scoring.at_raising import rows_at_raising
from scoring.bundle import Manifest, read_manifest, read_reference
from scoring.drift import Reference, reference_of, score_reference, stretches_of
from scoring.ledger import clue_states
from scoring.scorer import Scorer, table_of_rows
from serving.principal import Principal
from serving.service import Service

Ints = npt.NDArray[np.int64]
# The newest clues that are looked at; training rows, spread over their set; those that are scored
# again; the fewest rows of a bundle that may stand for a training set that is not kept.
DRIFT_CLUES = 5_000
TRAINING_ROWS, SCORED_ROWS, FEWEST_ROWS = 50_000, 2_000, 100
UNKNOWN_CURE = "the scorer's training set is not kept in this home"


@dataclass(frozen=True)
class Learned:
    """Training rows of a scorer in bins, in the order of its features; when each was raised."""

    references: tuple[Reference, ...]
    moments: Ints


def raised_rows(
    service: Service, who: Principal, since: datetime, *, anew: bool = False
) -> pa.Table:
    """Feature rows of the newest clues raised since, as of their raising, that stand at the
    caller's offices."""
    clues = _raised(service, who, since)
    clues = clues.slice(max(0, clues.num_rows - DRIFT_CLUES))
    rows = rows_at_raising(
        service.home,
        service.definitions.fingerprint,
        clues,
        lambda asked: service.feature_rows(asked)[0],
        anew=anew,
    )
    # Training sets are kept so, too.
    return told_apart(service.home, rows, "data_scientist", "training")


def drift(service: Service, scorer: Scorer, rows: pa.Table) -> dict[str, Any]:
    """How far each feature of `rows` lies from the scorer's training rows; the furthest first."""
    told: dict[str, Any] = {"scores": rows.num_rows, "features": [], "moved": None}
    learned = _learned(service.home, scorer.digest)
    if learned is None:
        return {**told, "cure": UNKNOWN_CURE}
    if rows.num_rows == 0:
        return told
    stretches = stretches_of(learned.moments, _span(rows))
    for feature, reference in zip(scorer.manifest.features, learned.references, strict=True):
        found = reference.drift(rows[feature.name].to_pylist(), stretches)
        told["features"].append(
            {
                "feature": feature.name,
                "psi": round(found.index, 6),
                "usual": round(found.usual, 6),
                "state": found.state,
            }
        )
    told["features"].sort(key=lambda line: (-line["psi"], line["feature"]))
    told["moved"] = sum(line["state"] == "moved" for line in told["features"])
    return told


def score_drift(service: Service, scorer: Scorer, rows: pa.Table) -> dict[str, Any]:
    """The same of the margins that the scorer gives to both. What many features make together
    wanders little: `usual` is chance alone."""
    told: dict[str, Any] = {"scores": rows.num_rows, "psi": None, "usual": None, "state": None}
    reference = _learned_scores(service.home, scorer)
    if reference is None:
        return {**told, "cure": UNKNOWN_CURE}
    if rows.num_rows:
        found = reference.drift(scorer.score(rows).margin.tolist())
        told |= {"psi": round(found.index, 6), "usual": round(found.usual, 6)}
        told["state"] = found.state
    return told


def _raised(service: Service, who: Principal, since: datetime) -> pa.Table:
    """Clues raised since, by moment, that stand at the caller's offices; in a demo none that was
    brought in after the end of its data."""
    clues = read_clues(service.home)
    raised = pc.field("raised_at")
    chosen = raised >= pa.scalar(since, pa.timestamp("us"))
    if service.data_until is not None:
        chosen &= raised <= pa.scalar(service.data_until, pa.timestamp("us"))
    clues = clues.filter(chosen)
    if who.offices is None:
        return clues
    query = sa.select(clue_states.c.clue_id, clue_states.c.office_id)
    with service.ledger.connect() as connection:
        found = connection.execute(query.where(clue_states.c.raised_at >= since))
        stands = {row.clue_id: row.office_id for row in found}
    pairs = zip(clues["clue_id"].to_pylist(), clues["office_id"].to_pylist(), strict=True)
    own = [stands.get(clue, office) in who.offices for clue, office in pairs]
    return clues.filter(pa.array(own, pa.bool_()))


def _span(rows: pa.Table) -> int:
    """From the first raising to the last, in microseconds."""
    moments = micros(rows["moment"])
    return int(moments.max() - moments.min())


@lru_cache(maxsize=4)
def _learned(home: Home, digest: str) -> Learned | None:
    """None: the training set is not kept here."""
    manifest = read_manifest(home.scorers / digest)
    table = _training_rows(home, manifest, TRAINING_ROWS)
    if table is None:
        return None
    references = (reference_of(each, table[each.name].to_pylist()) for each in manifest.features)
    return Learned(tuple(references), micros(table["moment"]))


_scored: dict[tuple[Home, str], Reference | None] = {}


def _learned_scores(home: Home, scorer: Scorer) -> Reference | None:
    """Made once for a scorer, and kept while it is the last one asked about."""
    asked = (home, scorer.digest)
    if asked not in _scored:
        made = _made_scores(home, scorer)
        _scored.clear()
        _scored[asked] = made
    return _scored.get(asked)


def _made_scores(home: Home, scorer: Scorer) -> Reference | None:
    """From training rows, or from the bundle's own where there are enough."""
    table = _training_rows(home, scorer.manifest, SCORED_ROWS)
    if table is None:
        rows = read_reference(home.scorers / scorer.digest).rows
        if len(rows) < FEWEST_ROWS:
            return None
        table = table_of_rows(scorer.manifest, list(rows))
    return score_reference(scorer.score(table).margin.tolist())


def _training_rows(home: Home, manifest: Manifest, count: int) -> pa.Table | None:
    """At most about `count` rows spread over the kept training set, with their moments."""
    path = home.training_sets / f"{manifest.training_set}.parquet"
    if not path.is_file():
        return None
    names = [feature.name for feature in manifest.features]
    table = pq.read_table(path, columns=["moment", *names])
    step = -(-table.num_rows // count) or 1
    return table.take(pa.array(range(0, table.num_rows, step)))
