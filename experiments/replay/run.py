"""The replay, top-down: a province and its truth -> a first scorer -> five arms -> figures.

Every arm plays the same months with the same hands, and hears the same word of the same clue.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from base.errors import Refused
from base.moment import add_months
from base.progress import Stages
from clues.register import require_clues
from dispatch.offices import load_offices
from experiments.past_orders import take_past_orders
from experiments.replay.arm import Arm, Month, Played, play
from experiments.replay.decay import measure_decay
from experiments.replay.figures import (
    BLIND,
    FIRST_COME,
    ORACLE,
    SCORER,
    SEVERITY,
    summary,
    told_months,
)
from experiments.replay.hands import scaled_hands, weeks_of
from experiments.replay.learning import learn
from experiments.replay.mail import Mail
from experiments.replay.orders import ByScorer, FirstCome, Oracle, Severity
from experiments.replay.page import write_page
from experiments.replay.rows import ClueRows, prepare_rows
from experiments.replay.stage import copy_jurisdiction, copy_scorers, make_stage
from experiments.replay.truth import Truth, read_truth
from experiments.replay.verdicts import Verdicts
from features.declared import declared_features
from governance.home import Home

LEAST_HISTORY = 15


@dataclass(frozen=True)
class Asked:
    """How the months are played.

    `capacity_share`: for which share of what is raised the offices have hands; `exploration_share`:
    which share of their places is drawn by lot; `retrain_every`: months between two retrainings.
    """

    months: int
    capacity_share: float = 0.5
    exploration_share: float = 0.05
    retrain_every: int = 3
    seed: int = 7


@dataclass(frozen=True)
class Given:
    """A simulated province: every clue with its truth, what is played, and the outcomes and orders
    of the clues raised before that."""

    clues: pa.Table
    truth: Truth
    played: Played
    history: pd.DataFrame
    orders: pd.DataFrame


def replay(
    home: Home, source: Path, asked: Asked, stages: Stages, folder: Path | None = None
) -> dict[str, Any]:
    """Play the last months of the province whose records are in `home` and whose files and truth
    are in `source`. Arms play below `folder` (default `home/replay`); the home's own outcomes,
    orders and scorers are neither read nor changed.

    Raises NotReady without a truth, Refused where too little history is left to learn from.
    """
    folder = folder or home.path / "replay"
    with stages.stage("prepare"):
        given = given_province(home, source, asked)
    with stages.stage("first scorer"):
        start = first_scorer(home, folder, given)
        rows = prepare_rows(declared_features(home), given.played.clues, start)
    done: dict[str, list[Month]] = {}
    arms = [*plain_arms(given.played), *learning_arms(home, folder, start, given, rows, asked)]
    for arm in arms:
        with stages.stage(arm.name, len(given.played.months)) as bar:
            done[arm.name] = play(arm, given.played, bar)
    with stages.stage("decay"):
        stage = next(arm.home for arm in arms if arm.name == SCORER)
        assert stage is not None
        decay = measure_decay(stage, given.clues, given.truth, given.played.months[-1])
    return _written(home, folder, given, done, asked, decay, stages)


def _written(
    home: Home,
    folder: Path,
    given: Given,
    done: dict[str, list[Month]],
    asked: Asked,
    decay: dict[str, Any],
    stages: Stages,
) -> dict[str, Any]:
    result = {
        "months": told_months(given.played, done),
        **summary(given.played, done),
        "decay": decay,
        "asked": asdict(asked),
        "seconds": {**stages.seconds, "total": round(sum(stages.seconds.values()), 3)},
    }
    result["drawn"] = str(write_page(result, home.reports / "replay" / "replay.html"))
    path = folder / "replay.json"
    path.write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return result


def given_province(home: Home, source: Path, asked: Asked) -> Given:
    """What is played: the clues raised in the last months, with hands for a share of them."""
    clues, truth = read_truth(source / "truth", require_clues(home))
    moments = clues["raised_at"]
    first = add_months(pc.max(moments).as_py(), 1 - asked.months)
    _require_history(pc.min(moments).as_py(), first)
    now = pc.greater_equal(moments, pa.scalar(first, pa.timestamp("us")))
    chosen = np.asarray(now.to_numpy(zero_copy_only=False), bool)
    playing = clues.filter(now).combine_chunks()
    truth_played, weeks = truth.where(chosen), weeks_of(first, asked.months)
    offices = load_offices(home.jurisdiction.folder / "offices.yaml")
    named = [each for each in playing["office_id"].to_pylist() if each]
    outcomes = _read_all(source, "outcomes", ["decided_at", "reported_at"])
    orders = _read_all(source, "orders", ["ordered_at"])
    earlier = clues.filter(pc.invert(now))["clue_id"].to_pylist()
    played = Played(
        playing,
        truth_played,
        Verdicts(truth_played, asked.seed),
        scaled_hands(offices, named, sum(map(len, weeks)), asked.capacity_share),
        [add_months(first, month) for month in range(asked.months)],
        weeks,
        asked.seed,
    )
    return Given(
        clues,
        truth,
        played,
        outcomes[outcomes["clue_id"].isin(earlier)],
        orders[orders["clue_id"].isin(earlier)],
    )


def _read_all(source: Path, name: str, times: list[str]) -> pd.DataFrame:
    """A table of the simulator, one file per block."""
    parts = sorted(source.glob(f"{name}*.csv"))
    return pd.concat([pd.read_csv(path, parse_dates=times) for path in parts], ignore_index=True)


def _require_history(begun: datetime, first: datetime) -> None:
    if first < add_months(begun, LEAST_HISTORY):
        raise Refused(
            wanted=f"at least {LEAST_HISTORY} months of clues before the first month played",
            got=f"clues from {begun:%Y-%m}, played from {first:%Y-%m}",
            cure="give fewer --months, or simulate more",
        )


def first_scorer(home: Home, folder: Path, given: Given) -> Home:
    """A stage that heard of history alone, with the champion that learning arms begin with."""
    folder.mkdir(parents=True, exist_ok=True)
    jurisdiction = copy_jurisdiction(home.jurisdiction, folder / "jurisdiction")
    start = make_stage(home, folder / "start", jurisdiction)
    moment = given.played.months[0]
    Mail(given.history).deliver(start, moment)
    _past_orders(start, given)
    learn(start, moment)
    return start


def _past_orders(stage: Home, given: Given) -> None:
    """With what chance clues were chosen before: labels are weighed by it."""
    path = stage.path / "past_orders.csv"
    given.orders.to_csv(path, index=False)
    take_past_orders(stage, [str(path)])


def plain_arms(played: Played) -> list[Arm]:
    """The orders that learn nothing."""
    return [
        Arm(FIRST_COME, FirstCome(played.clues)),
        Arm(SEVERITY, Severity(played.clues)),
        Arm(ORACLE, Oracle(played.truth)),
    ]


def learning_arms(
    home: Home, folder: Path, start: Home, given: Given, rows: ClueRows, asked: Asked
) -> list[Arm]:
    """The scorer with and without exploration, each on a stage of its own."""
    arms = []
    for name, share in ((SCORER, asked.exploration_share), (BLIND, 0.0)):
        stage = make_stage(home, folder / name, start.jurisdiction)
        copy_scorers(start, stage)
        _past_orders(stage, given)
        # History up to the first month is delivered again: each arm has its own outcomes.
        mail, order = Mail(given.history), ByScorer(stage, rows)
        arms.append(Arm(name, order, share, stage, mail, asked.retrain_every))
    return arms
