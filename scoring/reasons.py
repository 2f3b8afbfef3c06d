"""Reasons: the features that moved a score most, in words; the rest folded into `other`.

What is told always adds up: base + told contributions + other = margin, by feature and by group,
whatever the reader may not see (P-6).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from base.bilingual import Language
from scoring.bundle import ScoredFeature
from scoring.points import Points, without_dust
from scoring.sentences import sentence

NOTHING_MASKED: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reason:
    """One feature's part in a score. `contribution` is in log-odds: positive speaks for a case.

    `points` is the same in percentage points of probability; None where nobody asked.
    """

    feature: str
    value: float | str | None
    contribution: float
    sentence: str
    points: float | None = None

    def as_json(self) -> dict[str, Any]:
        told = dict(vars(self))
        if self.points is None:
            del told["points"]
        return told


@dataclass(frozen=True)
class GroupReason:
    """A declared group's part in a score: the sum over its features that the reader may see."""

    group: str
    title: str
    contribution: float
    points: float | None = None


@dataclass(frozen=True)
class Reasons:
    """The told reasons, strongest first, and the sum of all that are not told."""

    reasons: tuple[Reason, ...]
    other: float

    def as_json(self) -> dict[str, Any]:
        return {"reasons": [reason.as_json() for reason in self.reasons], "other": self.other}


@dataclass(frozen=True)
class GroupReasons:
    """Every declared group, strongest first, and the sum of the features that are in none.

    `other_points`: the same in percentage points; None where nobody asked.
    """

    groups: tuple[GroupReason, ...]
    other: float
    other_points: float | None = None


def reasons_of(
    features: Sequence[ScoredFeature],
    values: Sequence[float | str | None],
    contributions: Sequence[float],
    *,
    count: int,
    language: Language,
    margin: float,
    base: float,
    points: Points | None = None,
    masked: Collection[str] = NOTHING_MASKED,
) -> Reasons:
    """The `count` strongest reasons. base + told contributions + other == margin within 1e-9.

    `other` is what remains of the margin, so that what is told always adds up (P-6). A feature
    whose name is in `masked` is told in `other` only.
    """
    order = np.argsort(-np.abs(np.asarray(contributions)), kind="stable").tolist()
    if masked:
        order = [i for i in order if features[i].name not in masked]
    told = tuple(
        Reason(
            feature=features[i].name,
            value=_plain(values[i]),
            contribution=float(contributions[i]),
            sentence=sentence(features[i], values[i], language),
            points=points.of(float(contributions[i])) if points else None,
        )
        for i in order[:count]
    )
    other = margin - base - math.fsum(reason.contribution for reason in told)
    return Reasons(told, other)


def groups_of(
    features: Sequence[ScoredFeature],
    contributions: Sequence[float],
    *,
    language: Language,
    margin: float,
    base: float,
    points: Points | None = None,
    masked: Collection[str] = NOTHING_MASKED,
) -> GroupReasons:
    """Every declared group's sum. base + groups + other == margin within 1e-9 (P-6).

    Features of no group, and those in `masked`, are in `other`: it is 0 where there are none.
    """
    parts: dict[str, list[float]] = defaultdict(list)
    titles = {}
    for feature, contribution in zip(features, contributions, strict=True):
        if feature.group is not None and feature.name not in masked:
            parts[feature.group.name].append(float(contribution))
            titles[feature.group.name] = feature.group.title.in_language(language)
    sums = {name: math.fsum(each) for name, each in parts.items()}
    told = tuple(
        GroupReason(name, titles[name], sums[name], points.of(sums[name]) if points else None)
        for name in sorted(sums, key=lambda name: (-abs(sums[name]), name))
    )
    other = margin - base - math.fsum(sums.values())
    other_points = points.rest(math.fsum(each.points or 0.0 for each in told)) if points else None
    if sum(map(len, parts.values())) == len(features):
        other = without_dust(other)
        other_points = other_points and without_dust(other_points)
    return GroupReasons(told, other, other_points)


def _plain(value: float | str | None) -> float | str | None:
    return None if isinstance(value, float) and math.isnan(value) else value
