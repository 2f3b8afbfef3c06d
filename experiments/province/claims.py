"""Insurance and injuries, and civil judgments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.province.findings import Findings
from experiments.province.frames import (
    DAY,
    body_of,
    draw_days,
    frame,
    match_words,
    numbered,
)
from experiments.province.world import START, Ints, World

JUDGMENTS_PER_CLUE = 5


def enrolment(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    """Insured days before the injury, for a finding; entered afterwards where it is the fraud."""
    rows = found.of("injury_before_insurance")
    injured = found.revealed[rows] - found.lag_days[rows] * DAY
    enrolled = injured - (1 + found.person[rows] % 8) * DAY
    dishonest = found.guilt[rows] > np.median(found.guilt) + draw.normal(0, 1, len(rows))
    plain = others[len(others) // 3 : len(others) // 3 + 2 * len(rows)]
    on = draw_days(len(plain), span, draw) - 200 * DAY
    parts = [
        frame(
            True,
            person_id=world.person_id[found.person[rows]],
            company_id=world.company_id[found.company[rows]],
            enrolled_on=enrolled,
            recorded_on=np.where(dishonest, found.revealed[rows] - 1 * DAY, enrolled + 1 * DAY),
        ),
        frame(
            False,
            person_id=world.person_id[plain],
            company_id=world.company_id[world.employer[plain]],
            enrolled_on=on,
            recorded_on=on + draw.integers(1, 20, len(plain)) * DAY,
        ),
    ]
    return numbered("enrolment_no", "CB", parts, "recorded_on")


def claims(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    """Claims days after the first insurance, and others."""
    rows = found.of("injury_before_insurance")
    plain = others[len(others) // 3 : len(others) // 3 + 2 * len(rows)]
    injured = np.datetime64(START) + (span - draw.integers(0, 60, len(plain))) * DAY
    parts = [
        frame(
            True,
            person_id=world.person_id[found.person[rows]],
            company_id=world.company_id[found.company[rows]],
            hospital_id=body_of(world, found, "hospital", rows),
            injured_on=found.revealed[rows] - found.lag_days[rows] * DAY,
            claimed_on=found.revealed[rows],
            amount_cents=np.maximum(100, found.amount_cents[rows]),
            repaid_cents=np.where(found.repaid[rows], found.amount_cents[rows], 0),
            matched_by=match_words(found, rows),
        ),
        frame(
            False,
            person_id=world.person_id[plain],
            company_id=world.company_id[world.employer[plain]],
            hospital_id=draw.choice(world.bodies["hospital"], len(plain)),
            injured_on=injured,
            claimed_on=injured + draw.integers(5, 40, len(plain)) * DAY,
            amount_cents=draw.integers(100_000, 20_000_000, len(plain)),
            repaid_cents=0,
            matched_by="id",
        ),
    ]
    return numbered("claim_no", "GS", parts, "claimed_on")


def judgments(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    """Five like judgments for a finding, the fifth published in its month; others have fewer."""
    rows = found.of("serial_plaintiff")
    each = np.repeat(rows, JUDGMENTS_PER_CLUE)
    step = np.tile(np.arange(JUDGMENTS_PER_CLUE), len(rows))
    published = found.revealed[each] - ((JUDGMENTS_PER_CLUE - 1 - step) * 30) * DAY
    plain = others[len(others) // 5 : len(others) // 5 + 4 * len(rows) + 1]
    on = draw_days(len(plain), span, draw)
    lawyers = np.array([f"L{i:04d}" for i in range(300)], dtype=object)
    causes = np.array(["private_lending", "sale", "labour", "lease"], dtype=object)
    parts = [
        frame(
            True,
            plaintiff_id=world.person_id[found.person[each]],
            defendant_id=draw.choice(world.person_id, len(each)),
            lawyer_id=lawyers[found.person[each] % len(lawyers)],
            court_id=body_of(world, found, "court", each),
            cause="private_lending",
            amount_cents=np.maximum(100, found.amount_cents[each] // JUDGMENTS_PER_CLUE),
            judged_on=published - found.lag_days[each] * DAY,
            published_on=published,
            matched_by=match_words(found, each),
        ),
        frame(
            False,
            plaintiff_id=world.person_id[plain],
            defendant_id=draw.choice(world.person_id, len(plain)),
            lawyer_id=draw.choice(lawyers, len(plain)),
            court_id=draw.choice(world.bodies["court"], len(plain)),
            cause=draw.choice(causes, len(plain)),
            amount_cents=draw.integers(100_000, 50_000_000, len(plain)),
            judged_on=on,
            published_on=on + draw.integers(30, 121, len(plain)) * DAY,
            matched_by="id",
        ),
    ]
    return numbered("case_no", "MS", parts, "published_on")
