"""A hamlet over three years in which nothing changes, or amounts do in the third."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import hamlet
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from hamlet_scorer import write_hamlet_bundle

from base.moment import FixedClock, add_months
from base.progress import silent
from clues.raising import raise_until
from clues.register import read_clues
from dispatch.score_clues import score_clues
from features.declared import declared_features
from features.table import build_features
from governance.home import Home
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction
from governance.reading import Records
from scoring.champion import write_champion

FIRST, MONTHS, A_MONTH = datetime(2024, 1, 1), 36, 10
END = add_months(FIRST, MONTHS)
LEARNED_UNTIL = add_months(FIRST, MONTHS - 12)


def steady_hamlet(folder: Path, *, third_year: float = 1.0, seed: int = 5) -> Home:
    """Ten clues a month, all scored as of the end, the first two years of them the training set.

    Amounts of the third year are `third_year` times as large as those of the others.
    """
    clock = FixedClock(END)
    home = Home.create(folder / "home", load_jurisdiction(hamlet.write_hamlet(folder / "hamlet")))
    draw = np.random.default_rng(seed)
    payments: list[tuple[str, int, datetime, int]] = []
    deaths: list[datetime] = []
    for person in range(MONTHS * A_MONTH):
        month = add_months(FIRST, person // A_MONTH)
        deaths.append(month + timedelta(days=2))
        factor = third_year if month >= LEARNED_UNTIL else 1.0
        for at in range(int(draw.integers(1, 6))):
            cents = int(draw.lognormal(10, 1) * factor)
            payments.append((f"n{person}-{at}", person, month + timedelta(days=4 + at), cents))
    _admit(home, payments, deaths, clock)
    raise_until(home, END)
    _learn_and_score(home, clock)
    return home


def _admit(
    home: Home,
    payments: list[tuple[str, int, datetime, int]],
    deaths: list[datetime],
    clock: FixedClock,
) -> None:
    numbers, persons, days, cents = zip(*payments, strict=True)
    table = {
        "payment_no": list(numbers),
        "person_id": [f"p{n}" for n in persons],
        "agency_id": ["xy"[n % 2] for n in persons],
        "office_id": ["AB"[n % 2] for n in persons],
        "paid_on": [day.date() for day in days],
        "amount_cents": list(cents),
    }
    admit_table(home, "payments", pa.table(table), clock)
    died = {
        "person_id": [f"p{n}" for n in range(len(deaths))],
        "died_on": [day.date() for day in deaths],
        "reported_on": [(day + timedelta(days=10)).date() for day in deaths],
    }
    admit_table(home, "deaths", pa.table(died), clock)


def _learn_and_score(home: Home, clock: FixedClock) -> None:
    clues = read_clues(home)
    early = clues.filter(pc.less(clues["raised_at"], pa.scalar(LEARNED_UNTIL, pa.timestamp("us"))))
    with Records(home) as records:
        rows = build_features(declared_features(home), early, records, threads=1)
    home.training_sets.mkdir()
    pq.write_table(rows, home.training_sets / f"{'0' * 64}.parquet")
    digest = write_hamlet_bundle(home)
    write_champion(home.scorers, digest, by="Li", approved_by="Wang", at=END)
    score_clues(home, END, output=home.path / "scores.parquet", chosen=None, reasons=1,
                language="zh", clock=clock, stages=silent())  # fmt: skip
