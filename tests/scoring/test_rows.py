"""Rows of plain values score as the same rows in a table: margins, contributions and flags."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from tiny_scorer import random_rows, write_tiny_bundle

from base.errors import Refused
from scoring.rows import RowScorer
from scoring.scorer import Scorer

NAMES = ("kind", "amount", "unused", "count_365d")


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    folder = tmp_path_factory.mktemp("scorers")
    digest = write_tiny_bundle(folder)
    return Scorer.load(folder / digest, digest)


def odd_rows() -> pa.Table:
    """Missing values, unknown categories, numbers beyond what training saw."""
    rows = random_rows(60, seed=8)
    odd = pa.table(
        {
            "amount": pa.array([None, -1.0, 10.0**9, 5.0]),
            "count_365d": pa.array([3.0, None, 99.0, None]),
            "kind": pa.array(["nobody's", None, "civil", "nobody's"]),
        }
    )
    return pa.concat_tables([rows, odd])


def values_of(table: pa.Table, names: tuple[str, ...]) -> list[list[float | str | None]]:
    return [[row.get(name) for name in names] for row in table.to_pylist()]


def test_rows_score_as_the_table_of_them_bit_for_bit(scorer: Scorer) -> None:
    """Margin, probability, contributions, base; flags in the same order; values as they came."""
    table = odd_rows()
    scored = RowScorer(scorer, NAMES).score(values_of(table, NAMES))
    wanted, why = scorer.score(table), scorer.explain(table)
    assert np.array_equal(scored.scores.margin, wanted.margin)
    assert np.array_equal(scored.scores.probability, wanted.probability)
    assert np.array_equal(scored.explanation.contributions, why.contributions)
    assert np.array_equal(scored.explanation.base, why.base)
    assert scored.scores.flags == wanted.flags
    assert len({flag.split(":")[0] for row in wanted.flags for flag in row}) == 3
    names = tuple(feature.name for feature in scorer.manifest.features)
    assert scored.values == values_of(table, names)


def test_a_row_scores_alike_alone_and_beside_others(scorer: Scorer) -> None:
    """P-5: requests that are scored together change nothing of one another."""
    rows = values_of(odd_rows(), NAMES)
    together = RowScorer(scorer, NAMES).score(rows)
    for at, row in enumerate(rows):
        alone = RowScorer(scorer, NAMES).score([row])
        assert alone.scores.margin[0] == together.scores.margin[at]
        assert np.array_equal(
            alone.explanation.contributions[0], together.explanation.contributions[at]
        )
        assert alone.scores.flags[0] == together.scores.flags[at]


def test_a_feature_that_no_row_has_is_missing_and_said_to_be(scorer: Scorer) -> None:
    """As in a table without its column, whatever share was missing in training."""
    names = ("amount", "kind")
    table = odd_rows().select(names)
    scored = RowScorer(scorer, names).score(values_of(table, names))
    assert scored.scores.flags == scorer.score(table).flags
    assert all("missing:count_365d" in row for row in scored.scores.flags)


def test_an_infinite_number_is_refused_by_the_name_of_its_feature(scorer: Scorer) -> None:
    """As `to_matrix` refuses it."""
    with pytest.raises(Refused) as caught:
        RowScorer(scorer, ("amount",)).score([[1.0], [float("inf")]])
    assert [fault.where for fault in caught.value.faults] == ["amount"]
