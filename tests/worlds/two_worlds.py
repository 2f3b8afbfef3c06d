"""Two worlds for P-10: an office's clues with and without those of another office beside them."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import hamlet
import pyarrow as pa
from hamlet_scorer import write_hamlet_bundle
from told_hamlet import NOON, ended, score_all

from base.moment import FixedClock
from clues.raising import raise_until
from governance.home import Home
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction
from scoring.champion import write_champion

CLOCK = FixedClock(NOON)


def build_world(folder: Path, offices: str, bundle: Path | None) -> Home:
    """A's persons first, then B's where there are any; A's outcomes known when scores are given."""
    home = Home.create(folder / "home", load_jurisdiction(hamlet.write_hamlet(folder / "hamlet")))
    for office in offices:
        numbers = range("AB".index(office), 12, 2)
        payments = [
            hamlet.payment(f"{n}-{month}", n, date(2024, 1, 5) + timedelta(days=30 * month))
            for n in numbers
            for month in range(2 + n // 2)
        ]
        deaths = {
            "person_id": [f"p{n}" for n in numbers],
            "died_on": [date(2024, 1, 20)] * len(numbers),
            "reported_on": [date(2024, 6, 10)] * len(numbers),
        }
        admit_table(home, "payments", pa.concat_tables(payments), CLOCK)
        admit_table(home, "deaths", pa.table(deaths), CLOCK)
    raise_until(home, datetime(2024, 7, 1))
    if bundle is None:
        digest = write_hamlet_bundle(home)
    else:
        digest = Path(shutil.copytree(bundle, home.scorers / bundle.name)).name
    write_champion(home.scorers, digest, by="Li", approved_by="Wang", at=NOON)
    admit_table(home, "outcomes", ended(home, ["A"], datetime(2024, 7, 15)), CLOCK)
    score_all(home)
    if "B" in offices:
        admit_table(home, "outcomes", ended(home, ["B"], datetime(2024, 9, 1)), CLOCK)
    return home
