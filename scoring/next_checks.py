"""What to check next: the facts not known of a clue, by how much knowing them would move its score.

A *fact* is what one look-up would tell: all features over the same records, or one plain column.
It is open if none of its features has a value, or if its newest record is older than in nine of
ten reference rows that have one (stale).

Method: the bundle keeps rows that training saw. For every such row that has the fact (and, for a
stale one, a fresher one), its features are put in place of the clue's and the trees asked again;
the expected change is the mean absolute difference of probability. Rows count by their likeness to
the clue in all else (shared leaves, with the fact itself put alike on both sides: else the way that
a missing value takes would choose the rows), so the mean is taken given what is known; where eight
of them are of the clue's own supervision model, only those count. A fact that clues like this one
seldom have (an employer's fines, for a pensioner) is seldom found by looking, so checks are ordered
by the expected change times the share of like rows that have it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import lightgbm as lgb
import numpy as np

from clues.clue import FIXED_COLUMNS
from features.as_raised import REGISTER
from features.definition import Feature, FeatureSet
from scoring.bundle import ScoredFeature, Value, check_bundle, read_manifest, read_reference
from scoring.leaves import leaves_of
from scoring.matrix import to_matrix
from scoring.scorer import Floats, Scorer, table_of_rows

OWN_REGISTERS = frozenset({REGISTER, "outcomes"})
STALE_BEYOND = 0.9
# Of probability: what would be told as 0.0 points is not worth a day.
LEAST_WORTH = 0.0005
LOW, HIGH = 0.1, 0.9
# What a clue can have at all is settled by the supervision model that raised it.
ALIKE_BY, ENOUGH_ALIKE = "supervision_model", 8


@dataclass(frozen=True)
class Fact:
    """What one look-up would tell: places in the scorer's features; `age`: that of its days since
    the last record; `source`: the record set it comes from, None for a column of the clue.
    """

    places: tuple[int, ...]
    source: str | None
    age: int | None = None


@dataclass(frozen=True)
class Check:
    """A fact worth looking up. All are probabilities or shares, 0 to 1.

    `expected_change`: the mean absolute change of probability if it were known. `known_share`: of
    clues like this one, how many have it. `lowest`, `highest`: where the probability would lie in
    eight of ten cases.
    """

    fact: Fact
    state: Literal["missing", "stale"]
    strongest: int
    expected_change: float
    known_share: float
    lowest: float
    highest: float

    @property
    def worth(self) -> float:
        """What looking it up is expected to move: 0 where it can hardly be found."""
        return self.expected_change * self.known_share


@dataclass(frozen=True)
class Seen:
    """Reference rows as the trees read them (rows, features), and each feature's gain in all."""

    matrix: Floats
    importance: Floats


def next_checks(
    scorer: Scorer, folder: Path, facts: Sequence[Fact], values: Sequence[Value]
) -> list[Check]:
    """Checks of the facts that are open on a clue whose inputs are `values`, best first.

    `folder` holds the scorer's bundle. Raises NotReady where it has no reference rows.
    """
    seen = _seen(scorer.digest, folder, scorer.booster)
    row = to_matrix(scorer.manifest.features, table_of_rows(scorer.manifest, [tuple(values)]))[0]
    found = [
        check
        for fact in facts
        if seen.importance[list(fact.places)].any()
        for check in [_check(scorer, seen, fact, row)]
        if check is not None and check.worth >= LEAST_WORTH
    ]
    return sorted(found, key=lambda check: (-check.worth, check.fact.places))


def facts_of(
    features: Sequence[ScoredFeature], definitions: FeatureSet, masked: Collection[str] = ()
) -> list[Fact]:
    """The facts a scorer's features are about, but for those the platform itself holds and those
    declared as none `to_check`: nobody can look up more about them. One with a masked feature is
    left out whole.
    """
    declared = {feature.name: feature for feature in definitions.features}
    groups: dict[object, list[int]] = {}
    for at, scored in enumerate(features):
        feature = declared.get(scored.name)
        grouping = None if feature is None or feature.ratio is not None else feature.grouping
        groups.setdefault(grouping or scored.name, []).append(at)
    facts = []
    for places in groups.values():
        names = [features[at].name for at in places]
        known = [declared[name] for name in names if name in declared]
        ages = [at for at in places if _tells_age(features[at].name, definitions)]
        if not set(names) & set(masked) and not any(map(_nobody_can_check, known)):
            source = known[0].source if known else None
            facts.append(Fact(tuple(places), source, ages[0] if ages else None))
    return facts


def _nobody_can_check(feature: Feature) -> bool:
    """The platform's own registers, what a supervision model says of every clue it raises, the
    calendar, and what the jurisdiction declares to be none to look up."""
    plain = feature.grouping is None and feature.ratio is None
    own = plain and (feature.kind == "calendar" or feature.column in FIXED_COLUMNS)
    return own or feature.source in OWN_REGISTERS or not feature.to_check


def _tells_age(name: str, definitions: FeatureSet) -> bool:
    return name in definitions.names and definitions.feature(name).kind == "days_since_last"


def _check(scorer: Scorer, seen: Seen, fact: Fact, row: Floats) -> Check | None:
    """None where the fact is known and fresh, or where no reference row has it."""
    places = list(fact.places)
    theirs = seen.matrix[:, places]
    has = ~np.isnan(theirs).all(axis=1)
    state: Literal["missing", "stale"] = "missing"
    if not np.isnan(row[places]).all():
        if fact.age is None or not _is_stale(row[fact.age], seen.matrix[:, fact.age]):
            return None
        state = "stale"
        with np.errstate(invalid="ignore"):
            has &= seen.matrix[:, fact.age] < row[fact.age]
    if not has.any():
        return None
    weight = _weights(scorer, seen, row, places)
    chance = weight * has
    before, after = _probabilities(scorer, row, places, theirs[has])
    share = chance[has] / chance.sum() if chance.sum() > 0 else np.full(has.sum(), 1 / has.sum())
    lowest, highest = _quantiles(after, share)
    return Check(
        fact=fact,
        state=state,
        strongest=places[int(np.argmax(seen.importance[places]))],
        expected_change=float(share @ np.abs(after - before)),
        known_share=float(chance.sum() / weight.sum()),
        lowest=lowest,
        highest=highest,
    )


def _is_stale(age: float, ages: Floats) -> bool:
    known = ages[~np.isnan(ages)]
    return len(known) > 0 and bool(age > np.quantile(known, STALE_BEYOND))


def _probabilities(
    scorer: Scorer, row: Floats, places: list[int], theirs: Floats
) -> tuple[float, Floats]:
    """The clue's probability, and that with each of their values in place of its own."""
    distinct, back = np.unique(theirs, axis=0, return_inverse=True)
    asked = np.tile(row, (len(distinct) + 1, 1))
    asked[1:, places] = distinct
    margin = np.asarray(scorer.booster.predict(asked, raw_score=True, num_threads=1), np.float64)
    probability = scorer.calibrator.probability(margin, asked)
    return float(probability[0]), probability[1:][back.reshape(-1)]


def _quantiles(values: Floats, share: Floats) -> tuple[float, float]:
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(share[order])
    last = len(values) - 1
    low, high = (min(last, int(np.searchsorted(reached, each))) for each in (LOW, HIGH))
    return float(values[order[low]]), float(values[order[high]])


def _weights(scorer: Scorer, seen: Seen, row: Floats, places: list[int]) -> Floats:
    """Per reference row its likeness to the clue in all but `places`, (rows,); one for all where
    none is alike."""
    leaves = leaves_of(scorer)
    both = np.vstack([row, seen.matrix])
    both[:, places] = row[places]
    fallen = leaves.of_matrix(both)
    same = fallen[1:] == fallen[0]
    weight = (same @ leaves.weights.astype(np.float64)) / leaves.total
    names = [feature.name for feature in scorer.manifest.features]
    if ALIKE_BY in names:
        at = names.index(ALIKE_BY)
        own = seen.matrix[:, at] == row[at]
        if own.sum() >= ENOUGH_ALIKE:
            weight = weight * own
    return weight if weight.sum() > 0 else np.ones(len(weight))


@lru_cache(maxsize=4)
def _seen(digest: str, folder: Path, booster: lgb.Booster) -> Seen:
    check_bundle(folder, digest)
    manifest = read_manifest(folder)
    rows = table_of_rows(manifest, list(read_reference(folder).rows))
    matrix = to_matrix(manifest.features, rows)
    importance = np.asarray(booster.feature_importance("gain"), np.float64)
    return Seen(matrix, importance)
