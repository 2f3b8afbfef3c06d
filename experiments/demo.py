"""The main job on the simulated province, top-down, and what it found beside what there was.

    simulate -> init -> admit -> raise -> outcomes -> train -> promote -> score -> compare

The judge is the truth of the simulator: clues nobody looked at count too, and the oracle ranks by
the true probability. No order can beat the oracle for long; one that does has found a leak.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from base.errors import NotReady
from base.moment import Clock, FixedClock, WallClock, add_months, parse_moment
from base.progress import Stages
from clues.raising import raise_until
from dispatch.outcome import take_outcomes
from dispatch.score_clues import score_clues
from experiments.past_orders import take_past_orders
from experiments.province.simulate import simulate
from governance.home import Home
from governance.intake import admit
from governance.jurisdiction import load_jurisdiction
from training.metrics import evaluate_scores, mean_figures
from training.promote import promote
from training.train import TrainResult, train

MONTHS = 60
EXPERIMENT = "became_case"
PROPOSER, APPROVER = "demo-data-scientist", "demo-second-person"


def run_demo(
    home_folder: Path, *, clues: int = 12_000, seed: int = 7, stages: Stages
) -> dict[str, Any]:
    """Run the main job into `home_folder` and write `demo.json` there; returns what it says."""
    earlier = home_folder / "demo.json"
    if earlier.exists():
        return _as_made_before(earlier, clues, seed)
    if (home_folder / "home.json").exists():
        raise _other_home(home_folder, "a home that is not of this demo, or was left half made")
    source = home_folder / "simulated"
    made = simulate(source, clues=clues, seed=seed, months=MONTHS, stages=stages)
    home = Home.create(home_folder, load_jurisdiction("anhui"))
    clock = WallClock(home.jurisdiction.timezone)
    end = add_months(home.jurisdiction.manifest.raise_cycle.first, MONTHS - 1)
    take_in(home, made["files"], end.isoformat(), clock, stages)
    home.note_data_until(end)
    take_past_orders(home, made["orders"])
    result = train(home, EXPERIMENT, clock, stages)
    with stages.stage("promote"):
        promote(home, result.scorer, by=PROPOSER, approved_by=APPROVER, clock=clock)
    score_clues(
        home,
        end,
        output=home.path / "scores.parquet",
        chosen=None,
        reasons=5,
        language="zh",
        clock=clock,
        stages=stages,
    )
    with stages.stage("compare"):
        told = _compared(result, source / "truth" / "clues.parquet")
    answer = {
        "scorer": result.scorer,
        "asked": {"clues": clues, "seed": seed},
        **told,
        "seconds": {**stages.seconds, "total": round(sum(stages.seconds.values()), 3)},
    }
    path = home.path / "demo.json"
    path.write_text(json.dumps(answer, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return {**answer, "written": str(path)}


def _as_made_before(written: Path, clues: int, seed: int) -> dict[str, Any]:
    """A demo that ran to its end is told again, so that it can be served again."""
    answer: dict[str, Any] = json.loads(written.read_text("utf-8"))
    if answer["asked"] != {"clues": clues, "seed": seed}:
        raise _other_home(written.parent, f"a demo of {answer['asked']}")
    return {**answer, "written": str(written)}


def _other_home(folder: Path, got: str) -> NotReady:
    return NotReady(
        wanted=f"an empty folder {folder}",
        got=got,
        cure="run `make clean`, or give another --home",
    )


def take_in(
    home: Home, files: dict[str, list[str]], until: str, clock: Clock, stages: Stages
) -> None:
    """Records, then clues, then what became of them."""
    # A province may be simulated beyond today; no word comes from after its own end.
    day = FixedClock(max(clock.now(), parse_moment(until)))
    with stages.stage("admit", len(files) - 1) as bar:
        for record_set, paths in files.items():
            if record_set != "outcomes":
                admit(home, record_set, [Path(path) for path in paths], day)
                bar.advance()
    with stages.stage("raise") as bar:
        raise_until(home, parse_moment(until), bar)
    with stages.stage("outcomes"):
        for path in files["outcomes"]:
            take_outcomes(home, Path(path), day)


def _compared(result: TrainResult, truth_file: Path) -> dict[str, Any]:
    """Figures over every clue of the test months, judged by the truth; each the mean over splits.

    Splits are ranked apart: a queue never holds clues scored by two scorers.
    """
    scores = pq.read_table(result.report.parent / "test_scores.parquet").to_pandas()
    truth = pd.read_parquet(truth_file).rename(columns={"probability": "score_oracle"})
    judged = scores.merge(truth[["clue_id", "became_case", "score_oracle"]], on="clue_id")
    found = {
        column.removeprefix("score_"): mean_figures(
            [_figures(part, column) for _, part in judged.groupby("split")]
        )
        for column in judged.columns
        if column.startswith("score_")
    }
    return {
        "clues": len(truth),
        "judged": len(judged),
        "judged_from": min(each.split.test_from for each in result.judged).isoformat(),
        "judged_until": max(each.split.test_until for each in result.judged).isoformat(),
        "cases": int(judged["became_case"].sum()),
        "cases_found": {name: figures["cases_found"] for name, figures in found.items()},
        "auc": {name: figures["auc"] for name, figures in found.items()},
        "tail_recall_loss": found["scorer"]["tail_recall_loss"],
        "ece": found["scorer"]["ece"],
    }


def _figures(part: pd.DataFrame, column: str) -> dict[str, Any]:
    probability = part["probability"].to_numpy(float) if column == "score_scorer" else None
    label = part["became_case"].to_numpy(float)
    return evaluate_scores(part[column].to_numpy(float), label, probability)
