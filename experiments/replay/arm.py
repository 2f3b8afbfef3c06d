"""One arm of the replay: the same months under one order.

month: outcomes that were reported arrive -> perhaps retrain -> rank what is open
week:  each office takes what it has hands for, a share of it by lot -> outcomes are on their way
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from base.moment import FixedClock
from base.progress import Bar
from dispatch.order import give_orders
from dispatch.ranking import Candidate, Ranked, fill_capacity
from experiments.replay.hands import Hands
from experiments.replay.learning import learn
from experiments.replay.mail import Mail
from experiments.replay.orders import Order, Said
from experiments.replay.truth import Truth
from experiments.replay.verdicts import Verdicts, cases_in
from features.slices import micros
from governance.home import Home
from scoring.champion import read_champion
from scoring.ledger import open_ledger

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
DISPATCHER = "replay-dispatcher"


@dataclass(frozen=True)
class Played:
    """What all arms share. `clues` are those raised in the months played, `truth` and `verdicts`
    parallel to them; `months` their moments, `weeks` the moments of each month's weeks."""

    clues: pa.Table
    truth: Truth
    verdicts: Verdicts
    hands: Hands
    months: Sequence[datetime]
    weeks: Sequence[Sequence[datetime]]
    seed: int

    @cached_property
    def office(self) -> list[str]:
        return [each or "" for each in self.clues["office_id"].to_pylist()]

    @cached_property
    def ids(self) -> list[str]:
        return [str(each) for each in self.clues["clue_id"].to_pylist()]


@dataclass
class Month:
    """What an arm did in a month: places of the clues it dispatched, drew by lot and found to be
    cases (whenever that is reported); what it said of those raised in it, and with which scorer."""

    moment: datetime
    dispatched: list[int] = field(default_factory=list)
    by_lot: list[int] = field(default_factory=list)
    cases: list[int] = field(default_factory=list)
    fresh: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    said: Said | None = None
    scorer: str | None = None
    learned: dict[str, Any] | None = None
    heard: int = 0


@dataclass
class Arm:
    """`home` and `mail` are there where the order hears of outcomes; `retrain_every` months it
    learns from them (0: never)."""

    name: str
    order: Order
    exploration_share: float = 0.0
    home: Home | None = None
    mail: Mail | None = None
    retrain_every: int = 0


def play(arm: Arm, played: Played, bar: Bar) -> list[Month]:
    """Play all months; returns what was done in each."""
    raised = micros(played.clues["raised_at"])
    gone = np.zeros(len(raised), bool)
    missed = np.ones(len(raised))
    found: list[Month] = []
    week = 0
    for number, moment in enumerate(played.months):
        month = Month(moment)
        _hear(arm, month, number)
        at = micros(pa.array([moment], pa.timestamp("us")))[0]
        waiting = np.flatnonzero((raised <= at) & ~gone)
        said = arm.order.say(waiting, moment)
        month.fresh = np.flatnonzero(raised[waiting] == at)
        month.said = Said(
            said.margin[month.fresh],
            None if said.probability is None else said.probability[month.fresh],
        )
        month.fresh = waiting[month.fresh]
        margin = dict(zip(waiting.tolist(), said.margin.tolist(), strict=True))
        for day in played.weeks[number]:
            _dispatch(arm, played, month, margin, missed, week, day)
            gone[month.dispatched] = True
            week += 1
        found.append(month)
        bar.advance()
    return found


def _hear(arm: Arm, month: Month, number: int) -> None:
    """Outcomes come in, and every so many months the arm learns from them."""
    if arm.home is None or arm.mail is None:
        return
    month.heard = arm.mail.deliver(arm.home, month.moment)
    if number and arm.retrain_every and number % arm.retrain_every == 0:
        month.learned = learn(arm.home, month.moment)
    month.scorer = read_champion(arm.home.scorers).scorer


def _dispatch(
    arm: Arm,
    played: Played,
    month: Month,
    margin: dict[int, float],
    missed: npt.NDArray[np.float64],
    week: int,
    day: datetime,
) -> None:
    """Every office fills its week; what it takes leaves `margin`, the clues that wait."""
    queues: dict[str, list[int]] = defaultdict(list)
    office = played.office
    for place in margin:
        queues[office[place]].append(place)
    chosen: list[Ranked] = []
    for name, places in queues.items():
        chosen += _one_office(arm, played, name, places, margin, missed, week)
    taken = [int(each.clue_id) for each in chosen]
    for place in taken:
        del margin[place]
    month.dispatched += taken
    month.by_lot += [int(each.clue_id) for each in chosen if each.exploration]
    word = played.verdicts.of(taken, day)
    cases = set(cases_in(word).tolist())
    month.cases += [place for place in taken if played.ids[place] in cases]
    if arm.home is not None and arm.mail is not None:
        _order(arm.home, played, chosen, day)
        arm.mail.post(word)


def _one_office(
    arm: Arm,
    played: Played,
    name: str,
    places: list[int],
    margin: dict[int, float],
    missed: npt.NDArray[np.float64],
    week: int,
) -> list[Ranked]:
    """The clues (by their places) that an office takes this week, each with the chance it had of
    being taken in any drawing it stood in until now."""
    ranked = fill_capacity(
        [Candidate(str(place), name, margin[place]) for place in places],
        played.hands.places(name, week),
        exploration_share=arm.exploration_share,
        seed=f"{played.seed} {name} {week}",
    )
    chosen = []
    for each in ranked:
        place = int(each.clue_id)
        missed[place] *= 1 - each.drawing_probability
        if each.within_capacity:
            chosen.append(replace(each, drawing_probability=1 - float(missed[place])))
    return chosen


def _order(home: Home, played: Played, chosen: list[Ranked], day: datetime) -> None:
    """Orders stand in the arm's ledger with their chances, as they do at work."""
    named = [replace(each, clue_id=played.ids[int(each.clue_id)]) for each in chosen]
    ledger = open_ledger(f"sqlite:///{home.path.resolve() / 'ledger.db'}")
    give_orders(ledger, named, by=DISPATCHER, clock=FixedClock(day))
