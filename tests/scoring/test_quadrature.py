"""The compiled explainer gives what LightGBM and shap give, whatever the trees and the rows."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
import pytest
import shap
import tiny_scorer
from exact_contributions import exact_contributions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from base.errors import Refused
from scoring.explainer import Explainer, build_explainer
from scoring.explanation import adds_up
from scoring.quadrature.engine import strongest_of, warm
from scoring.quadrature.forest import read_forest
from scoring.quadrature.four_rows import explain_fours
from scoring.quadrature.kernel import LANES, explain_blocks
from scoring.quadrature.one_row import explain_each
from scoring.quadrature.reading import forest_of
from scoring.scorer import Scorer

Floats = npt.NDArray[np.float64]
ODD = (
    np.nan,
    0.0,
    -0.0,
    1e-36,
    -1e-36,
    1e-30,
    -1.0,
    -0.5,
    0.5,
    7.9,
    31.0,
    32.0,
    64.0,
    1e9,
    3e9,
    1e300,
)


def random_rows(draw: np.random.Generator, count: int, categories: int) -> Floats:
    """Six columns: numbers, small counts with zeros, and two categories, a fifth missing."""
    rows = draw.normal(size=(count, 6))
    rows[:, 1] = draw.poisson(0.7, count)
    rows[:, 2] = np.where(draw.random(count) < 0.4, 0.0, rows[:, 2])
    rows[:, 4:] = draw.integers(0, categories, (count, 2))
    rows[draw.random(rows.shape) < 0.2] = np.nan
    return rows


def random_booster(seed: int, options: dict[str, Any], *, rounds: int = 6) -> lgb.Booster:
    """Trees over 300 drawn rows, two of whose six columns are categories."""
    draw = np.random.default_rng(seed)
    rows = random_rows(draw, 300, options.pop("categories", 40))
    known = np.nan_to_num(rows)
    label = known[:, 0] + known[:, 1] * known[:, 2] + (known[:, 4] % 3 == 1) + draw.normal(size=300)
    fixed = {
        "num_threads": 1, "verbose": -1, "seed": seed, "min_data_per_group": 5, "cat_smooth": 1,
        "min_data_in_leaf": 2, "learning_rate": 0.2, "objective": "binary", "deterministic": True,
    }  # fmt: skip
    data = lgb.Dataset(rows, label=(label > 0.5).astype(float), categorical_feature=[4, 5])
    return lgb.train({**fixed, **options}, data, num_boost_round=rounds)


def odd_rows(seed: int, count: int = 70) -> Floats:
    """Drawn rows in which every third value is one of the values that engines read differently."""
    draw = np.random.default_rng(seed)
    rows = random_rows(draw, count, 90)
    return np.where(draw.random(rows.shape) < 0.3, draw.choice(ODD, rows.shape), rows)


def explainer_of(booster: lgb.Booster) -> Explainer:
    return build_explainer(booster, booster.model_to_string(num_iteration=-1), odd_rows(1, 3))


def close(ours: Floats, theirs: Floats) -> bool:
    scale = np.maximum(1.0, np.abs(theirs).sum(axis=-1, keepdims=True))
    return bool(np.all(np.abs(ours - theirs) <= 1e-9 * scale))


OPTIONS = st.fixed_dictionaries(
    {
        "num_leaves": st.sampled_from([2, 3, 8, 31, 60]),
        "max_cat_to_onehot": st.sampled_from([1, 4, 64]),
        "categories": st.sampled_from([2, 5, 40, 80]),
        "use_missing": st.booleans(),
        "zero_as_missing": st.booleans(),
        "feature_fraction": st.sampled_from([0.2, 1.0]),
        "bagging_fraction": st.sampled_from([0.5, 1.0]),
        "bagging_freq": st.just(1),
        "boosting": st.sampled_from(["gbdt", "dart"]),
        "max_depth": st.sampled_from([-1, 2]),
    }
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), options=OPTIONS)
def test_contributions_are_lightgbms_over_random_trees(seed: int, options: dict[str, Any]) -> None:
    """The oracle is pred_contrib; base and contributions give LightGBM's margin (P-6)."""
    booster = random_booster(seed, dict(options))
    explainer = explainer_of(booster)
    assert explainer.engine == "quadrature", explainer.reason
    rows = odd_rows(seed)
    ours = explainer.explain(rows, 1)
    theirs = np.asarray(booster.predict(rows, pred_contrib=True, num_threads=1))
    assert close(ours.contributions, theirs[:, :-1])
    assert close(ours.base[:, None], theirs[:, -1:])
    margin = np.asarray(booster.predict(rows, raw_score=True, num_threads=1))
    assert adds_up(ours, margin)
    # Where a tree has no question at all, margins stay LightGBM's affair.
    added = explainer.margins(rows)
    assert (added is None) == any(
        each["num_leaves"] == 1 for each in booster.dump_model()["tree_info"]
    )
    assert added is None or added.tobytes() == margin.tobytes()


def test_contributions_are_shaps_own() -> None:
    """The second oracle: shap.TreeExplainer, also with categories and missing values."""
    booster = random_booster(5, {"num_leaves": 31})
    rows = odd_rows(5)
    theirs = shap.TreeExplainer(booster).shap_values(rows)
    assert close(explainer_of(booster).explain(rows, 1).contributions, np.asarray(theirs))


def deep_booster(depth: int) -> tuple[lgb.Booster, Floats]:
    """Chains of `depth` different features, and the rows they learned from."""
    draw = np.random.default_rng(depth)
    rows = (draw.random((4_000, depth)) < 0.93).astype(float)
    label = rows.all(axis=1) * 10.0 + draw.normal(0, 0.01, len(rows))
    options = {"num_leaves": depth + 1, "min_data_in_leaf": 1, "verbose": -1, "num_threads": 1}
    return lgb.train({**options, "learning_rate": 1.0}, lgb.Dataset(rows, label=label), 1), rows


@pytest.mark.parametrize("depth", [1, 5, 11, 44])
def test_a_deep_path_gets_more_points_and_no_approximation(depth: int) -> None:
    """Beside each leaf's own integral. On the deepest LightGBM has lost digits that count."""
    booster, rows = deep_booster(depth)
    explainer = build_explainer(booster, booster.model_to_string(), rows[:2])
    assert explainer.forest is not None
    assert explainer.forest.points == -(-_deepest(booster) // 2)
    ours = explainer.explain(rows[:1], 1)
    exact = exact_contributions(booster, rows[0], fractions=depth < 20)
    assert np.abs(ours.contributions[0] - exact).max() < 1e-12
    assert adds_up(explainer.explain(rows, 1), np.asarray(booster.predict(rows, num_threads=1)))
    theirs = np.asarray(booster.predict(rows[:1], pred_contrib=True, num_threads=1))
    assert close(ours.contributions, theirs[:, :-1]) == (depth < 40)


def _deepest(booster: lgb.Booster) -> int:
    """The most distinct features that any path of any tree asks, by walking the dump."""

    def most(node: dict[str, Any], asked: frozenset[int]) -> int:
        if "split_feature" not in node:
            return len(asked)
        below = asked | {node["split_feature"]}
        return max(most(node["left_child"], below), most(node["right_child"], below))

    trees = booster.dump_model()["tree_info"]
    return max(1, *(most(tree["tree_structure"], frozenset()) for tree in trees))


def test_margins_that_are_not_lightgbms_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-6: by the golden rows, when a scorer is loaded; then LightGBM answers for all of it."""
    monkeypatch.setattr("scoring.explainer.margins", lambda *_: np.full(4, 0.25))
    found = explainer_of(random_booster(3, {}))
    assert (found.engine, found.margins(odd_rows(3))) == ("lightgbm", None)
    assert found.reason == "margins that are not LightGBM's on the golden rows"


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    threads=st.integers(1, 7),
    cuts=st.lists(st.integers(0, 3 * LANES), max_size=4),
)
def test_no_bit_depends_on_threads_batches_or_order(
    seed: int, threads: int, cuts: list[int]
) -> None:
    """P-5: one row alone, any batch, any order, any number of threads: the same bits."""
    explainer, rows = explainer_of(random_booster(9, {"num_leaves": 31})), odd_rows(seed, 3 * LANES)
    whole = explainer.explain(rows, 1).contributions
    edges = sorted({0, len(rows), *cuts})
    parts = [
        explainer.explain(rows[low:high], threads).contributions for low, high in pairwise(edges)
    ]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    order = np.random.default_rng(seed).permutation(len(rows))
    assert explainer.explain(rows[order], threads).contributions.tobytes() == whole[order].tobytes()
    alone = [explainer.explain(row[None], threads).contributions[0] for row in rows[:10]]
    assert np.array(alone).tobytes() == whole[:10].tobytes()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 9), rows=st.integers(0, 40))
def test_the_strongest_are_those_of_a_sort(seed: int, count: int, rows: int) -> None:
    """Greatest magnitude first, of equals the first feature; also where many are equal."""
    found = np.random.default_rng(seed).integers(-3, 4, (rows, 7)) / 2
    places = strongest_of(found, min(count, 7))
    for row, mine in zip(found, places, strict=True):
        wanted = sorted(range(7), key=lambda at: (-abs(row[at]), at))[:count]
        assert list(mine) == wanted


def test_the_strongest_alone_are_the_strongest_of_all() -> None:
    """The form that never holds all contributions, and LightGBM's, tell the same features."""
    booster = random_booster(3, {"num_leaves": 8})
    rows, explainer = odd_rows(3), explainer_of(booster)
    places, values = explainer.strongest(rows, 3, 2)
    whole = explainer.explain(rows, 1).contributions
    assert np.array_equal(places, strongest_of(whole, 3))
    assert np.array_equal(values, np.take_along_axis(whole, places, axis=1))
    slow = Explainer(booster, None, "asked for").strongest(rows, 3, 1)
    assert close(values, slow[1])


def test_what_the_kernels_cannot_do_is_left_to_lightgbm_and_said() -> None:
    """The fall-back explains and names its reason: here trees that are averaged."""
    options = {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1, "num_leaves": 5}
    booster = random_booster(4, options)
    explainer = explainer_of(booster)
    assert explainer.engine == "lightgbm"
    assert "random forest" in (explainer.reason or "")
    theirs = np.asarray(booster.predict(odd_rows(4), pred_contrib=True, num_threads=1))
    assert np.array_equal(explainer.explain(odd_rows(4), 1).contributions, theirs[:, :-1])
    assert explainer.explain(odd_rows(4)[:0], 1).contributions.shape == (0, 6)


def test_trees_that_nothing_can_explain_are_refused_by_name() -> None:
    """LightGBM has no contributions of linear trees either."""
    with pytest.raises(Refused, match="linear tree"):
        explainer_of(random_booster(4, {"linear_tree": True, "objective": "regression"}))


def test_several_classes_are_left_to_lightgbm() -> None:
    """A model of three margins has no one margin to explain."""
    rows = random_rows(np.random.default_rng(2), 200, 5)
    options = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1}
    label = np.arange(200) % 3
    booster = lgb.train(options, lgb.Dataset(rows, label=label), 2)
    explainer = build_explainer(booster, booster.model_to_string(), rows[:2])
    assert (explainer.engine, explainer.reason) == ("lightgbm", "more than one class")


def test_an_engine_that_differs_on_the_golden_rows_is_not_used() -> None:
    """Found at load, and said: other trees do not add up; other counts do, but differ."""
    booster, other = (random_booster(seed, {"num_leaves": 8}) for seed in (1, 2))
    explainer = build_explainer(booster, other.model_to_string(), odd_rows(1, 5))
    assert explainer.engine == "lightgbm"
    assert "do not add up" in (explainer.reason or "")
    stumps = random_booster(1, {"num_leaves": 2})
    swapped = re.sub(r"leaf_count=(\d+) (\d+)", r"leaf_count=\2 \1", stumps.model_to_string())
    explainer = build_explainer(stumps, swapped, odd_rows(1, 5))
    assert explainer.engine == "lightgbm"
    assert "differs from pred_contrib" in (explainer.reason or "")


def test_a_text_that_cannot_be_read_is_left_to_lightgbm() -> None:
    """A later format, or counts that are not there, cost speed and nothing else."""
    booster = random_booster(1, {"num_leaves": 8})
    text = booster.model_to_string()
    for broken in (text.replace("leaf_count", "leaf_number"), text.replace("max_feature_idx", "m")):
        assert "cannot read" in (build_explainer(booster, broken, odd_rows(1, 5)).reason or "")
    counts = text.replace("internal_count=300", "internal_count=301")
    assert "training rows" in (build_explainer(booster, counts, odd_rows(1, 5)).reason or "")


def test_trees_of_one_leaf_have_a_base_and_no_contribution() -> None:
    """Nothing could be learned: every row is the mean."""
    rows = np.zeros((50, 6))
    data = lgb.Dataset(rows, label=np.arange(50) % 2)
    booster = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 2)
    explainer = build_explainer(booster, booster.model_to_string(), rows[:2])
    assert explainer.engine == "quadrature"
    ours = explainer.explain(rows, 1)
    assert not ours.contributions.any()
    assert adds_up(ours, np.asarray(booster.predict(rows, raw_score=True)))


def test_the_kernels_compile_before_any_scorer_is_there() -> None:
    """A trial has a time to end in, and compiling does not count: the same kernels serve all."""
    warm()
    kernels = [explain_blocks, explain_fours, explain_each]
    before = [len(kernel.signatures) for kernel in kernels]
    explainer_of(random_booster(8, {"num_leaves": 8})).explain(odd_rows(8), 1)
    assert [len(kernel.signatures) for kernel in kernels] == before


def test_a_loaded_scorer_says_which_engine_explains(tmp_path: Path) -> None:
    """Proven on the golden rows when it is loaded."""
    digest = tiny_scorer.write_tiny_bundle(tmp_path)
    scorer = Scorer.load(tmp_path / digest, digest)
    assert (scorer.explainer.engine, scorer.explainer.reason) == ("quadrature", None)
    assert read_forest((tmp_path / digest / "model.txt").read_text("utf-8")).features == 3


@pytest.mark.parametrize(
    ("told", "instead"),
    [
        (r"cat_boundaries=0 (\d+)", r"cat_boundaries=0 9\1"),
        (r"left_child=(\d+) ", "left_child=0 "),
        (r"left_child=-?\d+ ", "left_child=900 "),
    ],
)
def test_a_text_whose_numbers_lead_astray_is_left_to_lightgbm(told: str, instead: str) -> None:
    """Sets beyond the words, a node below itself, a child that is none: no kernel walks them."""
    model = random_booster(8, {"num_leaves": 8}).model_to_string()
    spoilt = re.sub(told, instead, model)
    assert spoilt != model
    forest, reason = forest_of(spoilt)
    assert forest is None
    assert reason is not None
