"""What agencies decided and collected: fines, tax invoices, permits and what cameras saw."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.province.frames import Setting, evenly, frame, numbered, repeated
from experiments.province.kinds import DUE_DAYS, LATE_DAYS, PAY_DAYS
from experiments.province.world import DAY, FIRST_DAY, OLD_DAYS, Ints

MATTERS = np.array(["food", "environment", "safety", "tax"], dtype=object)
SHELL_SPAN_DAYS = 60
TRUCKS_SHARE, PASSES = 0.02, 12


def penalties(setting: Setting) -> pd.DataFrame:
    """Fines that nobody enforced, and the fines of companies with a record, all paid.

    `finding` is the place of the clue an unpaid penalty becomes; paid ones have -1.
    """
    found, world, draw = setting.found, setting.world, setting.draw
    rows = found.of("fine_not_enforced")
    late = found.lag_days[rows] >= LATE_DAYS
    # Ninety days after it was due the clue is there; where the report is late, when it comes.
    decided = np.where(
        late, found.event[rows], found.revealed[rows] - (DUE_DAYS + PAY_DAYS + 1) * DAY
    )
    record = world.penalties
    parts = [
        frame(
            True,
            company_id=world.company_id[found.company[rows]],
            agency_id=setting.bodies("agency", rows),
            matter=draw.choice(MATTERS, len(rows)),
            decided_on=decided,
            due_on=decided + DUE_DAYS * DAY,
            reported_on=decided + found.lag_days[rows] * DAY,
            fine_cents=np.maximum(1_000, found.amount_cents[rows]),
            matched_by=setting.matched(rows),
            finding=rows,
        ),
        frame(
            False,
            company_id=world.company_id[record.owner],
            agency_id=setting.any_body("agency", len(record.owner)),
            matter=draw.choice(MATTERS, len(record.owner)),
            decided_on=record.day,
            due_on=record.day + DUE_DAYS * DAY,
            reported_on=record.day + draw.integers(15, 60, len(record.owner)) * DAY,
            fine_cents=draw.integers(10_000, 5_000_000, len(record.owner)),
            matched_by=setting.mostly_by_id(len(record.owner)),
            finding=-1,
        ),
    ]
    return numbered(setting, "penalty_no", "CF", parts, "reported_on")


def fine_payments(setting: Setting, penalties: pd.DataFrame) -> pd.DataFrame:
    """Penalties that raise no clue are paid in time; some of the others in part, before it."""
    found, draw = setting.found, setting.draw
    paid = penalties[penalties["finding"] < 0]
    unpaid = penalties[penalties["finding"] >= 0]
    part = unpaid[found.repaid_percent[unpaid["finding"].to_numpy()] > 0]
    percent = found.repaid_percent[part["finding"].to_numpy()]
    parts = [
        frame(
            True,
            penalty_no=paid["penalty_no"].to_numpy(),
            paid_on=paid["decided_on"].to_numpy() + draw.integers(1, 15, len(paid)) * DAY,
            amount_cents=paid["fine_cents"].to_numpy(),
        ),
        frame(
            True,
            penalty_no=part["penalty_no"].to_numpy(),
            paid_on=part["due_on"].to_numpy() + draw.integers(1, 60, len(part)) * DAY,
            amount_cents=np.maximum(1, part["fine_cents"].to_numpy() * percent // 100),
        ),
    ]
    return numbered(setting, "receipt_no", "JK", parts, "paid_on")


def invoices(setting: Setting) -> pd.DataFrame:
    """Invoices that shells issue and void, and those of companies that trade."""
    found, world, draw = setting.found, setting.world, setting.draw
    rows = found.of("shell_company")
    each, step = repeated(rows, found.records[rows])
    times = found.records[each]
    last = found.event[each]
    count = int(len(world.company_id) * 3 * setting.plenty)
    plain = draw.integers(0, len(world.company_id), count)
    # A company that trades voids one invoice in a hundred, never three in a year.
    void = np.where(draw.random(count) < 0.01, "void", "valid").astype(object)
    first_void = ~pd.Series(np.where(void == "void", plain, -np.arange(count) - 1)).duplicated()
    on = setting.days(count) - 100 * DAY

    def drawn(
        planned: bool,
        company: Ints,
        status: object,
        day: object,
        told: object,
        agency: object,
        cents: Ints,
    ) -> pd.DataFrame:
        return frame(
            planned,
            company_id=world.company_id[company],
            counterparty_id=draw.choice(world.company_id, len(company)),
            agency_id=agency,
            status=status,
            issued_on=day,
            reported_on=told,
            amount_cents=np.maximum(100, cents),
            matched_by=np.where(planned, "id", setting.mostly_by_id(len(company))),
        )  # fmt: skip

    shells = drawn(True, found.company[each], "void",
                   evenly(last - SHELL_SPAN_DAYS * DAY, last, step, times), found.revealed[each],
                   setting.bodies("agency", each), found.amount_cents[each] // times)  # fmt: skip
    shells["matched_by"] = setting.matched(each)
    good = drawn(False, plain, np.where(first_void, void, "valid"), on,
                 on + draw.integers(5, 40, count) * DAY, setting.any_body("agency", count),
                 draw.integers(10_000, 9_000_000, count))  # fmt: skip
    return numbered(setting, "invoice_no", "FP", [shells, good], "reported_on")


def plates(setting: Setting, person: Ints) -> np.ndarray:
    """The number plate of a person's truck."""
    block = setting.world.block
    return np.array([f"皖Z{block:03d}{each:06d}" for each in person], dtype=object)


def tracks(setting: Setting) -> pd.DataFrame:
    """Trucks at the river by night without a permit, and others that have one.

    Cameras lose some passes, and their clocks drift by a few minutes.
    """
    found, draw, world = setting.found, setting.draw, setting.world
    rows = found.of("illegal_sand_mining")
    each, step = repeated(rows, found.records[rows])
    times = found.records[each]
    last = found.event[each]
    day = evenly(last - found.gap_days[each] * DAY, last, step, times)
    trucks = np.repeat(setting.some(min(0.3, TRUCKS_SHARE * setting.plenty), skip=0.6), PASSES)
    on = setting.days(len(trucks))

    def seen(
        planned: bool,
        person: Ints,
        day: object,
        told: object,
        agency: object,
        cents: object,
        by: object,
    ) -> pd.DataFrame:
        return frame(
            planned,
            plate=plates(setting, person),
            owner_id=world.person_id[person],
            agency_id=agency,
            point_id=np.array([f"R{n:02d}" for n in range(40)], object)[person % 40],
            passed_on=day,
            minute=draw.integers(0, 300, len(person)),
            uploaded_on=told,
            load_cents=cents,
            matched_by=by,
        )  # fmt: skip

    parts = [
        seen(True, found.person[each], day, found.revealed[each], setting.bodies("agency", each),
             np.maximum(100, found.amount_cents[each] // times), setting.matched(each)),
        seen(False, trucks, on, on + draw.integers(0, 3, len(trucks)) * DAY,
             setting.any_body("agency", len(trucks)), draw.integers(20_000, 90_000, len(trucks)),
             setting.mostly_by_id(len(trucks))),
    ]  # fmt: skip
    return numbered(setting, "pass_no", "GC", parts, "uploaded_on")


def permits(setting: Setting) -> pd.DataFrame:
    """Whoever else drives to the river has a permit for all the time."""
    trucks = setting.some(min(0.3, TRUCKS_SHARE * setting.plenty), skip=0.6)
    granted = FIRST_DAY - setting.draw.integers(30, OLD_DAYS, len(trucks)) * DAY
    parts = [
        frame(
            True,
            plate=plates(setting, trucks),
            holder_id=setting.world.person_id[trucks],
            granted_on=granted,
            valid_until=FIRST_DAY + (setting.span + 400) * DAY,
        )
    ]
    return numbered(setting, "permit_no", "XK", parts, "granted_on")
