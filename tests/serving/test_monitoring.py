"""Monitoring: counts by hand, expectation before labels ripen, and own offices only."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from served_hamlet import Served
from sklearn.metrics import roc_auc_score

from base.moment import FixedClock
from clues.register import read_clues
from features.declared import declared_features
from features.table import build_features
from governance.intake import admit_table
from governance.reading import Records
from serving.monitoring import calibration_error, expected_auc


@pytest.fixture
def watched(served: Served, clock: FixedClock) -> Served:
    """The hamlet with its training set kept, and outcomes of four clues of A and two of B."""
    definitions = declared_features(served.home)
    with Records(served.home) as records:
        table = build_features(definitions, read_clues(served.home), records, threads=1)
    served.home.training_sets.mkdir()
    pq.write_table(table, served.home.training_sets / f"{'0' * 64}.parquet")
    rows = read_clues(served.home).to_pylist()
    chosen = [row for row in rows if row["office_id"] == "A"][:4]
    chosen += [row for row in rows if row["office_id"] == "B"][:2]
    outcomes = {
        "clue_id": [row["clue_id"] for row in chosen],
        "status": ["case_filed", "unfounded", "unfounded", "case_filed", "unfounded", "case_filed"],
        "decided_at": [date(2024, 9, 1)] * 6,
        "reported_at": [date(2024, 9, 2)] * 6,
        "became_case": [1, 0, 0, 1, 0, 1],
        "supervision_model": [row["supervision_model"] for row in chosen],
    }
    admit_table(served.home, "outcomes", pa.table(outcomes), clock)
    return served


def ask(served: Served, office: str | None = None) -> dict[str, Any]:
    reply = served.client.get("/v1/monitoring", headers=served.key("data_scientist", office))
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_of_six_outcomes_the_page_tells_no_calibration_error(watched: Served) -> None:
    """Over HTTP it is told with the number of outcomes; on the page it would read as a verdict."""
    assert ask(watched)["all"]["calibration_error"] is not None
    key = watched.key("data_scientist")["authorization"].split()[1]
    watched.client.post("/console", data={"key": key})
    for language, few in (("en", "too few to tell"), ("zh", "尚不足以判断")):
        page = watched.client.get(f"/console/monitoring?language={language}").text
        assert page.count(few) == 1 + 1 + 1 + 2  # all, a month, a supervision model, two offices


def test_outcomes_are_counted_by_office_month_and_supervision_model(watched: Served) -> None:
    """By hand: six outcomes, three cases; six clues wait."""
    told = ask(watched)
    whole = told["all"]
    assert (whole["clues"], whole["with_outcome"], whole["cases"]) == (12, 6, 3)
    assert whole["without_outcome"] == 6
    assert whole["observed_share"] == 0.5
    offices = {line["group"]: line for line in told["by_office"]}
    assert (offices["A"]["with_outcome"], offices["A"]["cases"]) == (4, 2)
    assert (offices["B"]["with_outcome"], offices["B"]["cases"]) == (2, 1)
    assert [line["group"] for line in told["by_month"]] == ["2024-07"]
    assert [line["group"] for line in told["by_supervision_model"]] == ["paid_after_death"]


def test_an_office_is_told_of_its_own_clues_only(watched: Served) -> None:
    """P-10: counts, drift and groups alike."""
    told = ask(watched, "A")
    assert [line["group"] for line in told["by_office"]] == ["A"]
    assert (told["clues"], told["drift"]["scores"]) == (6, 6)
    assert told["all"]["cases"] == 2


def test_clues_scored_as_they_were_learned_from_have_not_moved(watched: Served) -> None:
    """The training rows here are the scored rows: every index is 0 but for rounding."""
    drift = ask(watched)["drift"]
    assert drift["moved"] == 0
    assert {line["feature"] for line in drift["features"]} >= {"amount_cents"}
    assert all(line["state"] == "steady" for line in drift["features"])


def test_without_a_training_set_drift_says_so(served: Served) -> None:
    """A cure in its place, never a 0 that nobody measured."""
    drift = ask(served)["drift"]
    assert drift["features"] == []
    assert drift["moved"] is None
    assert "training set" in drift["cure"]


def test_the_expected_auc_is_the_mean_over_labels_drawn_from_the_probabilities() -> None:
    """Monte Carlo against scikit-learn's AUC; ties included."""
    draw = np.random.default_rng(3)
    probability = np.round(draw.beta(1, 4, 400), 2)
    seen = [
        roc_auc_score(draw.random(len(probability)) < probability, probability) for _ in range(300)
    ]
    assert expected_auc(probability) == pytest.approx(np.mean(seen), abs=0.006)
    assert expected_auc(probability[:1]) is None


def test_calibration_error_is_0_where_shares_are_met_and_large_where_not() -> None:
    """Tenths by probability; nothing known has no error."""
    probability = np.repeat([0.2, 0.8], 50)
    met = np.concatenate([np.tile([1, 0, 0, 0, 0], 10), np.tile([0, 1, 1, 1, 1], 10)]).astype(float)
    assert calibration_error(probability, met) == pytest.approx(0, abs=1e-9)
    assert calibration_error(probability, 1 - met) == pytest.approx(0.6, abs=1e-9)
    assert calibration_error(probability[:0], met[:0]) is None
