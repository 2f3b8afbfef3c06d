"""Experiments as declared: what cannot be is refused with its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from base.errors import NotFound, Refused
from training.experiment import Experiment, find_experiment, load_experiments

GOOD = """
title: {zh: 问题, en: A question}
label: {kind: outcome, horizon_days: 90}
splits:
  - {train_from: 2024-01-01, train_until: 2024-06-01, test_from: 2024-09-01, test_until: 2024-12-01}
calibration: {method: sigmoid, share: 0.2}
"""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("horizon_days: 90", "horizon_dayz: 90", "write 'horizon_days'"),
        ("train_until: 2024-06-01", "train_until: 2024-10-01", "train_until <= test_from"),
        ("share: 0.2", "share: 0.2, cross_fit: 5", "one of them"),
        ("calibration:", "scorer: {linear_tree: true}\ncalibration:", "constant leaves"),
        ("calibration:", "scorer: {seed: 3}\ncalibration:", "seed beside scorer"),
        ("calibration:", "baselines: [past_cases]\ncalibration:", "past_cases"),
        ("calibration:", "capacity: [120%]\ncalibration:", "120%"),
        ("calibration:", "rolling: {train_from: 2021-01-01}\ncalibration:", "add first_test"),
        ("method: sigmoid", "method: isotonic", "one of 'sigmoid'"),
        ("horizon_days: 90", "horizon_days: 0", "a number of at least 1"),
        ("horizon_days: 90", "horizon_days: soon", "a whole number"),
        (
            "calibration:",
            "clues: {supervision_models: 3}\ncalibration:",
            "a list, written [a, b] or",
        ),
    ],
)
def test_an_impossible_experiment_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    """Each names the file and what would mend it."""
    (tmp_path / "question.yaml").write_text(GOOD.replace(old, new), "utf-8")
    with pytest.raises(Refused) as refusal:
        load_experiments(tmp_path)
    said = str(refusal.value)
    assert told in said
    assert "question.yaml" in said
    assert not any(noise in said for noise in ("Value error", "Input should", "validation error"))


def test_an_experiment_is_found_by_its_name_with_or_without_its_jurisdiction(
    tmp_path: Path,
) -> None:
    """`became_case` and `anhui/became_case` are one; a misspelt one names the nearest."""
    (tmp_path / "question.yaml").write_text(GOOD, "utf-8")
    assert find_experiment(tmp_path, "hamlet/question") == find_experiment(tmp_path, "question")
    with pytest.raises(NotFound, match="write 'question'"):
        find_experiment(tmp_path, "qestion")


def test_splits_or_rolling_and_the_schema_says_so(tmp_path: Path) -> None:
    """One of the two, never none and never both; editors hear the same."""
    schema = Experiment.model_json_schema()
    assert "splits" not in schema["required"]
    assert schema["oneOf"] == [{"required": ["splits"]}, {"required": ["rolling"]}]
    rolling = (
        "rolling: {train_from: 2021-01-01, first_test: 2024-01-01, test_months: 3, every_months: 3,"
        " until: 2024-12-31}\n"
    )
    head, _, rest = GOOD.partition("splits:")
    without = head + rest[rest.index("calibration:") :]
    for text in (GOOD + rolling, without):
        (tmp_path / "question.yaml").write_text(text, "utf-8")
        with pytest.raises(Refused, match="splits or rolling, one of them"):
            load_experiments(tmp_path)
    (tmp_path / "question.yaml").write_text(without + rolling, "utf-8")
    assert len(load_experiments(tmp_path)["question"].splits) == 3


def test_the_declared_capacities_are_told_besides_the_usual_ones(tmp_path: Path) -> None:
    """5 % and 20 %: 5, 10, 20 and 30."""
    (tmp_path / "question.yaml").write_text(f"{GOOD}capacity: [20%, 5%]\n", "utf-8")
    assert load_experiments(tmp_path)["question"].capacities == ("5", "10", "20", "30")
