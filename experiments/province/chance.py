"""How likely a clue is a case where a middling office takes it up: guilty and provable.

    guilt        log-odds: the person's record, the circle it belongs to, the body behind the
                 record, amount and pattern; almost all of it can be read from records by whoever
                 looks, the rest (HIDDEN) by nobody
    provability  what a benign explanation leaves of it: a match by name only, money already paid
                 back, news that came late

No single one decides. The mean over a supervision model's clues is its rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.province.kinds import KINDS, PLACE, per_clue
from experiments.province.world import DAY, RING_PHONE, Bools, Days, Floats, Ints, World

STEEPNESS, HIDDEN = 1.5, 0.3
AMOUNT, OFFENCE, RING, CROWD, PENALTY = 0.9, 1.1, 1.9, 0.8, 0.5
SOON, LONG_AFTER, PART_REPAID, RECORD, LAWYER = 1.0, -0.6, 0.8, 0.25, 0.8
SOON_DAYS, LONG_DAYS = 12, 45
FULL_PERCENT, CROWDED = 90, 6
NEW_PATTERN = 3.0
# From this month on small benefits are settled by the agencies themselves.
POLICY_MONTH, POLICY = 33, -0.6
BY_NAME, REPAID, LATE = 0.03, 0.03, 0.06
# News needs so long to reach every record set that speaks of it.
SETTLED_DAYS = 90


@dataclass(frozen=True)
class Shown:
    """What records show of each planned clue, (n,). `size`: the amount in standard deviations from
    its kind's; `pattern`: of the ring that appears late; `mended`: of the agency that mended."""

    kind: Ints
    month: Ints
    person: Ints
    company: Ints
    body: Ints
    lawyer: Ints
    size: Floats
    more_records: Ints
    late: Bools
    gap_days: Ints
    by_name: Bools
    repaid_percent: Ints
    day: Days
    pattern: Bools
    mended: Bools


@dataclass(frozen=True)
class Chances:
    """Per clue: `guilt` in log-odds, `provability` in (0, 1], `probability` of a case if taken up
    with average skill, `benign`: the explanation that there is ("" where there is none)."""

    guilt: Floats
    provability: Floats
    probability: Floats
    benign: np.ndarray
    pattern: Bools
    mended: Bools


def chances_of(world: World, shown: Shown, draw: np.random.Generator) -> Chances:
    """The truth about each clue."""
    guilt = _guilt(world, shown) + HIDDEN * draw.normal(0, 1, len(shown.kind))
    full = shown.repaid_percent >= FULL_PERCENT
    provability = (
        np.where(shown.by_name, BY_NAME, 1.0)
        * np.where(full, REPAID, 1.0)
        * np.where(shown.late, LATE, 1.0)
    )
    return Chances(
        guilt=guilt,
        provability=provability,
        probability=_to_rates(shown.kind, guilt, provability),
        benign=np.select(
            [full, shown.by_name, shown.late], ["repaid", "wrong match", "late feed"], ""
        ),
        pattern=shown.pattern,
        mended=shown.mended,
    )


def _guilt(world: World, shown: Shown) -> Floats:
    settled = shown.day - SETTLED_DAYS * DAY
    of_person = per_clue(shown.kind, "subject") == "person"
    offences = np.minimum(world.offences.before(shown.person, settled), 2)
    penalties = np.minimum(world.penalties.before(shown.company, settled), 3)
    ring = of_person & (world.phone_kind[shown.person] == RING_PHONE)
    benefit = np.isin(shown.kind, [PLACE["benefit_after_death"], PLACE["benefit_in_custody"]])
    partly = (shown.repaid_percent > 0) & (shown.repaid_percent < FULL_PERCENT)
    return np.asarray(
        AMOUNT * per_clue(shown.kind, "speaks") * shown.size
        + OFFENCE * offences
        + RING * ring
        + CROWD * (world.crowd[shown.company] >= CROWDED)
        + PENALTY * penalties
        + SOON * ((shown.gap_days >= 0) & (shown.gap_days < SOON_DAYS))
        + LONG_AFTER * (shown.gap_days > LONG_DAYS)
        + PART_REPAID * partly
        + RECORD * (shown.more_records - 2)
        + _behind(world, shown)
        + HIDDEN * world.hidden[shown.person]
        + NEW_PATTERN * shown.pattern
        + POLICY * (benefit & (shown.month >= POLICY_MONTH) & (shown.size < 0)),
        np.float64,
    )


def _behind(world: World, shown: Shown) -> Floats:
    """What the body behind the record and the lawyer add."""
    effect = world.institutions.effect
    found = np.zeros(len(shown.kind))
    for at, kind in enumerate(KINDS):
        rows = shown.kind == at
        found[rows] = effect[kind.body][shown.body[rows]]
        if kind.lawyer:
            found[rows] += LAWYER * effect["lawyer"][shown.lawyer[rows]]
    return found


def _to_rates(kind: Ints, guilt: Floats, provability: Floats) -> Floats:
    """Guilty and provable; the mean per supervision model is its rate (bisection)."""
    probability = np.empty(len(kind))
    for at, each in enumerate(KINDS):
        rows = np.flatnonzero(kind == at)
        low, high = -25.0, 25.0
        for _ in range(60):
            middle = (low + high) / 2
            there = provability[rows] / (1 + np.exp(-STEEPNESS * guilt[rows] - middle))
            low, high = (middle, high) if there.sum() < each.rate * len(rows) else (low, middle)
        probability[rows] = provability[rows] / (1 + np.exp(-STEEPNESS * guilt[rows] - low))
    return np.clip(probability, 1e-6, 1 - 1e-6)
