"""Who lives there, who died or went into custody, and what was paid all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from experiments.province.findings import Findings
from experiments.province.frames import (
    DAY,
    OLD_DAYS,
    body_of,
    draw_days,
    frame,
    match_words,
    numbered,
)
from experiments.province.world import START, Ints, World

REGIONS = np.array(["养老金", "低保金", "高龄津贴", "失业金"], dtype=object)


def persons(world: World) -> pd.DataFrame:
    """Who lives in the province."""
    return frame(
        True,
        person_id=world.person_id,
        county_id=world.county,
        birth_year=world.birth_year,
        sex=world.sex,
        family_id=world.family_id,
        phone_id=world.phone_id,
        company_id=world.company_id[world.employer],
        registered_on=np.datetime64(START) - OLD_DAYS * DAY,
    )


def companies(world: World, draw: np.random.Generator) -> pd.DataFrame:
    """Its companies."""
    count = len(world.company_id)
    return frame(
        True,
        company_id=world.company_id,
        county_id=world.company_county,
        address_id=world.company_address,
        phone_id=world.company_phone,
        trade=world.company_trade,
        registered_on=np.datetime64(START) - draw.integers(30, OLD_DAYS, count) * DAY,
    )


def deaths(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    """Deaths that payments outlived, and others."""
    rows = found.of("benefit_after_death")
    plain = others[: len(rows)]
    sources = np.array(["police", "civil_affairs", "crematorium"], dtype=object)
    died = draw_days(len(plain), span, draw)
    parts = [
        frame(
            True,
            person_id=world.person_id[found.person[rows]],
            died_on=found.revealed[rows] - found.lag_days[rows] * DAY,
            reported_on=found.revealed[rows],
            source=draw.choice(sources, len(rows), p=[0.3, 0.3, 0.4]),
            matched_by=match_words(found, rows),
        ),
        frame(
            False,
            person_id=world.person_id[plain],
            died_on=died,
            reported_on=died + draw.integers(5, 61, len(plain)) * DAY,
            source=draw.choice(sources, len(plain)),
            matched_by=np.where(draw.random(len(plain)) < 0.1, "name", "id").astype(object),
        ),
    ]
    return numbered("death_no", "SW", parts, "reported_on")


def custody(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    """Custody that payments outlived, and others."""
    rows = found.of("benefit_in_custody")
    plain = others[len(others) // 2 : len(others) // 2 + len(rows)]
    entered = draw_days(len(plain), span, draw)
    parts = [
        frame(
            True,
            person_id=world.person_id[found.person[rows]],
            court_id=world.bodies["court"][found.person[rows] % len(world.bodies["court"])],
            entered_on=found.revealed[rows] - found.lag_days[rows] * DAY,
            reported_on=found.revealed[rows],
            matched_by=match_words(found, rows),
        ),
        frame(
            False,
            person_id=world.person_id[plain],
            court_id=draw.choice(world.bodies["court"], len(plain)),
            entered_on=entered,
            reported_on=entered + draw.integers(15, 91, len(plain)) * DAY,
            matched_by="id",
        ),
    ]
    return numbered("custody_no", "JY", parts, "reported_on")


def payments(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    """Monthly benefits: three before the death or custody, `records` after it, some paid back."""
    rows = np.concatenate([found.of("benefit_after_death"), found.of("benefit_in_custody")])
    after = found.records[rows]
    each = np.repeat(rows, after + 3)
    step = np.concatenate([np.arange(count + 3) for count in after]) - 3
    began = (found.revealed - found.lag_days * DAY)[each]
    paid = np.where(step < 0, began + (step * 30) * DAY, began + (1 + step * 28) * DAY)
    paid = np.where(step < 0, paid, np.minimum(paid, found.revealed[each] - 13 * DAY))
    monthly = np.maximum(1_000, found.amount_cents[each] // np.maximum(1, found.records[each]))
    back = rows[found.repaid[rows]]
    plain = others[len(others) // 4 : len(others) // 4 + max(1, len(found.kind) // 4)]
    regular = np.repeat(plain, 16)
    first = draw_days(len(plain), max(1, span - 480), draw)
    parts = [
        payment_frame(
            world, found.person[each], body_of(world, found, "agency", each), paid, monthly
        ),
        payment_frame(
            world,
            found.person[back],
            body_of(world, found, "agency", back),
            found.revealed[back] - 12 * DAY,
            -found.amount_cents[back],
        ),
        payment_frame(
            world,
            regular,
            world.bodies["agency"][regular % len(world.bodies["agency"])],
            np.repeat(first, 16) + np.tile(np.arange(16) * 30, len(plain)) * DAY,
            draw.integers(20_000, 200_000, len(regular)),
            planned=False,
        ),
    ]
    whole = numbered("payment_no", "FF", parts, "paid_on")
    whole["remark"] = draw.choice(REGIONS, len(whole))
    return whole


def payment_frame(
    world: World, person: Ints, agency: np.ndarray, paid: Any, cents: Any, planned: bool = True
) -> pd.DataFrame:
    """Payments of an agency to persons."""
    return frame(
        planned,
        person_id=world.person_id[person],
        agency_id=agency,
        paid_on=paid,
        amount_cents=cents,
    )
