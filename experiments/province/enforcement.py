"""Sentences and licences, fines and their payment."""

from __future__ import annotations

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


def sentences(
    world: World, found: Findings, others: Ints, span: int, draw: np.random.Generator
) -> pd.DataFrame:
    """Drunk drivers whose licence stayed valid, and others."""
    rows = found.of("licence_not_revoked")
    plain = others[-2 * len(rows) - 1 :]
    on = draw_days(len(plain), span, draw)
    offences = np.array(["theft", "fraud", "assault", "drunk_driving"], dtype=object)
    parts = [
        frame(
            True,
            person_id=world.person_id[found.person[rows]],
            court_id=body_of(world, found, "court", rows),
            offence="drunk_driving",
            sentenced_on=found.revealed[rows] - found.lag_days[rows] * DAY,
            reported_on=found.revealed[rows],
            matched_by=match_words(found, rows),
        ),
        frame(
            False,
            person_id=world.person_id[plain],
            court_id=draw.choice(world.bodies["court"], len(plain)),
            offence=draw.choice(offences, len(plain)),
            sentenced_on=on,
            reported_on=on + draw.integers(20, 91, len(plain)) * DAY,
            matched_by="id",
        ),
    ]
    return numbered("sentence_no", "PJ", parts, "reported_on")


def licences(
    world: World, found: Findings, others: Ints, draw: np.random.Generator
) -> pd.DataFrame:
    """States over time; whoever else is sentenced has his licence revoked before it is reported."""
    rows = found.of("licence_not_revoked")
    plain = others[-2 * len(rows) - 1 :]
    old = np.datetime64(START) - draw.integers(100, OLD_DAYS, len(rows)) * DAY
    issued = np.datetime64(START) - draw.integers(100, OLD_DAYS, len(plain)) * DAY
    classes = np.array(["A", "B", "C"], dtype=object)
    parts = [
        frame(
            True,
            person_id=world.person_id[found.person[rows]],
            licence_class=draw.choice(classes, len(rows), p=[0.1, 0.2, 0.7]),
            status="valid",
            changed_on=old,
        ),
        frame(
            False,
            person_id=world.person_id[plain],
            licence_class=draw.choice(classes, len(plain)),
            status="revoked",
            changed_on=issued,
        ),
    ]
    return numbered("change_no", "JZ", parts, "changed_on")


def penalties(world: World, found: Findings, span: int, draw: np.random.Generator) -> pd.DataFrame:
    """`finding` is the place of the clue an unpaid penalty becomes; paid ones have -1."""
    rows = found.of("fine_not_enforced")
    plain = draw.integers(0, len(world.company_id), len(rows))
    on = draw_days(len(plain), span, draw)
    matters = np.array(["food", "environment", "safety", "tax"], dtype=object)
    parts = [
        frame(
            True,
            company_id=world.company_id[found.company[rows]],
            agency_id=body_of(world, found, "agency", rows),
            matter=draw.choice(matters, len(rows)),
            decided_on=found.revealed[rows] - 105 * DAY,
            due_on=found.revealed[rows] - 90 * DAY,
            fine_cents=np.maximum(100, found.amount_cents[rows]),
            matched_by=match_words(found, rows),
            finding=rows,
        ),
        frame(
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
    return numbered("penalty_no", "CF", parts, "decided_on")


def fine_payments(
    penalties: pd.DataFrame, found: Findings, draw: np.random.Generator
) -> pd.DataFrame:
    """Penalties that raise no clue are paid in time; some of the others in part."""
    paid = penalties[penalties["finding"] < 0]
    unpaid = penalties[penalties["finding"] >= 0]
    part = unpaid[found.repaid[unpaid["finding"].to_numpy()]]
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
            amount_cents=(part["fine_cents"].to_numpy() * 0.8).astype(np.int64),
        ),
    ]
    return numbered("receipt_no", "JK", parts, "paid_on")
