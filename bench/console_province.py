"""What the pictures show: a simulated province at work, with clues dispatched, late and ended.

Everything is done through the life cycle, on a clock that is set back, by persons of no name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import sqlalchemy as sa

from base.moment import Clock, FixedClock, WallClock
from base.progress import Stages
from dispatch.endings import admit_endings
from dispatch.kept_queue import freshen
from dispatch.offices import load_offices
from dispatch.oversight import escalate
from dispatch.transition import move
from dispatch.week import ways_of
from governance.home import Home
from scoring.champion import read_challenger, write_challenger
from scoring.ledger import open_ledger, queue_places
from scoring.promotions import propose
from serving.accounts import create
from serving.scorers import read_note

ROLES = ("reviewer", "dispatcher", "data_scientist", "steward")
WAY = ("triaged", "dispatched", "accepted", "verifying")
DISPATCHERS = ("triaged", "dispatched")
EXPERIMENT = "became_case"
ENDED, IN_HAND, LATE = 90, 24, 9


@dataclass(frozen=True)
class AtWork:
    """`city`: the office whose people are shown; `clue_id`: a clue that is verified there."""

    city: str
    county: str
    clue_id: str
    scorer: str
    passwords: dict[str, str]


def put_to_work(home: Home) -> AtWork:
    """Bring a demo's home to life; returns who may sign in and what to look at."""
    ledger, clock = open_ledger(home.ledger_url), WallClock(home.jurisdiction.timezone)
    now = clock.now()
    offices = load_offices(home.jurisdiction.folder / "offices.yaml")
    freshen(ledger, ways_of(home, offices, now), None, now)
    best = sa.select(queue_places.c.clue_id, queue_places.c.office_id, queue_places.c.probability)
    with ledger.connect() as connection:
        rows = connection.execute(best.order_by(queue_places.c.minus_value)).all()
    rows = [row for row in rows if row.office_id in offices.by_id]
    counties = [row.office_id for row in rows if offices.by_id[row.office_id].level == "county"]
    county = max(set(counties), key=lambda name: (counties.count(name), name))
    chosen = next(row for row in rows if row.office_id == county)
    others = [row for row in rows if row != chosen][: ENDED + IN_HAND + LATE]
    draw = np.random.default_rng(5)
    for at, row in enumerate(others):
        if at < ENDED:
            _end(ledger, row.clue_id, now, bool(draw.random() < row.probability))
        elif at < ENDED + IN_HAND:
            _walk(ledger, row.clue_id, now - timedelta(days=int(draw.integers(1, 20))), WAY)
        else:
            days = int(draw.integers(6, 16))
            _walk(ledger, row.clue_id, now - timedelta(days=days), DISPATCHERS)
    _walk(ledger, chosen.clue_id, now - timedelta(days=2), WAY)
    escalate(ledger, offices, clock)
    admit_endings(home, ledger, clock)
    city = offices.by_id[county].parent or county
    scorer = train_another(home, clock)
    propose_it(home, scorer, clock)
    return AtWork(city, county, str(chosen.clue_id), scorer, _accounts(home, city, clock))


def train_another(home: Home, clock: Clock) -> str:
    """A scorer of smaller trees, weighed beside the champion, set as challenger and proposed by
    somebody; returns its digest. A home that has a challenger keeps it."""
    known = read_challenger(home.scorers)
    if known is not None:
        return known.scorer
    from training.experiment import find_experiment
    from training.promote import keep_weighing
    from training.train import train

    _, declared = find_experiment(home.jurisdiction.folder / "experiments", EXPERIMENT)
    smaller = declared.model_copy(
        update={"scorer": {**declared.scorer, "num_leaves": 7, "learning_rate": 0.05}}
    )
    digest = train(home, EXPERIMENT, clock, Stages(), smaller).scorer
    weighed = keep_weighing(home, digest, clock)
    write_challenger(home.scorers, digest, by="picture", at=clock.now(), passed=weighed["passed"])
    return digest


def propose_it(home: Home, digest: str, clock: Clock) -> None:
    """By a scientist other than the one who is shown."""
    note = read_note(home.proposals / f"{digest}.json") or {}
    failed = [each["rule"] for each in note["reasons"] if not each["passed"]]
    propose(
        open_ledger(home.ledger_url), digest, champion=note["champion"], by="scientist2",
        key_id="scientist2", why="树更小，更稳定 smaller trees, steadier" if failed else None,
        failed=failed, at=clock.now(),
    )  # fmt: skip


def _walk(ledger: sa.Engine, clue_id: str, since: datetime, way: tuple[str, ...]) -> None:
    for step, to in enumerate(way):
        role = "dispatcher" if to in DISPATCHERS else "reviewer"
        move(
            ledger, clue_id, to, by=f"{role} of the picture", role=role, offices=None,
            expects=None, clock=FixedClock(since + timedelta(hours=step)),
        )  # fmt: skip


def _end(ledger: sa.Engine, clue_id: str, now: datetime, case: bool) -> None:
    _walk(ledger, clue_id, now - timedelta(days=40), WAY)
    facts = {"case_number": "虚构〔2026〕1号", "filed_on": f"{now - timedelta(days=12):%F}"}
    move(
        ledger, clue_id, "case_filed" if case else "unfounded", by="reviewer of the picture",
        role="reviewer", offices=None, expects=None, clock=FixedClock(now - timedelta(days=12)),
        reason="" if case else "已核查，未发现问题", facts=facts if case else None,
    )  # fmt: skip


def _accounts(home: Home, city: str, clock: Clock) -> dict[str, str]:
    """Login (the role) -> password."""
    ledger = open_ledger(home.ledger_url)
    told = {}
    for role in ROLES:
        office = city if role == "reviewer" else None
        told[role] = create(ledger, role, role=role, office_id=office, clock=clock)["password"]
    return told
