"""What courts decided: sentences and the licences that should have gone, civil judgments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.province.frames import Setting, evenly, frame, numbered, repeated
from experiments.province.kinds import LATE_DAYS, SERVE_DAYS
from experiments.province.world import DAY, FIRST_DAY, OLD_DAYS, Ints

OFFENCES = np.array(["theft", "fraud", "assault"], dtype=object)
BANNING = np.array(["food_safety", "child_abuse"], dtype=object)
CAUSES = np.array(["private_lending", "sale", "labour", "lease"], dtype=object)
REPORT_DAYS = 45
# Suits of one plaintiff: this many days apart at least, and so much more as the gap says.
LEAST_APART, FEWEST = 3, 5


def served_by(setting: Setting, rows: Ints) -> np.ndarray:
    """The day an unserved sentence was pronounced: long ago where its report came late."""
    found = setting.found
    late = found.lag_days[rows] >= LATE_DAYS
    due = found.revealed[rows] - (SERVE_DAYS + 1) * DAY
    return np.where(late, found.event[rows], due)


def sentences(setting: Setting) -> pd.DataFrame:
    """Sentences behind findings; the offences of people with a record, all suspended; others."""
    found, world, draw = setting.found, setting.world, setting.draw
    drunk, unserved, banned = (
        found.of(name)
        for name in ("licence_not_revoked", "unserved_sentence", "banned_from_occupation")
    )
    pronounced = served_by(setting, unserved)
    told = pronounced + found.lag_days[unserved] * DAY
    convicted = found.event[banned] - (found.gap_days[banned] + 5) * DAY
    record, plain = world.offences, setting.some(0.01, skip=0.2)
    on = setting.days(len(plain))
    parts = [
        _sentenced(setting, drunk, "drunk_driving", "fine", found.event[drunk],
                   found.revealed[drunk]),
        _sentenced(setting, unserved, "robbery", "custody", pronounced, told),
        _sentenced(setting, banned, BANNING[found.person[banned] % 2], "suspended", convicted,
                   convicted + 4 * DAY),
        _others(setting, record.owner, OFFENCES[record.owner % 3], "suspended", record.day,
                REPORT_DAYS + draw.integers(0, 40, len(record.owner))),
        _others(setting, plain, "drunk_driving", "fine", on, draw.integers(20, 91, len(plain))),
    ]  # fmt: skip
    return numbered(setting, "sentence_no", "PJ", parts, "reported_on")


def _sentenced(
    setting: Setting, rows: Ints, offence: object, penalty: str, day: object, told: object
) -> pd.DataFrame:
    return frame(
        True,
        person_id=setting.persons(rows),
        court_id=setting.bodies("court", rows),
        offence=offence,
        penalty=penalty,
        sentenced_on=day,
        reported_on=told,
        matched_by=setting.matched(rows),
    )


def _others(
    setting: Setting, person: Ints, offence: object, penalty: str, day: np.ndarray, lag: Ints
) -> pd.DataFrame:
    return frame(
        False,
        person_id=setting.world.person_id[person],
        court_id=setting.any_body("court", len(person)),
        offence=offence,
        penalty=penalty,
        sentenced_on=day,
        reported_on=day + lag * DAY,
        matched_by="id",
    )


def licences(setting: Setting) -> pd.DataFrame:
    """States over time; whoever else drove drunk has his licence revoked before it is reported."""
    found, draw = setting.found, setting.draw
    rows = found.of("licence_not_revoked")
    drunk, ordinary = setting.some(0.01, skip=0.2), setting.some(0.1, skip=0.25)
    classes = np.array(["A", "B", "C"], dtype=object)

    def held(planned: bool, person: Ints, status: str) -> pd.DataFrame:
        issued = FIRST_DAY - draw.integers(100, OLD_DAYS, len(person)) * DAY
        return frame(
            planned,
            person_id=setting.world.person_id[person],
            licence_class=draw.choice(classes, len(person), p=[0.1, 0.2, 0.7]),
            status=status,
            changed_on=issued,
        )

    parts = [
        held(True, found.person[rows], "valid"),
        held(False, drunk, "revoked"),
        held(False, ordinary, "valid"),
    ]
    return numbered(setting, "change_no", "JZ", parts, "changed_on")


def judgments(setting: Setting) -> pd.DataFrame:
    """Suits in series, the last published in the clue's month; damages that insurance had paid
    already; and others' few suits, where two people may share a name."""
    found, draw, world = setting.found, setting.draw, setting.world
    serial, double = found.of("serial_plaintiff"), found.of("double_reimbursement")
    each, step = repeated(serial, found.records[serial])
    times = found.records[each]
    last = found.event[each]
    first = last - (times - 1) * (LEAST_APART + found.gap_days[each]) * DAY
    judged = evenly(first, last, step, times)
    told = judged + found.lag_days[each] * DAY
    # Four are no series yet; the fifth and all after it come out together.
    told = np.where(step >= FEWEST - 1, found.revealed[each], told)
    plain = setting.some(min(0.4, 0.04 * setting.plenty), skip=0.5)
    on = setting.days(len(plain))
    lawyers = world.institutions.bodies["lawyer"]
    parts = [
        _judged(setting, each, "private_lending", judged, told,
                found.amount_cents[each] // times),
        _judged(setting, double, "injury_compensation", found.event[double],
                found.revealed[double], found.amount_cents[double] * 11 // 10),
        frame(
            False,
            plaintiff_id=world.person_id[plain],
            defendant_id=draw.choice(world.person_id, len(plain)),
            lawyer_id=draw.choice(lawyers, len(plain)),
            court_id=setting.any_body("court", len(plain)),
            cause=draw.choice(CAUSES, len(plain)),
            amount_cents=draw.integers(100_000, 50_000_000, len(plain)),
            judged_on=on,
            published_on=on + draw.integers(30, 121, len(plain)) * DAY,
            matched_by=setting.mostly_by_id(len(plain)),
        ),
    ]  # fmt: skip
    return numbered(setting, "case_no", "MS", parts, "published_on")


def _judged(
    setting: Setting, rows: Ints, cause: str, day: np.ndarray, told: np.ndarray, cents: Ints
) -> pd.DataFrame:
    found, world = setting.found, setting.world
    courts = world.institutions.bodies["court"]
    return frame(
        True,
        plaintiff_id=setting.persons(rows),
        defendant_id=setting.draw.choice(world.person_id, len(rows)),
        lawyer_id=world.institutions.bodies["lawyer"][found.lawyer[rows]],
        court_id=courts[found.body[rows] % len(courts)],
        cause=cause,
        amount_cents=np.maximum(100, cents),
        judged_on=day,
        published_on=told,
        matched_by=setting.matched(rows),
    )
