"""One split of an experiment: teach on what was ripe then, judge on what became known later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from base.errors import Refused
from base.progress import Bar, SilentBar
from governance.reading import Records
from scoring.bundle import ScoredFeature
from scoring.matrix import to_matrix
from training.baselines import Ranking, rank_by
from training.experiment import Experiment, Split
from training.fit import Fitted, fit, margins
from training.label import Labels, label_clues
from training.metrics import CAPACITIES, evaluate_scores
from training.note import Note
from training.question import Question
from training.rivals import rank_rivals
from training.rows import Rows
from training.selection import weigh_selection, weighted_figures
from training.teaching import Taught, between, teach_split
from training.training_set import TrainingSet
from training.tune import StudyPlace, Tuned, tune

Floats = npt.NDArray[np.float64]
SCORER = "scorer"
OF_THE_CLUE = (
    "clue_id",
    "subject_id",
    "office_id",
    "supervision_model",
    "function",
    "severity",
    "raised_at",
)


@dataclass(frozen=True)
class Judged:
    """A split after its test: the scorer it taught, figures, and a row per test clue.

    `figures` and `baselines` (all other rankings, rivals too) are of the labelled test rows as they
    are; `weighted` has the same names and stands for all clues, None where no selection is
    declared. `rankings` are parallel to `scores`, `rows` are those that taught.
    """

    split: Split
    training_set: TrainingSet
    features: tuple[ScoredFeature, ...]
    fitted: Fitted
    figures: dict[str, Any]
    baselines: dict[str, dict[str, Any]]
    scores: pa.Table
    test_rows: pa.Table
    counts: dict[str, int]
    weighted: dict[str, dict[str, Any]] | None = None
    rankings: Mapping[str, Ranking] = field(default_factory=dict)
    rows: Rows | None = None
    tuned: Tuned | None = None

    @property
    def label(self) -> Floats:
        """(n,) of the test clues: 1, 0 or NaN (unknown)."""
        return np.asarray(self.scores["label"].to_numpy(), np.float64)

    @property
    def subject(self) -> npt.NDArray[np.str_]:
        """(n,) of the test clues."""
        return np.array(self.scores["subject_id"].to_pylist(), dtype=str)


@dataclass(frozen=True)
class _Tested:
    """A split's test clues, features and labels; `weight` (n,) where selection is declared."""

    clues: pa.Table
    table: pa.Table
    labels: Labels
    weight: Floats | None
    notes: tuple[Note, ...]


def judge_split(
    question: Question, split: Split, number: int, records: Records, bar: Bar | None = None
) -> Judged:
    """Fit on the split's training rows, rank its test rows, compare with every other ranking.

    Training labels are those known strictly before `test_from`; test labels those known once the
    last test clue's horizon and the reporting lag have passed. `number` counts splits from 1.
    """
    experiment = question.experiment
    tested = _test_rows(question, split, records)
    label = tested.labels.values
    rivals = rank_rivals(experiment.rivals, question.rivals, tested.clues, label, number)
    taught = teach_split(question, split, records)
    tuned = _tuned(question, taught, bar or SilentBar())
    chosen = None if tuned is None else tuned.parameters
    fitted = fit(experiment, taught.features, taught.rows, question.threads, chosen)
    rankings = {**_rankings(question, taught, fitted, tested), **rivals.rankings}
    figures = {
        name: plain_figures(each, label, experiment.capacities) for name, each in rankings.items()
    }
    tuning = () if tuned is None else tuned.notes
    told = (*taught.notes, *tuning, *fitted.notes, *tested.notes, *rivals.notes)
    judged = Judged(
        split=split,
        training_set=taught.training_set,
        features=taught.features,
        fitted=replace(fitted, notes=told),
        figures=figures.pop(SCORER),
        baselines=figures,
        scores=_score_table(tested, rankings, experiment),
        test_rows=tested.table,
        counts=_counts(taught, tested),
        rankings=rankings,
        rows=taught.rows,
        tuned=tuned,
    )
    if tested.weight is None:
        return judged
    weighted = {
        name: weighted_figures(each, label, tested.weight, judged.subject)
        for name, each in rankings.items()
    }
    return replace(judged, weighted=weighted)


def plain_figures(
    ranking: Ranking, label: Floats, capacities: Sequence[str] = CAPACITIES
) -> dict[str, Any]:
    """Figures on the labelled rows; `label` (n,), NaN: unknown. A row without a score is last."""
    score = np.where(np.isnan(ranking.score), -np.inf, ranking.score)
    return evaluate_scores(score, label, ranking.probability, capacities=capacities)


def judged_at(experiment: Experiment, split: Split) -> datetime:
    """When every test clue is ripe."""
    label = experiment.label
    return label.horizon.after(split.test_until) + timedelta(days=label.reporting_lag_days)


def _tuned(question: Question, taught: Taught, bar: Bar) -> Tuned | None:
    if question.experiment.tuning is None:
        return None
    place = StudyPlace(question.studies, question.name, taught.training_set.digest)
    return tune(question.experiment, taught.features, taught.rows, place, question.threads, bar)


def _test_rows(question: Question, split: Split, records: Records) -> _Tested:
    experiment = question.experiment
    chosen = between(question.clues, split.test_from, split.test_until)
    if experiment.clues.judged is not None:
        judged = pa.array(experiment.clues.judged)
        chosen = pc.and_(chosen, pc.is_in(question.clues["supervision_model"], judged))
    clues, table = question.clues.filter(chosen), question.rows.filter(chosen)
    # Only what was ripe then judges: a test of unripe clues would be one of quick outcomes.
    label = experiment.label.model_copy(update={"survival": None})
    labels = label_clues(label, clues, records, judged_at(experiment, split))
    if np.isnan(labels.values).all():
        raise Refused(
            wanted=f"labelled clues between {split.test_from} and {split.test_until}",
            got=f"{clues.num_rows} clues there, none with a known label",
            cure="move the split to months whose outcomes were admitted",
        )
    if experiment.selection is None:
        return _Tested(clues, table, labels, None, ())
    found = weigh_selection(experiment.selection, clues, labels, question.noted, experiment.seed)
    notes = tuple(note.of_the_test() for note in found.notes)
    return _Tested(clues, table, labels, found.weight, notes)


def _rankings(
    question: Question, taught: Taught, fitted: Fitted, tested: _Tested
) -> dict[str, Ranking]:
    """The scorer's order of the test rows, and every baseline's."""
    experiment, rows = question.experiment, taught.rows
    test = to_matrix(taught.features, tested.table)
    margin = margins(fitted.booster, test)
    rankings = {SCORER: Ranking(margin, fitted.calibrator.probability(margin, test))}
    for name in experiment.baselines:
        rankings[name] = rank_by(
            name,
            experiment,
            taught.features,
            (rows.matrix, rows.label),
            test,
            tested.clues,
            weight=rows.weight,
            threads=question.threads,
        )
    return rankings


def _counts(taught: Taught, tested: _Tested) -> dict[str, int]:
    """Clues by what they were to this split, for reports."""
    learned, known = taught.labels.counts, ~np.isnan(tested.labels.values)
    rest = {f"train_{name}": n for name, n in learned.items() if name != "labelled"}
    return {
        "train_clues": learned["labelled"],
        "train_cases": int(taught.rows.label.sum()),
        **rest,
        "test_clues": int(known.sum()),
        "test_cases": int(tested.labels.values[known].sum()),
        "test_unlabelled": int((~known).sum()),
    }


def _score_table(
    tested: _Tested, rankings: Mapping[str, Ranking], experiment: Experiment
) -> pa.Table:
    """Every test clue: what it is, label (null: unknown), probability, each ranking's score."""
    clues, weight = tested.clues, tested.weight
    return pa.table(
        {
            **{name: clues[name] for name in dict.fromkeys([*OF_THE_CLUE, *experiment.fairness])},
            "label": pa.array(tested.labels.values, from_pandas=True),
            "probability": rankings[SCORER].probability,
            **({} if weight is None else {"selection_weight": weight}),
            **{
                f"score_{name}": pa.array(ranking.score, from_pandas=True)
                for name, ranking in rankings.items()
            },
        }
    )
