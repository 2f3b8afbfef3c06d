"""Records: each finding's own, planted so that its supervision model raises exactly that clue in
its month; and those of everybody else, which raise none.

Every table carries `planned` (bool): rows a finding needs. It is dropped before writing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from experiments.province.findings import Findings
from experiments.province.world import START, Ints, World

Frames = dict[str, pd.DataFrame]
DAY = np.timedelta64(1, "D")
OLD_DAYS = 1200
REGIONS = np.array(["养老金", "低保金", "高龄津贴", "失业金"], dtype=object)
JUDGMENTS_PER_CLUE = 5


def make_records(world: World, found: Findings, months: int, draw: np.random.Generator) -> Frames:
    """All record sets of the province, without dirt, rows in order of their times."""
    rest = np.setdiff1d(np.arange(len(world.person_id)), found.person)
    others = draw.permutation(rest)
    span = months * 30
    frames = {
        "persons": _persons(world),
        "companies": _companies(world, draw),
        "deaths": _deaths(world, found, others, span, draw),
        "custody": _custody(world, found, others, span, draw),
        "benefit_payments": _payments(world, found, others, span, draw),
        "sentences": _sentences(world, found, others, span, draw),
        "driving_licences": _licences(world, found, others, draw),
        "penalties": _penalties(world, found, span, draw),
        "insurance_enrolment": _enrolment(world, found, others, span, draw),
        "injury_claims": _claims(world, found, others, span, draw),
        "court_judgments": _judgments(world, found, others, span, draw),
    }
    frames["fine_payments"] = _fine_payments(frames["penalties"], found, draw)
    return {name: frame.reset_index(drop=True) for name, frame in frames.items()}


def _days(count: int, span: int, draw: np.random.Generator) -> np.ndarray:
    return np.datetime64(START) + draw.integers(0, span, count) * DAY


def _body(world: World, found: Findings, kind: str, rows: Ints) -> np.ndarray:
    return world.bodies[kind][found.body[rows]]


def _match(found: Findings, rows: Ints) -> np.ndarray:
    return np.where(found.by_name[rows], "name", "id").astype(object)


def _frame(planned: bool, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({**columns, "planned": planned})


def _numbered(name: str, prefix: str, parts: list[pd.DataFrame], by: str) -> pd.DataFrame:
    """Parts together in the order of `by`, numbered in that order."""
    whole = pd.concat(parts, ignore_index=True).sort_values(by, kind="stable", ignore_index=True)
    whole.insert(0, name, [f"{prefix}{number:08d}" for number in range(1, len(whole) + 1)])
    return whole


def _persons(world: World) -> pd.DataFrame:
    return _frame(
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


def _companies(world: World, draw: np.random.Generator) -> pd.DataFrame:
    count = len(world.company_id)
    return _frame(
        True,
        company_id=world.company_id,
        county_id=world.company_county,
        address_id=world.company_address,
        phone_id=world.company_phone,
        trade=world.company_trade,
        registered_on=np.datetime64(START) - draw.integers(30, OLD_DAYS, count) * DAY,
    )


def _deaths(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    rows = found.of("benefit_after_death")
    plain = others[: len(rows)]
    sources = np.array(["police", "civil_affairs", "crematorium"], dtype=object)
    died = _days(len(plain), span, draw)
    parts = [
        _frame(
            True,
            person_id=world.person_id[found.person[rows]],
            died_on=found.revealed[rows] - found.lag_days[rows] * DAY,
            reported_on=found.revealed[rows],
            source=draw.choice(sources, len(rows), p=[0.3, 0.3, 0.4]),
            matched_by=_match(found, rows),
        ),
        _frame(
            False,
            person_id=world.person_id[plain],
            died_on=died,
            reported_on=died + draw.integers(5, 61, len(plain)) * DAY,
            source=draw.choice(sources, len(plain)),
            matched_by=np.where(draw.random(len(plain)) < 0.1, "name", "id").astype(object),
        ),
    ]
    return _numbered("death_no", "SW", parts, "reported_on")


def _custody(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    rows = found.of("benefit_in_custody")
    plain = others[len(others) // 2 : len(others) // 2 + len(rows)]
    entered = _days(len(plain), span, draw)
    parts = [
        _frame(
            True,
            person_id=world.person_id[found.person[rows]],
            court_id=world.bodies["court"][found.person[rows] % len(world.bodies["court"])],
            entered_on=found.revealed[rows] - found.lag_days[rows] * DAY,
            reported_on=found.revealed[rows],
            matched_by=_match(found, rows),
        ),
        _frame(
            False,
            person_id=world.person_id[plain],
            court_id=draw.choice(world.bodies["court"], len(plain)),
            entered_on=entered,
            reported_on=entered + draw.integers(15, 91, len(plain)) * DAY,
            matched_by="id",
        ),
    ]
    return _numbered("custody_no", "JY", parts, "reported_on")


def _payments(
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
    first = _days(len(plain), max(1, span - 480), draw)
    parts = [
        _payment_frame(
            world, found.person[each], _body(world, found, "agency", each), paid, monthly
        ),
        _payment_frame(
            world,
            found.person[back],
            _body(world, found, "agency", back),
            found.revealed[back] - 12 * DAY,
            -found.amount_cents[back],
        ),
        _payment_frame(
            world,
            regular,
            world.bodies["agency"][regular % len(world.bodies["agency"])],
            np.repeat(first, 16) + np.tile(np.arange(16) * 30, len(plain)) * DAY,
            draw.integers(20_000, 200_000, len(regular)),
            planned=False,
        ),
    ]
    whole = _numbered("payment_no", "FF", parts, "paid_on")
    whole["remark"] = draw.choice(REGIONS, len(whole))
    return whole


def _payment_frame(
    world: World, person: Ints, agency: np.ndarray, paid: Any, cents: Any, planned: bool = True
) -> pd.DataFrame:
    return _frame(
        planned,
        person_id=world.person_id[person],
        agency_id=agency,
        paid_on=paid,
        amount_cents=cents,
    )


def _sentences(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    rows = found.of("licence_not_revoked")
    plain = others[-2 * len(rows) - 1 :]
    on = _days(len(plain), span, draw)
    offences = np.array(["theft", "fraud", "assault", "drunk_driving"], dtype=object)
    parts = [
        _frame(
            True,
            person_id=world.person_id[found.person[rows]],
            court_id=_body(world, found, "court", rows),
            offence="drunk_driving",
            sentenced_on=found.revealed[rows] - found.lag_days[rows] * DAY,
            reported_on=found.revealed[rows],
            matched_by=_match(found, rows),
        ),
        _frame(
            False,
            person_id=world.person_id[plain],
            court_id=draw.choice(world.bodies["court"], len(plain)),
            offence=draw.choice(offences, len(plain)),
            sentenced_on=on,
            reported_on=on + draw.integers(20, 91, len(plain)) * DAY,
            matched_by="id",
        ),
    ]
    return _numbered("sentence_no", "PJ", parts, "reported_on")


def _licences(
    world: World, found: Findings, others: Ints, draw: np.random.Generator
) -> pd.DataFrame:
    """States over time; whoever else is sentenced has his licence revoked before it is reported."""
    rows = found.of("licence_not_revoked")
    plain = others[-2 * len(rows) - 1 :]
    old = np.datetime64(START) - draw.integers(100, OLD_DAYS, len(rows)) * DAY
    issued = np.datetime64(START) - draw.integers(100, OLD_DAYS, len(plain)) * DAY
    classes = np.array(["A", "B", "C"], dtype=object)
    parts = [
        _frame(
            True,
            person_id=world.person_id[found.person[rows]],
            licence_class=draw.choice(classes, len(rows), p=[0.1, 0.2, 0.7]),
            status="valid",
            changed_on=old,
        ),
        _frame(
            False,
            person_id=world.person_id[plain],
            licence_class=draw.choice(classes, len(plain)),
            status="revoked",
            changed_on=issued,
        ),
    ]
    return _numbered("change_no", "JZ", parts, "changed_on")


def _penalties(world: World, found: Findings, span: int, draw: np.random.Generator) -> pd.DataFrame:
    """`finding` is the place of the clue an unpaid penalty becomes; paid ones have -1."""
    rows = found.of("fine_not_enforced")
    plain = draw.integers(0, len(world.company_id), len(rows))
    on = _days(len(plain), span, draw)
    matters = np.array(["food", "environment", "safety", "tax"], dtype=object)
    parts = [
        _frame(
            True,
            company_id=world.company_id[found.company[rows]],
            agency_id=_body(world, found, "agency", rows),
            matter=draw.choice(matters, len(rows)),
            decided_on=found.revealed[rows] - 105 * DAY,
            due_on=found.revealed[rows] - 90 * DAY,
            fine_cents=np.maximum(100, found.amount_cents[rows]),
            matched_by=_match(found, rows),
            finding=rows,
        ),
        _frame(
            False,
            company_id=world.company_id[plain],
            agency_id=draw.choice(world.bodies["agency"], len(plain)),
            matter=draw.choice(matters, len(plain)),
            decided_on=on,
            due_on=on + 15 * DAY,
            fine_cents=draw.integers(10_000, 5_000_000, len(plain)),
            matched_by="id",
            finding=-1,
        ),
    ]
    return _numbered("penalty_no", "CF", parts, "decided_on")


def _fine_payments(
    penalties: pd.DataFrame, found: Findings, draw: np.random.Generator
) -> pd.DataFrame:
    """Penalties that raise no clue are paid in time; some of the others in part."""
    paid = penalties[penalties["finding"] < 0]
    unpaid = penalties[penalties["finding"] >= 0]
    part = unpaid[found.repaid[unpaid["finding"].to_numpy()]]
    parts = [
        _frame(
            True,
            penalty_no=paid["penalty_no"].to_numpy(),
            paid_on=paid["decided_on"].to_numpy() + draw.integers(1, 15, len(paid)) * DAY,
            amount_cents=paid["fine_cents"].to_numpy(),
        ),
        _frame(
            True,
            penalty_no=part["penalty_no"].to_numpy(),
            paid_on=part["due_on"].to_numpy() + draw.integers(1, 60, len(part)) * DAY,
            amount_cents=(part["fine_cents"].to_numpy() * 0.8).astype(np.int64),
        ),
    ]
    return _numbered("receipt_no", "JK", parts, "paid_on")


def _enrolment(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    """Insured days before the injury, for a finding; entered afterwards where it is the fraud."""
    rows = found.of("injury_before_insurance")
    injured = found.revealed[rows] - found.lag_days[rows] * DAY
    enrolled = injured - (1 + found.person[rows] % 8) * DAY
    dishonest = found.guilt[rows] > np.median(found.guilt) + draw.normal(0, 1, len(rows))
    plain = others[len(others) // 3 : len(others) // 3 + 2 * len(rows)]
    on = _days(len(plain), span, draw) - 200 * DAY
    parts = [
        _frame(
            True,
            person_id=world.person_id[found.person[rows]],
            company_id=world.company_id[found.company[rows]],
            enrolled_on=enrolled,
            recorded_on=np.where(dishonest, found.revealed[rows] - 1 * DAY, enrolled + 1 * DAY),
        ),
        _frame(
            False,
            person_id=world.person_id[plain],
            company_id=world.company_id[world.employer[plain]],
            enrolled_on=on,
            recorded_on=on + draw.integers(1, 20, len(plain)) * DAY,
        ),
    ]
    return _numbered("enrolment_no", "CB", parts, "recorded_on")


def _claims(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    rows = found.of("injury_before_insurance")
    plain = others[len(others) // 3 : len(others) // 3 + 2 * len(rows)]
    injured = np.datetime64(START) + (span - draw.integers(0, 60, len(plain))) * DAY
    parts = [
        _frame(
            True,
            person_id=world.person_id[found.person[rows]],
            company_id=world.company_id[found.company[rows]],
            hospital_id=_body(world, found, "hospital", rows),
            injured_on=found.revealed[rows] - found.lag_days[rows] * DAY,
            claimed_on=found.revealed[rows],
            amount_cents=np.maximum(100, found.amount_cents[rows]),
            repaid_cents=np.where(found.repaid[rows], found.amount_cents[rows], 0),
            matched_by=_match(found, rows),
        ),
        _frame(
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
    return _numbered("claim_no", "GS", parts, "claimed_on")


def _judgments(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    """Five like judgments for a finding, the fifth published in its month; others have fewer."""
    rows = found.of("serial_plaintiff")
    each = np.repeat(rows, JUDGMENTS_PER_CLUE)
    step = np.tile(np.arange(JUDGMENTS_PER_CLUE), len(rows))
    published = found.revealed[each] - ((JUDGMENTS_PER_CLUE - 1 - step) * 30) * DAY
    plain = others[len(others) // 5 : len(others) // 5 + 4 * len(rows) + 1]
    on = _days(len(plain), span, draw)
    lawyers = np.array([f"L{i:04d}" for i in range(300)], dtype=object)
    causes = np.array(["private_lending", "sale", "labour", "lease"], dtype=object)
    parts = [
        _frame(
            True,
            plaintiff_id=world.person_id[found.person[each]],
            defendant_id=draw.choice(world.person_id, len(each)),
            lawyer_id=lawyers[found.person[each] % len(lawyers)],
            court_id=_body(world, found, "court", each),
            cause="private_lending",
            amount_cents=np.maximum(100, found.amount_cents[each] // JUDGMENTS_PER_CLUE),
            judged_on=published - found.lag_days[each] * DAY,
            published_on=published,
            matched_by=_match(found, each),
        ),
        _frame(
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
    return _numbered("case_no", "MS", parts, "published_on")
