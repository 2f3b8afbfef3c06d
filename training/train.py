"""Training, top-down: clues and features -> splits judged -> bundle -> report -> registry.

The scorer that is kept is the one of the last split: what was judged is what serves.
"""

from __future__ import annotations

import json
from typing import Any

import lightgbm as lgb
import pyarrow as pa
import pyarrow.parquet as pq

from base.moment import Clock, to_micros
from base.progress import Bar, Stages
from governance.home import Home
from governance.pseudonyms import told_apart
from governance.reading import Records
from scoring.bundle import GoldenRow, Manifest, Reference, write_bundle
from scoring.matrix import to_matrix
from training.capacity import left_out_note
from training.evaluate import Judged, judge_split
from training.experiment import Experiment, find_experiment
from training.findings import find_out, over_splits
from training.fit import margins
from training.question import Question, ask
from training.report import write_report
from training.result import TrainResult
from training.rivals import present_rivals
from training.since_champion import load_champion
from training.tracking import Run, track
from training.training_set import keep_training_set

GOLDEN_ROWS = 16
REFERENCE_ROWS = 256


def train(
    home: Home, name: str, clock: Clock, stages: Stages, asked: Experiment | None = None
) -> TrainResult:
    """Run the experiment `name` on a home; `asked` stands in for what is declared under that name.

    Raises NotFound, NotReady or Refused, with the cure.
    """
    started = _milliseconds(clock)
    stem, declared = find_experiment(home.jurisdiction.folder / "experiments", name)
    experiment, warnings = _with_present_rivals(home, asked or declared)
    with Records(home) as records:
        with stages.stage("features") as bar:
            question = ask(home, stem, experiment, records, bar)
        warnings += _capacity_warnings(question)
        with stages.stage("train", _steps(experiment)) as bar:
            judged = [
                _judged(question, number, records, bar)
                for number in range(1, len(experiment.splits) + 1)
            ]
    with stages.stage("judge"):
        findings = find_out(question, judged)
        redrawn = over_splits(question, judged)
    with stages.stage("register"):
        last, champion = judged[-1], load_champion(home.scorers)
        manifest = _manifest(question, last)
        digest = write_bundle(
            home.scorers,
            last.fitted.booster,
            manifest,
            last.fitted.calibrator,
            reference_rows(last),
        )
        report = write_report(
            home.reports,
            stem,
            experiment,
            digest,
            judged,
            findings=findings,
            champion=champion,
            titles=question.titles,
        )
        scores = told_apart(home, _all_scores(judged), "data_scientist", "training")
        pq.write_table(scores, report.parent / "test_scores.parquet")
        run = Run(
            experiment=stem,
            started_ms=started,
            ended_ms=_milliseconds(clock),
            parameters=_parameters(question, last),
            judged=tuple(judged),
            kept=tuple(keep_training_set(each.training_set, home) for each in judged),
            versions=question.identity["versions"],
            warnings=warnings,
        )
        run_id = track(home, run, digest, report.parent)
    result = TrainResult(run_id, digest, report, tuple(judged), tuple(findings), redrawn, warnings)
    figures = json.dumps(result.as_json(), ensure_ascii=False, default=str, indent=1)
    (report.parent / "figures.json").write_text(figures + "\n", "utf-8")
    return result


def _with_present_rivals(home: Home, experiment: Experiment) -> tuple[Experiment, tuple[str, ...]]:
    """The experiment with the rivals that have files; a note for each optional one that has not."""
    present, notes = present_rivals(experiment.rivals, home.path / "rivals", len(experiment.splits))
    return experiment.model_copy(update={"rivals": present}), notes


def _capacity_warnings(question: Question) -> tuple[str, ...]:
    """What is left out of the figures at capacity, if anything."""
    note = None if question.places is None else left_out_note(question.clues, question.places)
    return () if note is None else (note,)


def _judged(question: Question, number: int, records: Records, bar: Bar) -> Judged:
    tuning = question.experiment.tuning
    split = question.experiment.splits[number - 1]
    judged = judge_split(question, split, number, records, _Within(bar) if tuning else None)
    bar.advance()
    return judged


class _Within:
    """A bar within another: it advances that one, and leaves what is expected to it."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def advance(self, steps: float = 1) -> None:
        """One trial more."""
        self._bar.advance(steps)

    def expect(self, total: float) -> None:
        """Known before."""


def _steps(experiment: Experiment) -> int:
    trials = 0 if experiment.tuning is None else experiment.tuning.trials
    return len(experiment.splits) * (1 + trials)


def _milliseconds(clock: Clock) -> int:
    return to_micros(clock.now()) // 1000


def _manifest(question: Question, judged: Judged) -> Manifest:
    identity = question.identity
    return Manifest(
        jurisdiction=identity["jurisdiction"],
        experiment=identity["experiment"],
        label=identity["label"],
        features=judged.features,
        features_fingerprint=identity["features"],
        training_set=judged.training_set.digest,
        versions=identity["versions"],
        trained_until=judged.split.test_from.isoformat(),
        trees=judged.fitted.booster.num_trees(),
        lightgbm=lgb.__version__,
        golden=_golden_rows(judged),
    )


def reference_rows(judged: Judged) -> Reference:
    """What a fact that is missing on some clue was like on others."""
    rows = _spread(judged, REFERENCE_ROWS)
    columns = [rows[feature.name].to_pylist() for feature in judged.features]
    return Reference(rows=tuple(zip(*columns, strict=True)))


def _spread(judged: Judged, count: int) -> pa.Table:
    """At most `count` rows spread over the training set, which is in order of the moment."""
    table = judged.training_set.table
    places = [i * (table.num_rows - 1) // (count - 1) for i in range(count)]
    return table.take(sorted(set(places)))


def _golden_rows(judged: Judged) -> tuple[GoldenRow, ...]:
    """Rows spread over the training set, and what the trees say of them."""
    rows = _spread(judged, GOLDEN_ROWS)
    margin = margins(judged.fitted.booster, to_matrix(judged.features, rows))
    columns = [rows[feature.name].to_pylist() for feature in judged.features]
    values = zip(*columns, strict=True)
    return tuple(
        GoldenRow(values=row, margin=float(said)) for row, said in zip(values, margin, strict=True)
    )


def _parameters(question: Question, last: Judged) -> dict[str, Any]:
    """What was declared, and what the kept scorer's trees grew with."""
    declared = question.experiment.model_dump(mode="json", exclude={"scorer", "splits", "title"})
    asked = {name: value for name, value in declared.items() if value not in (None, [], {})}
    return {
        **asked,
        "jurisdiction": question.identity["jurisdiction"],
        "features": len(question.chosen),
        "features_fingerprint": question.identity["features"],
        "excluded": declared["features"]["exclude"],
        "splits": len(question.experiment.splits),
        "trees": last.fitted.booster.num_trees(),
        **{f"scorer.{name}": value for name, value in last.fitted.parameters.items()},
    }


def _all_scores(judged: list[Judged]) -> pa.Table:
    """Every test clue of every split, with each ranking's score."""
    parts = []
    for at, each in enumerate(judged, 1):
        split = pa.array([at] * each.scores.num_rows, pa.int32())
        parts.append(each.scores.add_column(0, "split", split))
    return pa.concat_tables(parts)
