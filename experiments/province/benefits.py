"""Deaths as three sources tell them, custody, and what was paid all the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from experiments.province.frames import Setting, evenly, frame, numbered, repeated
from experiments.province.world import DAY, FIRST_DAY, Ints, Texts

SOURCES = np.array(["police", "civil_affairs", "crematorium"], dtype=object)
FIFTY_FIVE = np.datetime64("1966-01-01")
# Payments become known ten days after they were made; the last one in time for the clue.
IN_TIME, BEFORE, MONTHS_PAID = 13, 3, 16


def deaths(setting: Setting) -> pd.DataFrame:
    """Deaths that payments outlived, told by one source to three of them, and others."""
    found, draw = setting.found, setting.draw
    rows = found.of("benefit_after_death")
    each, step = repeated(rows, found.sources[rows])
    source = SOURCES[(found.person[each] + step) % len(SOURCES)]
    plain = setting.some(0.03)
    died = setting.days(len(plain))
    told, which = repeated(np.arange(len(plain)), np.where(draw.random(len(plain)) < 0.03, 1, 2))
    parts = [
        frame(
            True,
            person_id=setting.persons(each),
            # Sources differ by a day or two.
            died_on=found.event[each] + np.minimum(step, 2) * DAY,
            reported_on=found.revealed[each],
            source=source,
            matched_by=setting.matched(each),
        ),
        frame(
            False,
            person_id=setting.world.person_id[plain[told]],
            died_on=died[told],
            reported_on=died[told] + draw.integers(5, 61, len(told)) * DAY,
            source=SOURCES[(plain[told] + which) % len(SOURCES)],
            matched_by=setting.mostly_by_id(len(told)),
        ),
    ]
    return numbered(setting, "death_no", "SW", parts, "reported_on")


def custody(setting: Setting) -> pd.DataFrame:
    """Custody that payments outlived, and others."""
    found, draw = setting.found, setting.draw
    rows = found.of("benefit_in_custody")
    courts = setting.world.institutions.bodies["court"]
    plain = setting.some(0.01, skip=0.03)
    entered = setting.days(len(plain))
    parts = [
        frame(
            True,
            person_id=setting.persons(rows),
            court_id=courts[found.person[rows] % len(courts)],
            entered_on=found.event[rows],
            reported_on=found.revealed[rows],
            matched_by=setting.matched(rows),
        ),
        frame(
            False,
            person_id=setting.world.person_id[plain],
            court_id=draw.choice(courts, len(plain)),
            entered_on=entered,
            reported_on=entered + draw.integers(15, 91, len(plain)) * DAY,
            matched_by=setting.mostly_by_id(len(plain)),
        ),
    ]
    return numbered(setting, "custody_no", "JY", parts, "reported_on")


def payments(setting: Setting) -> pd.DataFrame:
    """Monthly benefits: three before the death or custody, `records` after it, some paid back."""
    found, draw, world = setting.found, setting.draw, setting.world
    rows = np.concatenate([found.of("benefit_after_death"), found.of("benefit_in_custody")])
    before, back_step = repeated(rows, np.full(len(rows), BEFORE))
    after, step = repeated(rows, found.records[rows])
    last = found.revealed[after] - IN_TIME * DAY
    first = np.minimum(found.event[after] + (found.gap_days[after] + 3) * DAY, last)
    monthly = np.maximum(1_000, found.amount_cents // np.maximum(1, found.records))
    back = rows[found.repaid_percent[rows] > 0]
    whole = monthly[back] * found.records[back]
    plain = setting.some(min(0.5, 0.025 * setting.plenty), skip=0.04)
    parts = [
        _paid(setting, before, found.event[before] - (back_step * 30 + 5) * DAY, monthly[before]),
        _paid(setting, after, evenly(first, last, step, found.records[after]), monthly[after]),
        _paid(
            setting,
            back,
            found.revealed[back] - (IN_TIME - 1) * DAY,
            -(whole * found.repaid_percent[back] // 100),
        ),
        *_regular(setting, plain, draw),
    ]
    table = numbered(setting, "payment_no", "FF", parts, "paid_on")
    old = world.born[table.pop("person").to_numpy()] < FIFTY_FIVE
    some = draw.integers(0, 2, len(table))
    table["remark"] = np.where(
        old, np.where(some, "养老金", "高龄津贴"), np.where(some, "低保金", "失业金")
    ).astype(object)
    return table


def _paid(setting: Setting, rows: Ints, day: Any, cents: Any) -> pd.DataFrame:
    return _payment(setting, setting.found.person[rows], setting.bodies("agency", rows), day, cents)


def _regular(setting: Setting, plain: Ints, draw: np.random.Generator) -> list[pd.DataFrame]:
    """Others are paid month by month; each January twice, and it is taken back in February."""
    agencies = setting.world.institutions.bodies["agency"]
    each, step = repeated(plain, np.full(len(plain), MONTHS_PAID))
    first = np.repeat(setting.days(len(plain), 30 * MONTHS_PAID), MONTHS_PAID)
    day = first + step * 30 * DAY
    agency = agencies[each % len(agencies)]
    cents = np.repeat(draw.integers(20_000, 200_000, len(plain)), MONTHS_PAID)
    january = (day.astype("datetime64[M]").astype(np.int64) % 12 == 0) & (day >= FIRST_DAY)
    twice = np.flatnonzero(january)
    return [
        _payment(setting, each, agency, day, cents, planned=False),
        _payment(setting, each[twice], agency[twice], day[twice], cents[twice], planned=False),
        _payment(
            setting,
            each[twice],
            agency[twice],
            day[twice] + 31 * DAY,
            -cents[twice],
            planned=False,
        ),
    ]


def _payment(
    setting: Setting, person: Ints, agency: Texts, day: Any, cents: Any, planned: bool = True
) -> pd.DataFrame:
    return frame(
        planned,
        person_id=setting.world.person_id[person],
        person=person,
        agency_id=agency,
        paid_on=day,
        amount_cents=cents,
    )
