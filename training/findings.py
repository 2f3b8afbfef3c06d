"""What else is found out about a judged split: intervals, capacity, groups, the learning curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from scoring.matrix import to_matrix
from training.baselines import Ranking
from training.by_model import by_group
from training.capacity import AtCapacity, chance_of_a_place, found_at_capacity, queues_of
from training.evaluate import Judged, plain_figures
from training.fit import fit, margins
from training.intervals import Redrawn, Rows, redraw
from training.learning_curve import CurvePoint, learning_curve
from training.question import Question
from training.report import Findings

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def find_out(question: Question, judged: Sequence[Judged]) -> list[Findings]:
    """Findings of every split; the learning curve is that of the last, whose scorer is kept."""
    curves = [()] * (len(judged) - 1) + [_curve(question, judged[-1])]
    return [_findings(question, each, curve) for each, curve in zip(judged, curves, strict=True)]


def over_splits(question: Question, judged: Sequence[Judged]) -> Redrawn:
    """Every ranking redrawn by subject, figures the mean over splits."""
    rows = [_labelled(question, each) for each in judged]
    return redraw(rows, capacities=question.experiment.capacities)


def at_capacity(question: Question, judged: Judged) -> tuple[AtCapacity, ...] | None:
    """Cases found with the offices' hands; None where the jurisdiction declares no offices."""
    if question.places is None:
        return None
    scores = {name: _last_if_unscored(each) for name, each in judged.rankings.items()}
    return found_at_capacity(scores, judged.label, judged.scores, question.places)


def _findings(question: Question, judged: Judged, curve: tuple[CurvePoint, ...]) -> Findings:
    redrawn = redraw([_labelled(question, judged)], capacities=question.experiment.capacities)
    weighted = judged.weighted or {}
    return Findings(
        intervals={name: redrawn.intervals(name) for name in judged.rankings},
        weighted={name: _without_intervals(each) for name, each in weighted.items()},
        weighted_intervals={
            name: {figure: (low, high) for figure, (low, high) in each["intervals"].items()}
            for name, each in weighted.items()
        },
        by_group=by_group(judged.scores),
        capacity=at_capacity(question, judged),
        learning_curve=curve,
    )


def _without_intervals(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in figures.items() if name != "intervals"}


def _labelled(question: Question, judged: Judged) -> Rows:
    """The labelled rows of a split, with every ranking's chance that an office takes the row."""
    label = judged.label
    known = ~np.isnan(label)
    taken = {}
    if question.places is not None:
        queues = queues_of(judged.scores, question.places)
        taken = {
            name: chance_of_a_place(_last_if_unscored(each), queues)[known]
            for name, each in judged.rankings.items()
        }
    rankings = {
        name: Ranking(
            each.score[known], None if each.probability is None else each.probability[known]
        )
        for name, each in judged.rankings.items()
    }
    return Rows(label[known], judged.subject[known], rankings, taken=taken)


def _last_if_unscored(ranking: Ranking) -> Floats:
    """A rival need not score clues that nobody judges: they stand last."""
    return np.where(np.isnan(ranking.score), -np.inf, ranking.score)


def _curve(question: Question, judged: Judged) -> tuple[CurvePoint, ...]:
    """Scorers of the latest shares of the rows that taught, with the parameters that were kept."""
    experiment, rows = question.experiment, judged.rows
    if not experiment.learning_curve or rows is None:
        return ()
    test = to_matrix(judged.features, judged.test_rows)

    def teach(chosen: Bools) -> Mapping[str, Any]:
        fitted = fit(
            experiment,
            judged.features,
            rows.where(chosen),
            question.threads,
            judged.fitted.parameters,
        )
        margin = margins(fitted.booster, test)
        ranking = Ranking(margin, fitted.calibrator.probability(margin, test))
        return plain_figures(ranking, judged.label, experiment.capacities)

    return learning_curve(
        rows.moment, rows.label, experiment.learning_curve, teach, whole=judged.figures
    )
