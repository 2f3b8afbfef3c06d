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
from training.fit import TAUGHT, fit, grow_trees, margins
from training.rows import Rows
from training.teacher import taught_terms

FEATURES = scored(6, categories=(2,))
TEACHER = {"kind": "logistic_regression", "c": 0.05}
STAIRS = {"num_leaves": 32, "min_child_samples": 5}
FREE = [0] * len(FEATURES)


def with_gaps(rows: Rows) -> Rows:
    """A tenth of the second number and of the category unknown."""
    matrix = rows.matrix.copy()
    draw = np.random.default_rng(5)
    for column in (1, 2):
        matrix[draw.random(len(matrix)) < 0.1, column] = np.nan
    return replace(rows, matrix=matrix)


def terms_of(rows: Rows, directions: list[int] = FREE, c: float = 0.05) -> np.ndarray:
    return taught_terms(Teacher(kind="logistic_regression", c=c), FEATURES, rows, directions)


def test_terms_add_up_to_the_log_odds_of_the_baselines_regression() -> None:
    """Numbers, flags of the missing and categories: each counts for the feature it came from."""
    rows = with_gaps(drawn_rows())
    learner = logistic(FEATURES, 0.05).fit(rows.matrix, rows.label)
    assert np.allclose(terms_of(rows).sum(axis=1), learner.decision_function(rows.matrix))
    assert logistic(FEATURES).named_steps[LEARNER].C == 0.01


def test_a_term_is_a_function_of_its_feature_alone() -> None:
    rows = with_gaps(drawn_rows())
    for column, term in zip(rows.matrix.T, terms_of(rows).T, strict=True):
        _, same = np.unique(column, return_inverse=True)
        first = np.zeros(same.max() + 1)
        first[same] = term
        assert np.allclose(first[same], term)


def test_each_tree_is_the_staircase_of_one_feature_and_together_they_rank_as_the_teacher() -> None:
    """On rows that neither has seen."""
    rows, later = with_gaps(drawn_rows()), with_gaps(drawn_rows(seed=2))
    booster = grow_trees(asked(teacher=TEACHER, scorer=STAIRS), FEATURES, rows, 1)
    table = booster.trees_to_dataframe()
    split = table[table["split_feature"].notna()].groupby("tree_index")["split_feature"].nunique()
    assert (split == 1).all()
    learner = logistic(FEATURES, 0.05).fit(rows.matrix, rows.label)
    theirs = learner.decision_function(later.matrix)
    ours = margins(booster, later.matrix)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
    assert margins(booster, rows.matrix).std() == pytest.approx(1, abs=0.02)


def test_few_rows_and_many_speak_on_one_scale() -> None:
    """Under one ridge the log-odds of few rows are flatter; what a calibrator sees is not."""
    few, many = drawn_rows(150), drawn_rows(3_000)
    log_odds = [terms_of(rows, c=0.001).sum(axis=1).std() for rows in (few, many)]
    experiment = asked(teacher={**TEACHER, "c": 0.001}, scorer=STAIRS)
    margin = [
        margins(grow_trees(experiment, FEATURES, rows, 1), rows.matrix) for rows in (few, many)
    ]
    assert log_odds[0] < log_odds[1] / 2
    assert margin[0].std() == pytest.approx(margin[1].std(), rel=0.1)
    assert abs(margin[0].mean()) < 0.05


def test_the_same_rows_give_the_same_staircases_whatever_the_threads() -> None:
    rows, experiment = drawn_rows(), asked(teacher=TEACHER, scorer=STAIRS)
    texts = {
        grow_trees(experiment, FEATURES, rows, threads).model_to_string() for threads in (1, 4, 1)
    }
    assert len(texts) == 1


def test_a_row_of_weight_two_teaches_as_the_row_twice() -> None:
    rows = drawn_rows(600)
    twice = rows.where(np.repeat(np.arange(600), 2))
    heavy = terms_of(replace(rows, weight=np.full(600, 2.0)))
    assert np.allclose(np.repeat(heavy, 2, axis=0), terms_of(twice), atol=1e-3)


def test_no_term_points_against_its_direction_and_the_others_are_fitted_again() -> None:
    """x0 speaks for a case: declared the other way, it says nothing at all."""
    rows = drawn_rows()
    free, bound = terms_of(rows), terms_of(rows, [-1, 1, 0, 0, 0, 0])
    assert np.ptp(free[:, 0]) > 1
    assert np.ptp(bound[:, 0]) == 0
    assert (np.diff(bound[np.argsort(rows.matrix[:, 1]), 1]) >= 0).all()


def test_what_a_teacher_taught_is_explained_exactly_by_the_compiled_engine() -> None:
    """Contributions and base add up to the margin, whatever is unknown."""
    rows = with_gaps(drawn_rows())
    booster = grow_trees(asked(teacher=TEACHER, scorer=STAIRS), FEATURES, rows, 1)
    explainer = build_explainer(booster, booster.model_to_string(), rows.matrix[:16])
    told = explainer.explain(rows.matrix, 1)
    assert explainer.engine == "quadrature"
    total = told.contributions.sum(axis=1) + told.base
    assert np.abs(total - margins(booster, rows.matrix)).max() < 1e-9


def test_probabilities_are_calibrated_on_labels_and_directions_hold() -> None:
    """The calibrator reads labels, not the teacher: the mean probability is the share of cases."""
    rows = drawn_rows()
    experiment = asked(teacher=TEACHER, scorer=STAIRS, monotone={"x1": 1})
    fitted = fit(experiment, FEATURES, rows, 1)
    assert TAUGHT in fitted.notes
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
        {"scorer": {"n_estimators": 50}},
    ],
)
def test_what_decides_nothing_beside_a_teacher_is_refused(other: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="with teacher"):
        asked(**{"teacher": TEACHER, "scorer": STAIRS, **other})
