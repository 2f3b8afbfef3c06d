"""How many cases will come of clues whose outcomes are not all in: estimated, then checked.

Two estimates that know nothing of each other: what the probabilities expect, and what the outcomes
that came fast foretell. An outcome reported after d days is seen only of clues that are at least d
days old, so delays seen so far are too short; the share reported by an age is estimated from the
longest delay down (reverse-time hazards of right-truncated delays: Lagakos, Barraj & De Gruttola
1988), apart for cases and for other ends, which take longer or shorter. Looking back at an earlier
day with what was known then, and at today, tells how good such estimates are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]
SECONDS_A_DAY = 86_400.0
# A delay counts where so many clues were old enough to have shown it.
AT_RISK = 20
# Younger months foretell nothing; in older ones all but a few are in.
LEAST, RIPE = 0.1, 0.95
LOW, HIGH = 0.025, 0.975


@dataclass(frozen=True)
class Pursued:
    """A clue that was given to an office at `since`. `probability` None: never scored for work;
    `became_case` None: no word yet; `known_at`: when its first deciding word was reported."""

    since: datetime
    probability: float | None
    became_case: float | None
    known_at: datetime | None


@dataclass(frozen=True)
class Delays:
    """The share of outcomes, reported within the longest delay, that are reported by an age."""

    days: Floats
    share: Floats

    def by(self, age_days: Floats) -> Floats:
        """The share reported by each age; 0 before the first delay seen, 1 after the longest."""
        if len(self.days) == 0:
            return np.zeros(len(age_days))
        at = np.searchsorted(self.days, age_days, side="right")
        return np.concatenate([[0.0], self.share])[at]


def delays_of(delay_days: Floats, age_days: Floats) -> Delays:
    """From outcomes reported so far: after how many days, and how old their clue is now, (n,) each.

    Longer delays than `AT_RISK` clues could have shown are left out.
    """
    whole, age = np.floor(delay_days), np.floor(age_days)
    days, count = np.unique(whole, return_counts=True)
    at_risk = np.searchsorted(np.sort(whole), days, side="right") - np.searchsorted(
        np.sort(age), days, side="left"
    )
    enough = at_risk >= AT_RISK
    last = int(np.flatnonzero(enough).max(initial=-1)) + 1
    days, count, at_risk = days[:last], count[:last], np.maximum(at_risk[:last], 1)
    # Share by a day: the product, over longer delays, of what was not reported just then.
    left = np.where(enough[:last], 1 - count / at_risk, 1.0)
    longer = np.concatenate([np.cumprod(left[::-1])[::-1][1:], [1.0]]) if last else np.empty(0)
    return Delays(days, longer)


@dataclass(frozen=True)
class Estimate:
    """Cases of one month's clues. `reported`: known so far; `share`: of its cases, reported by now;
    `estimated` with 95 % from `lowest` to `highest` (None: too young to tell); `expected`: by the
    probabilities (None: not all were scored); `chance`: of a gap between the two as wide as this,
    if both are right."""

    month: str
    clues: int
    reported: int
    share: float
    estimated: float | None
    lowest: float | None
    highest: float | None
    expected: float | None
    chance: float | None

    @property
    def ripe(self) -> bool:
        return self.share >= RIPE


def estimates(clues: Sequence[Pursued], now: datetime) -> list[Estimate]:
    """For each month of clues, as known strictly before `now`."""
    seen = [each for each in clues if each.since < now]
    if not seen:
        return []
    known = [each.known_at is not None and each.known_at < now for each in seen]
    case = np.array([k and e.became_case == 1 for k, e in zip(known, seen, strict=True)], bool)
    age = np.array([_days(each.since, now) for each in seen])
    delay = np.array([_days(e.since, e.known_at) if e.known_at else np.nan for e in seen])
    cases = delays_of(np.maximum(delay[case], 0.0), age[case])
    share = cases.by(np.floor(age))
    months = np.array([f"{each.since:%Y-%m}" for each in seen])
    given = [np.nan if each.probability is None else each.probability for each in seen]
    probability = np.array(given, np.float64)
    return [
        _estimate(str(month), case[own], share[own], probability[own])
        for month in np.unique(months)
        for own in [months == month]
    ]


def _estimate(
    month: str, case: npt.NDArray[np.bool_], share: Floats, probability: Floats
) -> Estimate:
    reported, by_now = int(case.sum()), float(share.mean())
    # A sum over some of the clues would be compared with the cases of all.
    expected = None if np.isnan(probability).any() else float(probability.sum())
    told: dict[str, float | None] = dict.fromkeys(("estimated", "lowest", "highest", "chance"))
    if by_now >= LEAST:
        # What is still to come, given what came: negative binomial (a Poisson with its gamma).
        low, high = stats.nbinom.ppf([LOW, HIGH], reported + 1, by_now)
        told = {
            "estimated": reported / by_now,
            "lowest": reported + float(low),
            "highest": reported + float(high),
            "chance": None,
        }
        if expected is not None:
            gap = reported / by_now - expected
            spread = float((probability * (1 - probability)).sum())
            spread += (reported + 1) * (1 - by_now) / by_now**2
            told["chance"] = float(2 * stats.norm.sf(abs(gap) / max(spread, 1e-9) ** 0.5))
    return Estimate(month, len(case), reported, by_now, expected=expected, **told)


@dataclass(frozen=True)
class Check:
    """An estimate as it would have been made on an earlier day, and what is known today."""

    as_of: datetime
    estimate: Estimate
    came: int

    @property
    def within(self) -> bool:
        low, high = self.estimate.lowest, self.estimate.highest
        return low is not None and high is not None and low <= self.came <= high


def checks(clues: Sequence[Pursued], now: datetime, days: Sequence[datetime]) -> list[Check]:
    """Estimates of unripe months on earlier days, beside months that are ripe today."""
    today = {each.month: each for each in estimates(clues, now) if each.ripe}
    return [
        Check(day, each, today[each.month].reported)
        for day in days
        for each in estimates(clues, day)
        if each.month in today and each.estimated is not None and not each.ripe
        # A month that was not over is another month.
        if each.clues == today[each.month].clues
    ]


def told_ripening(
    clues: Sequence[Pursued], now: datetime, earlier: Callable[[datetime], Sequence[datetime]]
) -> dict[str, Any]:
    """Estimates by month and the check of earlier ones, in plain values."""
    made = checks(clues, now, earlier(now))
    return {
        "clues": len(clues),
        "by_month": [_plain(each) for each in estimates(clues, now)],
        "checks": [
            {"as_of": each.as_of.isoformat(), **_plain(each.estimate), "came": each.came,
             "within": each.within}
            for each in made
        ],
        "checked": len(made),
        "within_share": round(sum(each.within for each in made) / len(made), 4) if made else None,
    }  # fmt: skip


def _plain(each: Estimate) -> dict[str, Any]:
    rounded = {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in vars(each).items()
    }
    return {**rounded, "ripe": each.ripe}


def _days(start: datetime, end: datetime) -> float:
    return (end - start).total_seconds() / SECONDS_A_DAY
