"""An arm learns: training's own retraining, and promotion by its rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from base.errors import NotReady
from base.moment import FixedClock
from base.progress import silent
from experiments.replay.stage import EXPERIMENT
from governance.home import Home
from scoring.champion import find_champion
from scoring.scorer import Scorer
from training.promote import promote
from training.retrain import retrain

PROPOSER, APPROVER = "replay-data-scientist", "replay-second-person"
THE_FIRST = "the replay begins with a scorer"


def learn(home: Home, moment: datetime) -> dict[str, Any]:
    """Retrain on what is known at `moment`, and promote what meets the rule.

    The first scorer is promoted whatever the rule says: there is nothing else to begin with.
    Returns the new scorer's digest and whether it was promoted, or why nothing was learned.
    """
    clock = FixedClock(moment)
    try:
        made = retrain(home, EXPERIMENT, clock, silent())
    except NotReady as refused:
        return {"scorer": None, "promoted": False, "why": refused.got}
    first = find_champion(home.scorers) is None
    if made["passed"] or first:
        despite = None if made["passed"] else THE_FIRST
        promote(
            home,
            made["scorer"],
            by=PROPOSER,
            approved_by=APPROVER,
            clock=clock,
            despite=despite,
        )
    failed = [reason["rule"] for reason in made["reasons"] if not reason["passed"]]
    return {
        "scorer": made["scorer"],
        "promoted": bool(made["passed"] or first),
        "failed": failed,
    }


def champion_of(home: Home) -> Scorer:
    """The scorer in use in an arm's home."""
    champion = find_champion(home.scorers)
    assert champion is not None, "an arm begins with a scorer"
    return Scorer.load(home.scorers / champion.scorer, champion.scorer)
