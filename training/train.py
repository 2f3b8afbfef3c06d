"""Training, top-down: clues and features -> splits judged -> bundle -> report -> registry.

The scorer that is kept is the one of the last split: what was judged is what serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from base.bilingual import Bilingual
from base.errors import Refused, nearest
from base.moment import Clock, to_micros
from base.progress import Bar, Stages
from base.settings import Settings
from clues.register import require_clues
from clues.supervision import load_supervision_models
from features.declared import declared_features
from features.table import build_features
from governance.home import Home
from governance.reading import Records
from scoring.bundle import GoldenRow, Manifest, write_bundle
from scoring.matrix import to_matrix
from training.evaluate import Judged, Question, judge_split
from training.experiment import Experiment, find_experiment
from training.fit import margins
from training.metrics import mean_figures
from training.report import write_report
from training.tracking import Run, track
from training.training_set import chosen_features, keep_training_set

GOLDEN_ROWS = 16
FUNCTION_TITLES = {
    "criminal": Bilingual(zh="刑事检察", en="criminal"),
    "civil": Bilingual(zh="民事检察", en="civil"),
    "administrative": Bilingual(zh="行政检察", en="administrative"),
    "public_interest": Bilingual(zh="公益诉讼检察", en="public interest"),
}


@dataclass(frozen=True)
class TrainResult:
    """A finished run: its id, the scorer's digest, the report and the figures."""

    run: str
    scorer: str
    report: Path
    judged: tuple[Judged, ...]

    def as_json(self) -> dict[str, Any]:
        names = self.judged[0].baselines
        return {
            "run": self.run,
            "scorer": self.scorer,
            "report": str(self.report),
            "metrics": mean_figures([each.figures for each in self.judged]),
            "baselines": {
                name: mean_figures([each.baselines[name] for each in self.judged]) for name in names
            },
            "splits": [
                {
                    **{key: str(value) for key, value in each.split.model_dump().items()},
                    **each.counts,
                    "metrics": each.figures,
                    "baselines": each.baselines,
                }
                for each in self.judged
            ],
        }


def train(home: Home, name: str, clock: Clock, stages: Stages) -> TrainResult:
    """Run the experiment `name` on a home. Raises NotFound, NotReady or Refused, with the cure."""
    started = to_micros(clock.now()) // 1000
    stem, experiment = find_experiment(home.jurisdiction.folder / "experiments", name)
    with Records(home) as records:
        with stages.stage("features") as bar:
            question = _question(home, stem, experiment, records, bar)
        with stages.stage("train", len(experiment.splits)) as bar:
            judged = []
            for split in experiment.splits:
                judged.append(judge_split(question, split, records))
                bar.advance()
        versions = records.versions
    with stages.stage("register"):
        last = judged[-1]
        digest = write_bundle(
            home.scorers, last.fitted.booster, _manifest(question, last), last.fitted.calibrator
        )
        report = write_report(home.reports, stem, experiment, digest, judged)
        pq.write_table(_all_scores(judged), report.parent / "test_scores.parquet")
        kept = [keep_training_set(each.training_set, home.training_sets) for each in judged]
        run = Run(
            experiment=stem,
            started_ms=started,
            parameters=_parameters(question, last),
            figures=mean_figures([each.figures for each in judged]),
            per_split=tuple(each.figures for each in judged),
            versions=versions,
            training_set=kept[-1],
            training_digest=last.training_set.digest,
        )
        ended = to_micros(clock.now()) // 1000
        run_id = track(home, run, digest, report.parent, ended)
    return TrainResult(run_id, digest, report, tuple(judged))


def _question(
    home: Home, stem: str, experiment: Experiment, records: Records, bar: Bar
) -> Question:
    definitions = declared_features(home)
    chosen = chosen_features(definitions, experiment)
    clues = _asked_clues(home, experiment)
    threads = Settings().threads
    rows = build_features(definitions, clues, records, threads=threads, progress=bar)
    identity = {
        "jurisdiction": home.jurisdiction.name,
        "experiment": stem,
        "label": experiment.label.model_dump(mode="json"),
        "features": definitions.fingerprint,
        "chosen": [feature.name for feature in chosen],
        "versions": records.versions,
    }
    return Question(experiment, clues, rows, chosen, identity, _titles(home), threads)


def _asked_clues(home: Home, experiment: Experiment) -> pa.Table:
    """The clues of the experiment's supervision models within its splits."""
    clues = require_clues(home)
    wanted = experiment.clues.supervision_models
    if wanted != "all":
        known = {model.name for model in load_supervision_models(home.jurisdiction)}
        for name in wanted:
            if name not in known:
                raise Refused(
                    wanted="a supervision model of the jurisdiction",
                    got=repr(name),
                    cure=nearest(name, known),
                    where="clues.supervision_models",
                )
        clues = clues.filter(pc.field("supervision_model").isin(list(wanted)))
    first = pa.scalar(min(split.train_from for split in experiment.splits), pa.timestamp("us"))
    last = pa.scalar(max(split.test_until for split in experiment.splits), pa.timestamp("us"))
    moment = pc.field("raised_at")
    return clues.filter((moment >= first) & (moment < last)).combine_chunks()


def _titles(home: Home) -> Mapping[str, Mapping[str, Bilingual]]:
    """Titles of values that reviewers read: functions and supervision models."""
    models = load_supervision_models(home.jurisdiction)
    return {
        "function": FUNCTION_TITLES,
        "supervision_model": {model.name: model.head.title for model in models},
    }


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


def _golden_rows(judged: Judged) -> tuple[GoldenRow, ...]:
    """Rows spread over the training set, and what the trees say of them."""
    table = judged.training_set.table
    places = [i * (table.num_rows - 1) // (GOLDEN_ROWS - 1) for i in range(GOLDEN_ROWS)]
    rows = table.take(sorted(set(places)))
    margin = margins(judged.fitted.booster, to_matrix(judged.features, rows))
    columns = [rows[feature.name].to_pylist() for feature in judged.features]
    values = zip(*columns, strict=True)
    return tuple(
        GoldenRow(values=row, margin=float(said)) for row, said in zip(values, margin, strict=True)
    )


def _parameters(question: Question, last: Judged) -> dict[str, Any]:
    declared = question.experiment.model_dump(mode="json")
    return {
        "jurisdiction": question.identity["jurisdiction"],
        "label": declared["label"],
        "calibration": declared["calibration"],
        "calibration_notes": "; ".join(last.fitted.notes),
        "seed": declared["seed"],
        "features": len(question.chosen),
        "features_fingerprint": question.identity["features"],
        "excluded": declared["features"]["exclude"],
        "splits": len(declared["splits"]),
        **{f"scorer.{name}": value for name, value in declared["scorer"].items()},
    }


def _all_scores(judged: list[Judged]) -> pa.Table:
    """Every test clue of every split, with each ranking's score."""
    parts = []
    for at, each in enumerate(judged, 1):
        split = pa.array([at] * each.scores.num_rows, pa.int32())
        parts.append(each.scores.add_column(0, "split", split))
    return pa.concat_tables(parts)
