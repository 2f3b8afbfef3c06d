"""Parameters of the trees: a misspelt name or an impossible value never reaches LightGBM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightgbm.basic import _ConfigAliases

from base.errors import Refused
from scoring.bundle import ScoredFeature
from training.experiment import Experiment, load_experiments
from training.fit import grow_trees
from training.parameters import KNOWN, NOT_YOURS, OTHER_NAMES, Bounds, parameter_faults
from training.rows import Rows

GOOD = """
title: {zh: 问题, en: A question}
label: {kind: outcome, horizon_days: 90}
splits:
  - {train_from: 2024-01-01, train_until: 2024-06-01, test_from: 2024-09-01, test_until: 2024-12-01}
calibration: {method: sigmoid, share: 0.2}
"""


def test_lightgbm_knows_every_name() -> None:
    """Also by another name of the same parameter; and no parameter is listed under two names."""
    names: Mapping[str, Any] = _ConfigAliases._get_all_param_aliases()
    canonical = {alias: name for name, aliases in names.items() for alias in (name, *aliases)}
    assert set(KNOWN) <= set(canonical)
    assert len({canonical[name] for name in KNOWN}) == len(KNOWN)
    assert not {canonical[name] for name in KNOWN} & {canonical[name] for name in NOT_YOURS}
    for other, ours in OTHER_NAMES.items():
        assert canonical[other] == canonical[ours]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_lightgbm_takes_every_bound_that_we_take(name: str) -> None:
    """Trees grow at the lowest and at the highest value, or at each choice."""
    draw = np.random.default_rng(1)
    matrix = draw.normal(size=(60, 2))
    rows = Rows(
        matrix,
        (matrix[:, 0] > 0).astype(float),
        np.arange(60, dtype=np.int64),
        np.arange(60).astype(str),
    )
    forest = {"bagging_freq": 1, "bagging_fraction": 0.5}
    for value in ends(KNOWN[name]):
        more = forest if value == "rf" else {}
        few = {"n_estimators": 2, "min_child_samples": 5, **more, name: value}
        if name == "n_estimators":
            few[name] = 1
        grown = grow_trees(asked(few), FEATURES, rows, 1)
        assert np.isfinite(grown.predict(matrix)).all()


def ends(bounds: Bounds) -> tuple[Any, ...]:
    if bounds.choices:
        return bounds.choices
    step = 1 if bounds.whole else 1e-3
    low = 0 if bounds.low is None else bounds.low + (step if bounds.above else 0)
    high = low + 2 if bounds.high is None else bounds.high
    return tuple(int(each) if bounds.whole else float(each) for each in (low, high))


def asked(scorer: dict[str, Any]) -> Experiment:
    split = {"train_from": "2024-01-01", "train_until": "2024-02-01"}
    return Experiment.model_validate(
        {
            "title": {"zh": "问", "en": "q"},
            "label": {"kind": "outcome", "horizon_days": 90},
            "splits": [{**split, "test_from": "2024-06-01", "test_until": "2024-07-01"}],
            "calibration": {"share": 0.2},
            "scorer": scorer,
        }
    )


FEATURES = tuple(
    ScoredFeature.model_validate(
        {
            "name": name,
            "type": "numeric",
            "show": "number",
            "window_days": None,
            "sentence": {"zh": name, "en": name},
            "missing_share": 0.0,
        }
    )
    for name in ("first", "second")
)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("scorer: {num_leafs: 7}", "write 'num_leaves'"),
        ("scorer: {min_data_in_leaf: 7}", "write 'min_child_samples'"),
        ("scorer: {num_leaves: 1}", "at least 2"),
        ("scorer: {num_leaves: 7.5}", "a whole number"),
        ("scorer: {boosting: goss}", "one of gbdt, rf, dart"),
        ("scorer: {extra_trees: 1}", "one of true, false"),
        ("scorer: {learning_rate: .nan}", "above 0"),
        ("scorer: {bagging_fraction: 0}", "above 0"),
        ("tuning: {trials: 3, ranges: {num_leavs: {low: 3, high: 9}}}", "write 'num_leaves'"),
        ("tuning: {trials: 3, ranges: {num_leaves: {low: 1, high: 9}}}", "got 1;"),
        (
            "scorer: {n_trees: 200}",
            "scorer.n_trees: wanted a parameter of the trees; got 'n_trees'; ",
        ),
        ("scorer: {n_trees: 200}", "cure: write 'n_estimators'"),
        ("scorer: {minimum_child_samples: 200}", "write 'min_child_samples'"),
        ("tuning: {trials: 3, ranges: {boosting: {choices: [gbdt, gdbt]}}}", "'gdbt'"),
        ("tuning: {trials: 3, ranges: {seed: {low: 1, high: 9}}}", "seed beside scorer"),
    ],
)
def test_what_cannot_be_set_is_refused_when_the_file_is_read(
    tmp_path: Path, declared: str, told: str
) -> None:
    """`clues init` says so, before any feature is computed."""
    (tmp_path / "question.yaml").write_text(f"{GOOD}{declared}\n", "utf-8")
    with pytest.raises(Refused) as refusal:
        load_experiments(tmp_path)
    assert told in str(refusal.value)
    assert "question.yaml: " in str(refusal.value)


def test_all_faults_of_a_scorer_are_told_together() -> None:
    """Three wrong parameters, three sentences."""
    assert len([*parameter_faults({"a": 1, "seed": 2, "max_bin": 1, "num_leaves": 7}, "x")]) == 3


def test_what_lightgbm_refuses_of_parameters_together_is_a_refusal() -> None:
    """A random forest without bagging: each value is fine by itself."""
    rows = Rows(
        np.arange(20.0)[:, None] * np.ones(2),
        (np.arange(20) % 2).astype(float),
        np.arange(20, dtype=np.int64),
        np.arange(20).astype(str),
    )
    with pytest.raises(Refused, match="bagging"):
        grow_trees(asked({"boosting": "rf"}), FEATURES, rows, 1)
