"""What the months showed, judged by the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.replay.arm import Month, Played
from training.metrics import calibration_error

Floats = npt.NDArray[np.float64]
Arms = Mapping[str, Sequence[Month]]
SCORER, BLIND = "scorer", "without_exploration"
FIRST_COME, SEVERITY, ORACLE = "first_come", "severity", "oracle"


def cases_of(month: Month) -> int:
    """Cases among what was dispatched in the month, whenever they are decided."""
    return len(month.cases)


def total_cases(months: Sequence[Month]) -> int:
    """Cases found over all months."""
    return sum(cases_of(month) for month in months)


def told_months(played: Played, arms: Arms) -> list[dict[str, Any]]:
    """One line per month: what the scorer's arm did, and what the others found beside it."""
    told = []
    for at, month in enumerate(arms[SCORER]):
        others = {name: cases_of(months[at]) for name, months in arms.items()}
        cases = others.pop(SCORER)
        told.append(
            {
                "month": f"{month.moment:%Y-%m}",
                "raised": len(month.fresh),
                "dispatched": len(month.dispatched),
                "by_lot": len(month.by_lot),
                "cases_found": cases,
                **others,
                "calibration": _calibration(played, month),
                "heard": month.heard,
                "scorer": month.scorer,
                "learned": month.learned,
            }
        )
    return told


def _calibration(played: Played, month: Month) -> dict[str, float] | None:
    """Mean probability told of the clues raised in the month, and the share that are cases."""
    if month.said is None or month.said.probability is None or not len(month.fresh):
        return None
    return {
        "said": round(float(month.said.probability.mean()), 4),
        "came": round(float(played.truth.case[month.fresh].mean()), 4),
    }


def error_of_calibration(played: Played, months: Sequence[Month]) -> float:
    """Calibration error over all clues raised, each by the probability told in its first month.

    Judged by the truth: whether anybody looked at the clue or not.
    """
    said, came = [], []
    for month in months:
        if month.said is not None and month.said.probability is not None:
            said.append(month.said.probability)
            came.append(played.truth.case[month.fresh].astype(np.float64))
    return float(calibration_error(np.concatenate(said), np.concatenate(came)))


def months_until_found(played: Played, months: Sequence[Month]) -> int | None:
    """Months from the first clue of the new pattern until one is dispatched and becomes a case;
    None where there is no such pattern or none was found."""
    pattern = played.truth.pattern
    begun = next((at for at, m in enumerate(months) if pattern[m.fresh].any()), None)
    if begun is None:
        return None
    for at in range(begun, len(months)):
        if pattern[months[at].cases].any():
            return at - begun + 1
    return None


def summary(played: Played, arms: Arms) -> dict[str, Any]:
    """Totals of every arm, and the ratios that callers look at."""
    found = {name: total_cases(months) for name, months in arms.items()}
    dispatched = {name: sum(len(m.dispatched) for m in months) for name, months in arms.items()}
    return {
        "cases_found": found,
        "dispatched": dispatched,
        "cases_vs_first_come": ratio(found[SCORER], found[FIRST_COME]),
        "cases_vs_severity": ratio(found[SCORER], found[SEVERITY]),
        "share_of_oracle": ratio(found[SCORER], found[ORACLE]),
        "ece": round(error_of_calibration(played, arms[SCORER]), 4),
        "new_pattern_found_after_months": months_until_found(played, arms[SCORER]),
        "without_exploration": {
            "cases_found": found[BLIND],
            "cases_vs_first_come": ratio(found[BLIND], found[FIRST_COME]),
            "share_of_oracle": ratio(found[BLIND], found[ORACLE]),
            "ece": round(error_of_calibration(played, arms[BLIND]), 4),
            "new_pattern_found_after_months": months_until_found(played, arms[BLIND]),
        },
    }


def ratio(one: float, other: float) -> float | None:
    """Rounded to three digits; None over nothing."""
    return round(one / other, 3) if other else None
