"""Findings: which clue the records of which month will raise, and how likely it is a case.

Here is what records will show of each: who, where, how much, how late, how sure. Whether that makes
a case is in chance.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from base.moment import add_months
from experiments.province.chance import Chances, Shown, chances_of
from experiments.province.kinds import KINDS, LATE_DAYS, LATEST_DAYS, PLACE, per_clue
from experiments.province.subjects import draw_subjects
from experiments.province.world import (
    DAY,
    START,
    Bools,
    Days,
    Floats,
    Ints,
    Texts,
    World,
)

MENDED_MONTH, NEW_PATTERN_MONTH = 30, 36
NAME_MATCH_SHARE, LATE_SHARE = 0.22, 0.15
REPAID_SHARE, REPAID_IN_FULL = 0.26, 0.6
LONGEST_GAP, MOST_RECORDS = 60, 9
# How busy the months of a year are; little happens around the spring festival.
SEASON = (0.9, 0.6, 1.1, 1.15, 1.15, 1.1, 1.0, 0.95, 1.05, 0.95, 1.05, 1.0)
FIRST_MONTH = 3


@dataclass(frozen=True)
class Findings:
    """Parallel arrays, one entry per planned clue, ordered by month.

    `person` (the subject, or the legal representative of a company) and `company` are places in the
    world's arrays; `body` and `lawyer` (-1: none) in the institutions'. `revealed` is the day the
    deciding record becomes known; `moment` the cycle that raises the clue; `gap_days` -1 and
    `repaid_percent` 0 where the kind has none.
    """

    kind: Ints
    month: Ints
    person: Ints
    company: Ints
    body: Ints
    lawyer: Ints
    amount_cents: Ints
    records: Ints
    lag_days: Ints
    gap_days: Ints
    sources: Ints
    by_name: Bools
    repaid_percent: Ints
    revealed: Days
    moment: list[datetime]
    office: Texts
    chances: Chances

    @property
    def probability(self) -> Floats:
        return self.chances.probability

    @property
    def event(self) -> Days:
        """The day of what became known `lag_days` later."""
        return np.asarray(self.revealed - self.lag_days * DAY)

    def of(self, name: str) -> Ints:
        """Places of the findings of one supervision model."""
        return np.flatnonzero(self.kind == PLACE[name])


def plan_findings(world: World, clues: int, months: int, draw: np.random.Generator) -> Findings:
    """Plan `clues` findings over the months (the first three only fill the records)."""
    month = _months(clues, months, draw)
    kind = _kinds(month, months, draw)
    person, company, pattern = draw_subjects(world, kind, month, NEW_PATTERN_MONTH, draw)
    body, lawyer = _bodies(world, kind, draw)
    mended = (
        (per_clue(kind, "body") == "agency")
        & (body == world.institutions.mending)
        & (month >= MENDED_MONTH)
    )
    size = draw.normal(0, 1, clues)
    size = np.where(pattern, -np.abs(size), size)
    lag = _lags(kind, pattern, draw)
    records = np.minimum(draw.poisson(2.0, clues), MOST_RECORDS)
    revealed, moment = _times(month, draw)
    shown = Shown(
        kind=kind,
        month=month,
        person=person,
        company=company,
        body=body,
        lawyer=lawyer,
        size=size,
        more_records=np.where(per_clue(kind, "counted") > 0, records, 2),
        late=lag >= LATE_DAYS,
        gap_days=np.where(per_clue(kind, "dated"), draw.integers(0, LONGEST_GAP, clues), -1),
        by_name=(draw.random(clues) < NAME_MATCH_SHARE) & ~pattern,
        repaid_percent=np.where(pattern, 0, _repaid(kind, mended, draw)),
        day=revealed,
        pattern=pattern,
        mended=mended,
    )
    return _finding(world, shown, lag, moment, draw)


def _finding(
    world: World,
    shown: Shown,
    lag: Ints,
    moment: list[datetime],
    draw: np.random.Generator,
) -> Findings:
    kind = shown.kind
    amount = per_clue(kind, "amount_cents") * np.exp(0.8 * shown.size)
    counted = per_clue(kind, "counted")
    of_company = per_clue(kind, "subject") == "company"
    county = np.where(of_company, world.company_county[shown.company], world.county[shown.person])
    city = np.array([each[:4] for each in county], dtype=object)
    sources = 1 + (draw.random(len(kind)) < 0.35) + (draw.random(len(kind)) < 0.15)
    return Findings(
        kind=kind,
        month=shown.month,
        person=shown.person,
        company=shown.company,
        body=shown.body,
        lawyer=shown.lawyer,
        amount_cents=np.round(amount).astype(np.int64),
        records=np.where(counted > 0, counted + shown.more_records, 1).astype(np.int64),
        lag_days=lag,
        gap_days=shown.gap_days,
        sources=sources,
        by_name=shown.by_name,
        repaid_percent=shown.repaid_percent,
        revealed=shown.day,
        moment=moment,
        office=np.where(per_clue(kind, "city"), city, county),
        chances=chances_of(world, shown, draw),
    )


def _months(clues: int, months: int, draw: np.random.Generator) -> Ints:
    each = np.arange(FIRST_MONTH, months)
    weight = np.array(SEASON)[each % 12]
    return np.sort(draw.choice(each, size=clues, p=weight / weight.sum()))


def _kinds(month: Ints, months: int, draw: np.random.Generator) -> Ints:
    shares = np.array([kind.share for kind in KINDS])
    opened = np.array([min(kind.from_month, months // 3) for kind in KINDS])
    kind = draw.choice(len(KINDS), size=len(month), p=shares / shares.sum())
    return np.where(month < opened[kind], 0, kind).astype(np.int64)


def _bodies(world: World, kind: Ints, draw: np.random.Generator) -> tuple[Ints, Ints]:
    """The body behind each clue (some have far more than others), and its lawyer."""
    bodies = world.institutions.bodies
    counts = np.array([len(bodies[each.body]) for each in KINDS])
    body = (draw.random(len(kind)) ** 1.3 * counts[kind]).astype(np.int64)
    lawyer = (draw.random(len(kind)) ** 1.3 * len(bodies["lawyer"])).astype(np.int64)
    return body, np.where(per_clue(kind, "lawyer"), lawyer, -1)


def _lags(kind: Ints, pattern: Bools, draw: np.random.Generator) -> Ints:
    low, high = per_clue(kind, "lag_days").T
    late = (draw.random(len(kind)) < LATE_SHARE) & ~pattern
    ordinary = draw.integers(low, high)
    return np.where(late, draw.integers(LATE_DAYS, LATEST_DAYS, len(kind)), ordinary)


def _repaid(kind: Ints, mended: Bools, draw: np.random.Generator) -> Ints:
    """Per cent of the amount that was paid back; an agency that mends its ways gets all of it."""
    count = len(kind)
    some = draw.random(count) < REPAID_SHARE
    full = (draw.random(count) < REPAID_IN_FULL) | mended
    some |= mended & (draw.random(count) < 0.9)
    part = np.where(full, draw.integers(92, 100, count), draw.integers(10, 60, count))
    return np.where(some & per_clue(kind, "money_back"), part, 0)


def _times(month: Ints, draw: np.random.Generator) -> tuple[Days, list[datetime]]:
    starts = np.datetime64(START, "M") + month.astype("timedelta64[M]")
    days = draw.integers(1, 27, len(month)).astype("timedelta64[D]")
    begin = datetime.combine(START, datetime.min.time())
    moments = [add_months(begin, number) for number in range(int(month.max()) + 2)]
    return starts.astype("datetime64[D]") + days, [moments[each + 1] for each in month]


def last_day(months: int) -> np.datetime64:
    """The first day after the history."""
    return np.datetime64(add_months(datetime.combine(START, datetime.min.time()), months), "D")
