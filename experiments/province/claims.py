"""Insurance and injuries, work, and what medical insurance paid."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.province.frames import Setting, evenly, frame, numbered, repeated
from experiments.province.kinds import PLACE
from experiments.province.world import DAY, FIRST_DAY, OLD_DAYS, Ints

# Of the special outpatient visits of a clue: this many days between the first and the last.
SPAN_DAYS = 5
BANNED_POSTS = np.array(["food_handling", "teaching"], dtype=object)
OTHER_POSTS = np.array(["office", "workshop", "driving", "sales"], dtype=object)


def insured_days(setting: Setting, rows: Ints) -> Ints:
    """Days insured before the injury, 0 to 9: the same for the enrolment and the claim."""
    return np.asarray(setting.found.person[rows] % 10, np.int64)


def enrolment(setting: Setting) -> pd.DataFrame:
    """Insured days before the injury, for a finding; others long before, none by a shell."""
    found, world, draw = setting.found, setting.world, setting.draw
    rows = found.of("injury_before_insurance")
    enrolled = found.event[rows] - insured_days(setting, rows) * DAY
    plain = setting.some(0.15, skip=0.05)
    shells = found.company[found.kind == PLACE["shell_company"]]
    plain = plain[~np.isin(world.employer[plain], shells)]
    on = setting.days(len(plain)) - 200 * DAY
    # Whoever is hurt at work (below) has been insured for years.
    on[np.isin(plain, hurt(setting))] = FIRST_DAY - OLD_DAYS * DAY
    parts = [
        frame(
            True,
            person_id=setting.persons(rows),
            company_id=world.company_id[found.company[rows]],
            enrolled_on=enrolled,
            # Entered after the injury: the fraud itself, or a slow clerk.
            recorded_on=np.minimum(
                enrolled + (1 + found.person[rows] % 37) * DAY, found.revealed[rows]
            ),
        ),
        frame(
            False,
            person_id=world.person_id[plain],
            company_id=world.company_id[world.employer[plain]],
            enrolled_on=on,
            recorded_on=on + draw.integers(1, 20, len(plain)) * DAY,
        ),
    ]
    return numbered(setting, "enrolment_no", "CB", parts, "recorded_on")


def hurt(setting: Setting) -> Ints:
    """People with a harmless injury at work."""
    return setting.some(0.01, skip=0.05)


def claims(setting: Setting) -> pd.DataFrame:
    """Claims days after the first insurance, and others of people insured for years."""
    found, world, draw = setting.found, setting.world, setting.draw
    rows = found.of("injury_before_insurance")
    plain = hurt(setting)
    injured = setting.days(len(plain))
    cents = np.maximum(100, found.amount_cents[rows])
    parts = [
        frame(
            True,
            person_id=setting.persons(rows),
            company_id=world.company_id[found.company[rows]],
            hospital_id=setting.bodies("hospital", rows),
            injured_on=found.event[rows],
            claimed_on=found.revealed[rows],
            amount_cents=cents,
            repaid_cents=cents * found.repaid_percent[rows] // 100,
            matched_by=setting.matched(rows),
        ),
        frame(
            False,
            person_id=world.person_id[plain],
            company_id=world.company_id[world.employer[plain]],
            hospital_id=setting.any_body("hospital", len(plain)),
            injured_on=injured,
            claimed_on=injured + draw.integers(5, 40, len(plain)) * DAY,
            amount_cents=draw.integers(100_000, 20_000_000, len(plain)),
            repaid_cents=0,
            matched_by="id",
        ),
    ]
    return numbered(setting, "claim_no", "GS", parts, "claimed_on")


def employment(setting: Setting) -> pd.DataFrame:
    """Jobs in a banned trade after the conviction, and everybody else's jobs."""
    found, world, draw = setting.found, setting.world, setting.draw
    rows = found.of("banned_from_occupation")
    plain = setting.some(0.3, skip=0.2)
    started = setting.days(len(plain)) - 300 * DAY
    parts = [
        frame(
            True,
            person_id=setting.persons(rows),
            company_id=world.company_id[found.company[rows]],
            post=BANNED_POSTS[found.person[rows] % 2],
            started_on=found.event[rows],
            recorded_on=found.revealed[rows],
            matched_by=setting.matched(rows),
        ),
        frame(
            False,
            person_id=world.person_id[plain],
            company_id=world.company_id[world.employer[plain]],
            post=draw.choice(np.concatenate([BANNED_POSTS, OTHER_POSTS]), len(plain)),
            started_on=started,
            recorded_on=started + draw.integers(5, 60, len(plain)) * DAY,
            matched_by=setting.mostly_by_id(len(plain)),
        ),
    ]
    return numbered(setting, "employment_no", "YG", parts, "recorded_on")


def settlements(setting: Setting) -> pd.DataFrame:
    """Injuries somebody else paid for too, special visits without a history, and ordinary care.

    What is settled becomes known twenty days later.
    """
    double = _of_finding(setting, "double_reimbursement", "injury")
    staged = _of_finding(setting, "staged_outpatient_disease", "special_outpatient")
    plain = setting.some(min(0.6, 0.05 * setting.plenty), skip=0.3)
    each, step = repeated(plain, np.full(len(plain), 5))
    kinds = np.array(["inpatient", "outpatient", "outpatient", "inpatient", "outpatient"], object)
    first = np.repeat(setting.days(len(plain), 300), 5)
    ordinary = frame(
        False,
        person_id=setting.world.person_id[each],
        hospital_id=setting.any_body("hospital", len(each)),
        kind=kinds[step],
        settled_on=first + step * 60 * DAY,
        recorded_on=first + (step * 60 + 20) * DAY,
        amount_cents=setting.draw.integers(5_000, 800_000, len(each)),
        matched_by="id",
    )
    return numbered(setting, "settlement_no", "YB", [*double, *staged, ordinary], "recorded_on")


def _of_finding(setting: Setting, name: str, kind: str) -> list[pd.DataFrame]:
    """The settlements behind findings, and a reversal where money went back.

    The last becomes known on the day of revelation (special visits) or long before (an injury,
    which a judgment reveals); the earlier ones at most that much earlier.
    """
    found = setting.found
    rows = found.of(name)
    each, step = repeated(rows, found.records[rows])
    if kind == "injury":
        first = last = found.event[rows] - (found.gap_days[rows] + 5) * DAY
        recorded = last + 4 * DAY
    else:
        last, recorded = found.event[rows], found.revealed[rows]
        first = last - (found.gap_days[rows] + SPAN_DAYS) * DAY
    place = np.full(len(found.kind), -1)
    place[rows] = np.arange(len(rows))
    at = place[each]
    part = np.maximum(100, found.amount_cents // np.maximum(1, found.records))
    back = rows[found.repaid_percent[rows] > 0]
    whole = part[back] * found.records[back]
    on = place[back]
    return [
        _settled(setting, each, kind, evenly(first[at], last[at], step, found.records[each]),
                 recorded[at], part[each]),
        _settled(setting, back, kind, last[on], recorded[on],
                 -(whole * found.repaid_percent[back] // 100)),
    ]  # fmt: skip


def _settled(
    setting: Setting, rows: Ints, kind: str, day: np.ndarray, recorded: np.ndarray, cents: Ints
) -> pd.DataFrame:
    return frame(
        True,
        person_id=setting.persons(rows),
        hospital_id=setting.bodies("hospital", rows),
        kind=kind,
        settled_on=day,
        recorded_on=recorded,
        amount_cents=cents,
        matched_by=setting.matched(rows),
    )
