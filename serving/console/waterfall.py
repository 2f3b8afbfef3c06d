"""A score as a waterfall: from the base, reason by reason, to the probability.

What is drawn adds up as what is told does: base + points of the reasons + the others = probability.
Places are percentages of the drawing's width, so that a page needs neither script nor style.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["base", "for", "against", "sum"]
NARROWEST = 0.4


@dataclass(frozen=True)
class Step:
    """One line: `points` moves the level, or is the level (base and sum), in percentage points.

    `left` and `width`: its bar; `zero`: where 0 % lies. `feature` leads to its records.
    """

    label: str
    points: float
    kind: Kind
    left: float
    width: float
    zero: float
    feature: str | None = None


def by_reason(told: Mapping[str, Any], words: Mapping[str, str]) -> list[Step]:
    """The steps of a told score, strongest reason first, what is not told last."""
    reasons = told["reasons"]
    moves = [(each["sentence"], each["points"], each["feature"]) for each in reasons]
    return _steps(told, [*moves, (words["others"], told["other_points"], None)], words)


def by_group(told: Mapping[str, Any], words: Mapping[str, str]) -> list[Step]:
    """The same by declared groups; empty where none is declared."""
    if not told["groups"]:
        return []
    moves = [(each["title"], each["points"] or 0.0, None) for each in told["groups"]]
    return _steps(told, [*moves, (words["others"], told["groups_other_points"], None)], words)


def _steps(
    told: Mapping[str, Any],
    moves: Iterable[tuple[str, float, str | None]],
    words: Mapping[str, str],
) -> list[Step]:
    base, end = 100 * told["base_probability"], 100 * told["probability"]
    level = base
    spans: list[tuple[str, float, Kind, float, float, str | None]] = [
        (words["base"], base, "base", 0.0, base, None)
    ]
    for label, points, feature in moves:
        kind: Kind = "for" if points > 0 else "against"
        spans.append((label, points, kind, level, level + points, feature))
        level += points
    spans.append((words["probability"], end, "sum", 0.0, end, None))
    edges = [edge for *_, start, stop, _ in spans for edge in (start, stop)]
    low, high = min(edges), max(edges)
    scale = 100 / (high - low) if high > low else 0.0
    return [
        Step(
            label=label,
            points=points,
            kind=direction,
            left=round((min(start, stop) - low) * scale, 2),
            width=round(max(abs(stop - start) * scale, NARROWEST), 2),
            zero=round(-low * scale, 2),
            feature=feature,
        )
        for label, points, direction, start, stop, feature in spans
    ]
