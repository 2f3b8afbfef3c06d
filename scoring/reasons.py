"""Reasons: the features that moved a score most, in words; the rest folded into `other`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from base.bilingual import Language
from scoring.bundle import ScoredFeature
from scoring.sentences import sentence


@dataclass(frozen=True)
class Reason:
    """One feature's part in a score. `contribution` is in log-odds: positive speaks for a case."""

    feature: str
    value: float | str | None
    contribution: float
    sentence: str


@dataclass(frozen=True)
class Reasons:
    """The told reasons, strongest first, and the sum of all that are not told."""

    reasons: tuple[Reason, ...]
    other: float

    def as_json(self) -> dict[str, Any]:
        return {"reasons": [asdict(reason) for reason in self.reasons], "other": self.other}


def reasons_of(
    features: Sequence[ScoredFeature],
    values: Sequence[float | str | None],
    contributions: Sequence[float],
    *,
    count: int,
    language: Language,
    margin: float,
    base: float,
) -> Reasons:
    """The `count` strongest reasons. base + told contributions + other == margin within 1e-9.

    `other` is what remains of the margin, so that what is told always adds up (P-6).
    """
    order = sorted(range(len(features)), key=lambda i: (-abs(contributions[i]), i))[:count]
    told = tuple(
        Reason(
            feature=features[i].name,
            value=_plain(values[i]),
            contribution=float(contributions[i]),
            sentence=sentence(features[i], values[i], language),
        )
        for i in order
    )
    other = margin - base - math.fsum(reason.contribution for reason in told)
    return Reasons(told, other)


def _plain(value: float | str | None) -> float | str | None:
    return None if isinstance(value, float) and math.isnan(value) else value
