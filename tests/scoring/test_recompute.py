"""P-5: an old score is computed again to the bit, whatever came since and wherever it is done."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import hamlet
import pyarrow as pa
import pytest
import sqlalchemy as sa
from hamlet_scorer import write_hamlet_bundle
from typer.testing import CliRunner

from base.moment import FixedClock
from base.progress import silent
from cli.main import app
from clues.raising import raise_until
from dispatch.score_clues import score_clues
from governance.home import Home
from governance.intake import admit_table
from scoring.champion import write_champion
from scoring.ledger import given_of, open_ledger, scores_given
from scoring.recompute import recompute

CLUES, LATER = 250, 10_000
NOON = datetime(2026, 1, 2, 12)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Clues scored at two moments by two scorers: 500 scores; then 10,000 more records."""
    folder, clock = tmp_path_factory.mktemp("recompute"), FixedClock(NOON)
    made = hamlet.settled_hamlet(folder, clock, persons=CLUES)
    for seed, moment in ((1, datetime(2024, 8, 1)), (2, datetime(2024, 9, 1))):
        digest = write_hamlet_bundle(made, seed=seed)
        write_champion(made.scorers, digest, by="Li", approved_by="Wang", at=NOON)
        score_clues(
            made, moment, output=folder / "scores.parquet", chosen=None, reasons=3, language="zh",
            clock=clock, stages=silent(),
        )  # fmt: skip
    numbers = range(LATER)
    later = {
        "payment_no": [f"later{n}" for n in numbers],
        "person_id": [f"p{n % CLUES}" for n in numbers],
        "agency_id": ["xy"[n % 2] for n in numbers],
        "office_id": ["AB"[n % 2] for n in numbers],
        # Half of them old and known too late, half corrections of what was there.
        "paid_on": [date(2024, 3, 1) + timedelta(days=n % 200) for n in numbers],
        "amount_cents": [100 * n for n in numbers],
    }
    admit_table(made, "payments", pa.table(later), clock)
    changed = {
        "payment_no": ["n0-0"], "person_id": ["p0"], "agency_id": ["y"], "office_id": ["B"],
        "paid_on": [date(2024, 1, 6)], "amount_cents": [7],
    }  # fmt: skip
    admit_table(made, "payments", pa.table(changed), clock)
    raise_until(made, datetime(2024, 12, 1))
    return made


def test_old_scores_come_again_bit_for_bit(home: Home) -> None:
    """500 scores, after 10,000 later records, by one thread and by two."""
    with open_ledger(home.ledger_url).connect() as connection:
        rows = connection.execute(sa.select(scores_given)).mappings().all()
    given = [given_of(dict(row)) for row in rows]
    assert len(given) == 2 * CLUES
    assert len({(score.scorer, score.moment) for score in given}) == 2
    for threads in (1, 2):
        again = recompute(Home.open(home.path), given, threads=threads)
        assert [each.clue_id for each in again] == [score.clue_id for score in given]
        assert all(each.same for each in again)
    assert len({each.margin for each in again}) > 20


def test_a_score_that_was_changed_does_not_come_again(home: Home) -> None:
    """`same` tells: a margin moved by the last bit, a contribution or the probability moved."""
    from dataclasses import replace

    import numpy as np

    with open_ledger(home.ledger_url).connect() as connection:
        row = connection.execute(sa.select(scores_given).limit(1)).mappings().one()
    given = given_of(dict(row))
    forged = [
        replace(given, margin=float(np.nextafter(given.margin, 9))),
        replace(given, contributions=given.contributions + 1e-12),
        replace(given, probability=round(given.probability + 1e-6, 6)),
        given,
    ]
    again = recompute(home, forged)
    assert [each.same for each in again] == [False, False, False, True]
    assert {each.probability for each in again} == {given.probability}


def test_a_person_sees_every_digit_of_what_was_given_and_what_came_again(home: Home) -> None:
    """At a terminal too, where other figures have six digits; changed, the command exits with 2."""
    ledger = open_ledger(home.ledger_url)
    with ledger.connect() as connection:
        row = connection.execute(sa.select(scores_given).limit(1)).mappings().one()
    words = ["audit", "recompute", row["clue_id"], "--home", str(home.path)]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, "ok: yes" in done.output) == (0, True)
    margin, probability = row["margin"], row["probability"]
    assert (
        f"given {margin!r}, recomputed {margin!r}, given_probability {probability!r}" in done.output
    )
    same = sa.update(scores_given).where(scores_given.c.score_id == row["score_id"])
    with ledger.begin() as connection:
        connection.execute(same.values(probability=0.999999))
    done = CliRunner().invoke(app, words)
    with ledger.begin() as connection:
        connection.execute(same.values(probability=probability))
    assert (done.exit_code, "ok: no" in done.output) == (2, True)
    assert (
        f"given_probability 0.999999, recomputed_probability {probability!r}, same no"
        in done.output
    )


def test_another_process_recomputes_it_by_command(home: Home) -> None:
    """`clues audit recompute CLUE --json` in a fresh interpreter."""
    with open_ledger(home.ledger_url).connect() as connection:
        clue = connection.scalar(sa.select(scores_given.c.clue_id).limit(1))
    command = [sys.executable, "-c", "from cli.main import run; run()", "audit", "recompute", clue]
    done = subprocess.run(
        [*command, "--home", str(home.path), "--json"], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert told["ok"]
    assert [score["given"] == score["recomputed"] for score in told["scores"]] == [True, True]
