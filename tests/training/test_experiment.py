"""Experiments as declared: what cannot be is refused with its cure."""

from __future__ import annotations

from pathlib import Path

import hamlet
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
    """`question` and `hamlet/question` are one; a misspelt one names the nearest."""
    folder = hamlet.write_hamlet(tmp_path / "hamlet") / "experiments"
    folder.mkdir(exist_ok=True)
    (folder / "question.yaml").write_text(GOOD, "utf-8")
    assert find_experiment(folder, "hamlet/question") == find_experiment(folder, "question")
    with pytest.raises(NotFound, match="write 'question'"):
        find_experiment(folder, "qestion")


@pytest.mark.parametrize("jurisdiction", ["nosuch", "anhui", "hamlet/hamlet", "", "."])
def test_an_experiment_of_another_jurisdiction_is_none_of_this(
    tmp_path: Path, jurisdiction: str
) -> None:
    """Whatever stands before the last slash must be the jurisdiction's own name."""
    folder = hamlet.write_hamlet(tmp_path / "hamlet") / "experiments"
    folder.mkdir(exist_ok=True)
    (folder / "question.yaml").write_text(GOOD, "utf-8")
    with pytest.raises(NotFound, match="an experiment of hamlet") as refusal:
        find_experiment(folder, f"{jurisdiction}/question")
    assert refusal.value.got == repr(f"{jurisdiction}/question")
    assert refusal.value.cure == "write 'question' or 'hamlet/question'"


def test_beside_a_teacher_only_the_keys_in_the_way_are_told(tmp_path: Path) -> None:
    """Each where it stands, whole; of what does no harm nothing is said."""
    text = (
        f"{GOOD}teacher: {{kind: logistic_regression}}\nscorer: {{num_leaves: 4, eta: 0.1}}\n"
        "early_stopping: {rounds: 5}\n"
    ).replace("eta", "learning_rate")
    (tmp_path / "question.yaml").write_text(text, "utf-8")
    with pytest.raises(Refused) as refusal:
        load_experiments(tmp_path)
    told = [(fault.where, fault.got) for fault in refusal.value.faults]
    assert told == [
        ("question.yaml: scorer.learning_rate", "the key learning_rate"),
        ("question.yaml: early_stopping", "the key early_stopping"),
    ]
    assert "decides nothing there" in refusal.value.wanted


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
