"""A teacher: trees rank as the plain scorer does, stay explained exactly, and read nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError
from training_worlds import asked, drawn_rows, scored

from scoring.explainer import build_explainer
from training.baselines import LEARNER, logistic
from training.experiment import Teacher
from training.fit import fit, grow_trees, margins
from training.metrics import evaluate_scores
from training.teacher import taught_margins

FEATURES = scored(6, categories=(2,))
TEACHER = {"kind": "logistic_regression", "c": 0.05}
STUMPS = {"num_leaves": 2, "n_estimators": 200, "learning_rate": 0.1, "min_child_samples": 20}


def test_trees_rank_as_their_teacher_does() -> None:
    """On rows that neither has seen: nearly one order, and as good a one."""
    rows, later = drawn_rows(), drawn_rows(seed=2)
    booster = grow_trees(asked(teacher=TEACHER, scorer=STUMPS), FEATURES, rows, 1)
    learner = logistic(FEATURES, TEACHER["c"]).fit(rows.matrix, rows.label)
    ours, theirs = margins(booster, later.matrix), learner.decision_function(later.matrix)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97
    auc = [evaluate_scores(each, later.label)["auc"] for each in (ours, theirs)]
    assert abs(auc[0] - auc[1]) < 0.02


def test_a_stronger_ridge_brings_every_margin_nearer_to_the_mean() -> None:
    rows = drawn_rows()
    spread = [
        taught_margins(Teacher(kind="logistic_regression", c=c), FEATURES, rows).std()
        for c in (0.001, 0.1)
    ]
    assert spread[0] < spread[1]


def test_a_row_of_weight_two_teaches_as_the_row_twice() -> None:
    """Up to what the standard scale makes of it: columns here have their scale already."""
    rows = drawn_rows(600)
    twice = rows.where(np.repeat(np.arange(600), 2))
    teacher = Teacher(kind="logistic_regression", c=0.05)
    heavy = taught_margins(teacher, FEATURES, replace(rows, weight=np.full(600, 2.0)))
    doubled = taught_margins(teacher, FEATURES, twice)
    assert np.allclose(np.repeat(heavy, 2), doubled, atol=1e-3)


def test_what_a_teacher_taught_is_explained_exactly_by_the_compiled_engine() -> None:
    """Contributions and base add up to the margin, which is the teacher's log-odds nearly."""
    rows = drawn_rows()
    booster = grow_trees(asked(teacher=TEACHER, scorer=STUMPS), FEATURES, rows, 1)
    explainer = build_explainer(booster, booster.model_to_string(), rows.matrix[:16])
    told = explainer.explain(rows.matrix, 1)
    assert explainer.engine == "quadrature"
    total = told.contributions.sum(axis=1) + told.base
    assert np.abs(total - margins(booster, rows.matrix)).max() < 1e-9


def test_probabilities_are_calibrated_on_labels_and_directions_hold() -> None:
    """The calibrator reads labels, not the teacher: the mean probability is the share of cases."""
    rows = drawn_rows()
    experiment = asked(teacher=TEACHER, scorer=STUMPS, monotone={"x1": 1})
    fitted = fit(experiment, FEATURES, rows, 1)
    margin = margins(fitted.booster, rows.matrix)
    said = fitted.calibrator.probability(margin, rows.matrix)
    assert abs(said.mean() - rows.label.mean()) < 0.03
    raised = rows.matrix.copy()
    raised[:, 1] += 1.0
    assert (margins(fitted.booster, raised) >= margin).all()


@pytest.mark.parametrize(
    "other",
    [
        {"early_stopping": {"rounds": 5}},
        {"tuning": {"trials": 2, "ranges": {"num_leaves": {"low": 2, "high": 8}}}},
    ],
)
def test_a_teacher_with_what_reads_labels_of_later_rows_is_refused(other: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="with teacher"):
        asked(teacher=TEACHER, scorer=STUMPS, **other)


def test_the_learner_of_the_teacher_is_the_baselines() -> None:
    """One definition of the regression, with the strength that is asked for."""
    assert logistic(FEATURES).named_steps[LEARNER].C == 0.01
    assert logistic(FEATURES, 0.5).named_steps[LEARNER].C == 0.5
