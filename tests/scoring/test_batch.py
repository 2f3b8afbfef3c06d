"""Many rows at once are told as each row is alone, to the last bit and letter."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tiny_scorer
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.batch import TOLD, distinct_values, exact_sums, tell_rows, told_table
from scoring.reasons import reasons_of
from scoring.scorer import Scorer


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    folder: Path = tmp_path_factory.mktemp("scorers")
    digest = tiny_scorer.write_tiny_bundle(folder)
    return Scorer.load(folder / digest, digest)


def row_by_row(
    scorer: Scorer, rows: pa.Table, count: int, language: str, masked: frozenset[str] = frozenset()
) -> pa.Table:
    """What the way of one row tells of each."""
    lines = []
    for at in range(rows.num_rows):
        row = rows.slice(at, 1)
        scores, explanation = scorer.score(row), scorer.explain(row)
        values = [row[feature.name][0].as_py() for feature in scorer.manifest.features]
        margin, base = float(scores.margin[0]), float(explanation.base[0])
        told = reasons_of(
            scorer.manifest.features,
            values,
            explanation.contributions[0].tolist(),
            count=count,
            language=language,  # type: ignore[arg-type]
            margin=margin,
            base=base,
            masked=masked,
        ).as_json()
        for reason in told["reasons"]:
            reason["value"] = None if reason["value"] is None else str(reason["value"])
        lines.append(
            {
                "scorer": scorer.digest,
                "margin": margin,
                "probability": float(scores.probability[0]),
                "base": base,
                "flags": [each for each in scores.flags[0] if each.split(":")[1] not in masked],
                **told,
            }
        )
    return pa.Table.from_pylist(lines, TOLD)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(0, 90),
    count=st.integers(0, 5),
    language=st.sampled_from(["zh", "en"]),
)
def test_a_batch_is_told_as_its_rows_are(
    scorer: Scorer, seed: int, rows: int, count: int, language: str
) -> None:
    """Margins, contributions and `other` to the last bit; values and sentences to the letter."""
    drawn = tiny_scorer.random_rows(rows, seed)
    told = tell_rows(scorer, drawn, count, language)  # type: ignore[arg-type]
    assert told.equals(row_by_row(scorer, drawn, count, language))


@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_masked_features_are_told_in_the_sum_of_the_others_only(scorer: Scorer, count: int) -> None:
    """As for one row, whichever are masked: some, or all."""
    names = [feature.name for feature in scorer.manifest.features]
    rows = tiny_scorer.random_rows(20, 5)
    scores, explanation = scorer.score(rows), scorer.explain(rows)
    for masked in (frozenset(names[:2]), frozenset(names)):
        told = told_table(scorer, rows, scores, explanation, count, "en", masked)
        assert told.equals(row_by_row(scorer, rows, count, "en", masked))


def test_a_column_that_is_not_there_reads_as_no_record(scorer: Scorer) -> None:
    """As for one row: flagged, and the sentence says that nothing is known."""
    told = tell_rows(scorer, tiny_scorer.random_rows(3, 1).drop(["count_365d"]), 3, "en")
    reasons = {each["feature"]: each for each in told["reasons"][0].as_py()}
    assert reasons["count_365d"]["value"] is None
    assert reasons["count_365d"]["sentence"].startswith('no record: "')
    assert "missing:count_365d" in told["flags"][0].as_py()


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(
        st.floats(allow_nan=False, allow_infinity=False, min_value=-1e150, max_value=1e150)
        | st.sampled_from([1e16, -1e16, 1.0, 2.0**-53, 2.0**-54, -(2.0**-53), 1e-16]),
        max_size=12,
    )
)
def test_sums_are_those_of_fsum(parts: list[float]) -> None:
    """The oracle is math.fsum, ties included."""
    assert exact_sums(np.array([parts, parts[::-1]])).tolist() == [math.fsum(parts)] * 2


def test_zeros_of_either_sign_stay_apart() -> None:
    """They read otherwise alone, hence in a batch too; missing is one value."""
    column = pa.chunked_array([pa.array([0.0, -0.0, None, float("nan"), 0.0])])
    values, code = distinct_values(column, np.arange(5))
    assert [str(values[each]) for each in code] == ["0.0", "-0.0", "None", "None", "0.0"]
