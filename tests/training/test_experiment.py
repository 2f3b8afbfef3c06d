"""Experiments as declared: what cannot be is refused with its cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from base.errors import NotFound, Refused
from training.experiment import find_experiment, load_experiments

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
    ],
)
def test_an_impossible_experiment_is_refused(tmp_path: Path, old: str, new: str, told: str) -> None:
    """Each names the file and what would mend it."""
    (tmp_path / "question.yaml").write_text(GOOD.replace(old, new), "utf-8")
    with pytest.raises(Refused) as refusal:
        load_experiments(tmp_path)
    assert told in str(refusal.value)
    assert "question.yaml" in str(refusal.value)


def test_an_experiment_is_found_by_its_name_with_or_without_its_jurisdiction(
    tmp_path: Path,
) -> None:
    """`became_case` and `anhui/became_case` are one; a misspelt one names the nearest."""
    (tmp_path / "question.yaml").write_text(GOOD, "utf-8")
    assert find_experiment(tmp_path, "hamlet/question") == find_experiment(tmp_path, "question")
    with pytest.raises(NotFound, match="write 'question'"):
        find_experiment(tmp_path, "qestion")
