"""A score as a waterfall: from the base, reason by reason, to the probability.

What is drawn adds up as what is told does: base + points of the reasons + the others = probability.
So do the figures as they are shown, to a tenth: the parts share the rounded difference between the
rounded ends by largest remainder, each within a tenth of its own. Places are percentages of the
drawing's width, so that a page needs neither script nor style.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["base", "for", "against", "sum"]
NARROWEST = 0.4
# What is shown is told in tenths of a percentage point.
TENTHS = 10


@dataclass(frozen=True)
class Step:
    """One line: `points` moves the level, or is the level (base and sum), in percentage points, to
    the tenth that is shown.

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
    moves: Sequence[tuple[str, float, str | None]],
    words: Mapping[str, str],
) -> list[Step]:
    base, end = 100 * told["base_probability"], 100 * told["probability"]
    level = base
    spans: list[tuple[str, Kind, float, float, str | None]] = [
        (words["base"], "base", 0.0, base, None)
    ]
    for label, points, feature in moves:
        spans.append((label, "for" if points > 0 else "against", level, level + points, feature))
        level += points
    spans.append((words["probability"], "sum", 0.0, end, None))
    edges = [edge for *_, start, stop, _ in spans for edge in (start, stop)]
    low, high = min(edges), max(edges)
    scale = 100 / (high - low) if high > low else 0.0
    shown = in_tenths(base, [points for _, points, _ in moves], end)
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
        for points, (label, direction, start, stop, feature) in zip(shown, spans, strict=True)
    ]


def in_tenths(base: float, parts: Sequence[float], end: float) -> list[float]:
    """Base, parts and end to a tenth, so that base and parts as shown add up to the end as shown.

    The ends are rounded as every page rounds them. Of the parts each is rounded down, and the
    tenths that are wanting go to those with the largest remainders (Hare and Niemeyer).
    """
    first, last = (round(float(f"{value:.1f}") * TENTHS) for value in (base, end))
    exact = [part * TENTHS for part in parts]
    floors = [math.floor(value) for value in exact]
    wanting = last - first - sum(floors)
    largest = sorted(range(len(exact)), key=lambda at: floors[at] - exact[at])
    for turn in range(abs(wanting) if exact else 0):
        # More than one each, or too many, only where the parts do not add up themselves.
        at = largest[turn % len(exact)] if wanting > 0 else largest[-1 - turn % len(exact)]
        floors[at] += 1 if wanting > 0 else -1
    return [tenths / TENTHS for tenths in (first, *floors, last)]
