"""Findings: which clue the records of which month will raise, and how likely it is a case.

A finding's probability combines guilt (hidden propensities of the subject, its circle and the
body behind the record), provability (amount, freshness) and benign explanations (a match by name
only, money already paid back). No single one decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

from base.moment import add_months
from experiments.province.world import START, Floats, Ints, Texts, World

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Kind:
    """A supervision model as the simulator sees it."""

    name: str
    ground: str
    share: float
    rate: float
    severity: int
    subject: Literal["person", "company"]
    body: Literal["agency", "court", "hospital"]
    amount_cents: float
    lag_days: tuple[int, int]
    from_month: int = 0


KINDS = (
    Kind(
        name="benefit_after_death",
        ground="pension_after_death",
        share=0.3,
        rate=0.045,
        severity=3,
        subject="person",
        body="agency",
        amount_cents=150000.0,
        lag_days=(45, 330),
    ),
    Kind(
        name="benefit_in_custody",
        ground="pension_in_custody",
        share=0.18,
        rate=0.08,
        severity=3,
        subject="person",
        body="agency",
        amount_cents=160000.0,
        lag_days=(60, 300),
    ),
    Kind(
        name="licence_not_revoked",
        ground="licence_after_conviction",
        share=0.12,
        rate=0.22,
        severity=4,
        subject="person",
        body="court",
        amount_cents=0.0,
        lag_days=(15, 90),
    ),
    Kind(
        name="fine_not_enforced",
        ground="fine_unpaid",
        share=0.26,
        rate=0.015,
        severity=2,
        subject="company",
        body="agency",
        amount_cents=900000.0,
        lag_days=(100, 110),
    ),
    Kind(
        name="injury_before_insurance",
        ground="injury_fraud",
        share=0.07,
        rate=0.4,
        severity=5,
        subject="person",
        body="hospital",
        amount_cents=4000000.0,
        lag_days=(5, 40),
    ),
    Kind(
        name="serial_plaintiff",
        ground="false_litigation",
        share=0.07,
        rate=0.12,
        severity=4,
        subject="person",
        body="court",
        amount_cents=8000000.0,
        lag_days=(40, 120),
        from_month=20,
    ),
)
MENDED_MONTH, NEW_RING_MONTH = 30, 36
NAME_MATCH_SHARE, REPAID_SHARE = 0.22, 0.15
STALE_DAYS = 200
STEEPNESS = 1.6


@dataclass(frozen=True)
class Findings:
    """Parallel arrays, one entry per planned clue, ordered by month.

    `person` and `company` are places in the world's arrays (-1: none). `revealed` is the day the
    deciding record becomes known; `moment` the cycle that raises the clue.
    """

    kind: Ints
    month: Ints
    person: Ints
    company: Ints
    body: Ints
    amount_cents: Ints
    records: Ints
    lag_days: Ints
    by_name: Bools
    repaid: Bools
    revealed: npt.NDArray[np.datetime64]
    moment: list[datetime]
    office: Texts
    guilt: Floats
    provability: Floats
    probability: Floats

    def of(self, name: str) -> Ints:
        """Places of the findings of one supervision model."""
        at = next(i for i, kind in enumerate(KINDS) if kind.name == name)
        return np.flatnonzero(self.kind == at)


def plan_findings(world: World, clues: int, months: int, draw: np.random.Generator) -> Findings:
    """Plan `clues` findings over the months (the first three only fill the records)."""
    shares = np.array([kind.share for kind in KINDS])
    month = np.sort(draw.integers(3, months, clues))
    opened = np.array([min(kind.from_month, months // 3) for kind in KINDS])
    kind = draw.choice(len(KINDS), size=clues, p=shares / shares.sum())
    kind = np.where(month < opened[kind], 0, kind)
    person, company = _subjects(world, kind, month, draw)
    body = _bodies_of(world, kind, draw)
    lag = np.array([draw.integers(*KINDS[k].lag_days) for k in kind])
    by_name = draw.random(clues) < NAME_MATCH_SHARE
    repaid = draw.random(clues) < REPAID_SHARE
    size = draw.normal(0, 1, clues)
    scale = np.array([each.amount_cents for each in KINDS])[kind]
    revealed, moment = _times(month, draw)
    guilt = _guilt(world, kind, person, company, body, month)
    guilt += _amount_speaks(kind, size) + draw.normal(0, 0.4, clues)
    provability = (
        np.where(lag > STALE_DAYS, 0.5, 1.0)
        * np.where(by_name, 0.15, 1.0)
        * np.where(repaid, 0.2, 1.0)
    )
    probability = _to_rates(kind, guilt, provability)
    persons_office = world.county[person]
    company_office = world.company_county[np.maximum(company, 0)]
    of_person = np.array([each.subject == "person" for each in KINDS])[kind]
    return Findings(
        kind=kind,
        month=month,
        person=person,
        company=company,
        body=body,
        amount_cents=np.round(scale * np.exp(0.6 * size)).astype(np.int64),
        records=np.maximum(1, lag // 30).astype(np.int64),
        lag_days=lag,
        by_name=by_name,
        repaid=repaid,
        revealed=revealed,
        moment=moment,
        office=np.where(of_person, persons_office, company_office),
        guilt=guilt,
        provability=provability,
        probability=probability,
    )


def _subjects(
    world: World, kind: Ints, month: Ints, draw: np.random.Generator
) -> tuple[Ints, Ints]:
    """A person once per supervision model; companies may come back. A ring grows from month 36.

    Half of the subjects come from families and rings that had findings before: circles repeat.
    """
    count = len(kind)
    order = draw.permutation(len(world.person_id) // 3)
    person = order[:count] * 3 + draw.integers(0, 3, count)
    near = draw.random(count) < 0.45
    earlier = (draw.random(count) * np.arange(count)).astype(np.int64)
    taken = set(person.tolist())
    for at in np.flatnonzero(near):
        relative = person[earlier[at]] // 3 * 3 + int(draw.integers(0, 3))
        if relative not in taken:
            taken.add(relative)
            person[at] = relative
    rings = draw.permutation(np.flatnonzero(world.ring))
    late = (month >= NEW_RING_MONTH) & (draw.random(count) < 0.05)
    for at, ringed in zip(np.flatnonzero(late), rings, strict=False):
        if ringed not in taken:
            taken.add(int(ringed))
            person[at] = ringed
    company = world.employer[person].copy()
    fined = np.array([each.subject == "company" for each in KINDS])[kind]
    company[fined] = draw.integers(0, len(world.company_id), int(fined.sum()))
    return person, company


def _bodies_of(world: World, kind: Ints, draw: np.random.Generator) -> Ints:
    counts = np.array([len(world.bodies[each.body]) for each in KINDS])
    return np.array((draw.random(len(kind)) ** 1.5 * counts[kind]).astype(np.int64))


def _guilt(
    world: World, kind: Ints, person: Ints, company: Ints, body: Ints, month: Ints
) -> Floats:
    """Log-odds from the subject, its company and the body; one agency mends its ways."""
    effects = [world.body_propensity[each.body] for each in KINDS]
    behind = np.array([effects[k][b] for k, b in zip(kind, body, strict=True)])
    agency = np.array([each.body == "agency" for each in KINDS])[kind]
    hottest = int(np.argmax(world.body_propensity["agency"]))
    behind[agency & (body == hottest) & (month >= MENDED_MONTH)] = -2.0
    fined = np.array([each.subject == "company" for each in KINDS])[kind]
    own = np.where(fined, world.company_propensity[company], world.propensity[person])
    circle = np.where(fined, 0.0, 0.6 * world.company_propensity[company])
    return own + circle + behind


def _amount_speaks(kind: Ints, size: Floats) -> Floats:
    """Large amounts speak for fraud, and against an unpaid fine (large fines are contested)."""
    contested = np.array([each.name == "fine_not_enforced" for each in KINDS])[kind]
    return np.where(contested, -0.8, 0.8) * size


def _to_rates(kind: Ints, guilt: Floats, provability: Floats) -> Floats:
    """Guilty and provable; the mean per supervision model is its rate (bisection)."""
    probability = np.empty(len(kind))
    for at, each in enumerate(KINDS):
        rows = np.flatnonzero(kind == at)
        low, high = -15.0, 15.0
        for _ in range(60):
            middle = (low + high) / 2
            there = provability[rows] / (1 + np.exp(-STEEPNESS * guilt[rows] - middle))
            low, high = (middle, high) if there.sum() < each.rate * len(rows) else (low, middle)
        probability[rows] = provability[rows] / (1 + np.exp(-STEEPNESS * guilt[rows] - low))
    return np.clip(probability, 1e-6, 1 - 1e-6)


def _times(
    month: Ints, draw: np.random.Generator
) -> tuple[npt.NDArray[np.datetime64], list[datetime]]:
    starts = np.datetime64(START, "M") + month.astype("timedelta64[M]")
    days = draw.integers(1, 27, len(month)).astype("timedelta64[D]")
    revealed = starts.astype("datetime64[D]") + days
    begin = datetime.combine(START, datetime.min.time())
    return revealed, [add_months(begin, int(each) + 1) for each in month]
