"""Explanations add up, sentences read, inputs are judged by what training saw."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shap
import tiny_scorer
from hypothesis import given, settings
from hypothesis import strategies as st

from base.errors import Refused
from scoring.calibration import SigmoidCalibrator
from scoring.explanation import adds_up
from scoring.matrix import to_matrix
from scoring.reasons import reasons_of
from scoring.scorer import Scorer


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    folder: Path = tmp_path_factory.mktemp("scorers")
    digest = tiny_scorer.write_tiny_bundle(folder)
    return Scorer.load(folder / digest, digest)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(0, 4), language=st.sampled_from(["zh", "en"]))
def test_base_reasons_and_other_add_up_to_the_margin(
    scorer: Scorer, seed: int, count: int, language: str
) -> None:
    """P-6, with missing values and unknown categories, for any number of told reasons."""
    rows = tiny_scorer.random_rows(5, seed)
    scores, explanation = scorer.score(rows), scorer.explain(rows)
    assert adds_up(explanation, scores.margin)
    for at, row in enumerate(rows.to_pylist()):
        told = reasons_of(
            scorer.manifest.features,
            list(row.values()),
            list(explanation.contributions[at]),
            count=count,
            language=language,  # type: ignore[arg-type]
            margin=float(scores.margin[at]),
            base=float(explanation.base[at]),
        )
        parts = [explanation.base[at], told.other, *(r.contribution for r in told.reasons)]
        assert abs(math.fsum(parts) - scores.margin[at]) <= 1e-9
        assert len(told.reasons) == min(count, 3)
        strengths = [abs(reason.contribution) for reason in told.reasons]
        assert strengths == sorted(strengths, reverse=True)
        assert not any("{" in reason.sentence for reason in told.reasons)


def test_contributions_are_those_of_shap_itself(scorer: Scorer) -> None:
    """The oracle: shap's TreeExplainer on the same trees (values with no unknown category)."""
    rows = tiny_scorer.random_rows(60, 3)
    rows = rows.filter(pa.compute.not_equal(rows["kind"], "unheard of"))
    matrix = to_matrix(scorer.manifest.features, rows)
    theirs = shap.TreeExplainer(scorer.booster).shap_values(matrix)
    ours = scorer.explain(rows).contributions
    assert np.allclose(ours, theirs if isinstance(theirs, np.ndarray) else theirs[1], atol=1e-9)


def test_odd_inputs_are_named_never_silently_scored(scorer: Scorer) -> None:
    """P-11: missing where training had none missing, unknown category, outside the range."""
    rows = pa.table(
        {
            "amount": pa.array([None, 5.0, 200_000.0], pa.float64()),
            "kind": ["civil", "unheard of", "criminal"],
        }
    )
    flags = scorer.score(rows).flags
    assert "missing:amount" in flags[0]
    assert "unknown_category:kind" in flags[1]
    assert "out_of_range:amount" in flags[2]
    assert all("missing:count_365d" in each for each in flags)


def test_an_infinite_input_is_refused_by_name(scorer: Scorer) -> None:
    """Infinity is no amount."""
    rows = pa.table({"amount": [math.inf], "kind": ["civil"]})
    with pytest.raises(Refused, match="amount"):
        scorer.score(rows)


def test_columns_are_taken_by_name_whatever_their_order(scorer: Scorer) -> None:
    """Reversed columns change no score."""
    rows = tiny_scorer.random_rows(50, 11)
    reversed_rows = rows.select(rows.column_names[::-1])
    assert np.array_equal(scorer.score(rows).margin, scorer.score(reversed_rows).margin)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    slope=st.floats(-3, 3),
)
def test_the_calibrator_keeps_the_order_of_margins(seed: int, slope: float) -> None:
    """Even where labels run against the margin, a greater margin is never less probable."""
    draw = np.random.default_rng(seed)
    margin = draw.normal(0, 2, 80)
    label = (draw.random(80) < 1 / (1 + np.exp(-slope * margin))).astype(float)
    if 0 < label.sum() < 80:
        probability = SigmoidCalibrator.fit(margin, label).probability(np.sort(margin))
        assert np.all(np.diff(probability) >= 0)
        assert np.array_equal(probability, np.round(probability, 6))


def test_values_read_as_people_write_them(scorer: Scorer) -> None:
    """Cents as yuan, windows in days, categories by title, nothing as no record."""
    feature = scorer.manifest.features
    told = reasons_of(
        feature,
        [123_456.0, None, "civil"],
        [3.0, 2.0, 1.0],
        count=3,
        language="zh",
        margin=6,
        base=0,
    )
    sentences = [reason.sentence for reason in told.reasons]
    assert sentences == ["涉及金额1,234.56元", "无记录：“此前365天……次”", "类型：民事检察"]
