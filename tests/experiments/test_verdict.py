"""What would come of a clue is drawn from its own luck: alike for every policy that asks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.province.verdict import lots, what_would_come

COUNT = 4_000
MOMENT = np.datetime64("2024-01-01T00:00:00")


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    """Clues of one month with chances from 0 to 1, at offices of average skill."""
    return pd.DataFrame(
        {
            "clue_id": [f"c{at}" for at in range(COUNT)],
            "moment": MOMENT.astype("datetime64[us]"),
            "probability": np.linspace(0, 1, COUNT),
            "skill": 1.0,
        }
    )


def cases(truth: pd.DataFrame, days: int, load: float, seed: int = 1) -> set[str]:
    """Ids of the clues that end as cases if all are taken up so many days after their moment."""
    told = what_would_come(truth, truth["clue_id"], MOMENT + np.timedelta64(days, "D"), load, seed)
    last = told.groupby("clue_id")["status"].last()
    return set(last.index[last == "case_filed"])


def test_the_draws_of_a_clue_depend_on_nothing_but_its_id_and_the_seed() -> None:
    """Uniform, the same in any company and order, others for another seed."""
    ids = [f"c{at}" for at in range(20_000)]
    drawn = lots(7, ids)
    assert np.array_equal(lots(7, ids[::-1])[::-1], drawn)
    assert np.array_equal(lots(7, ids[5:6])[0], drawn[5])
    assert not np.array_equal(lots(8, ids), drawn)
    assert np.abs(np.quantile(drawn, [0.1, 0.5, 0.9], axis=0).T - [0.1, 0.5, 0.9]).max() < 0.015
    assert np.abs(np.corrcoef(drawn.T) - np.eye(drawn.shape[1])).max() < 0.03


def test_cases_come_as_often_as_the_truth_says(truth: pd.DataFrame) -> None:
    """Half of them over chances from 0 to 1, within three standard errors, none of chance 0."""
    found = cases(truth, days=10, load=1.0)
    assert abs(len(found) / COUNT - 0.5) < 3 * np.sqrt(1 / 6 / COUNT)
    assert "c0" not in found


def test_waiting_and_overload_lose_cases_and_never_make_one(truth: pd.DataFrame) -> None:
    """Whatever an overloaded or late office finds, a prompt one would have found too."""
    prompt = cases(truth, days=10, load=1.0)
    for days, load in ((200, 1.0), (10, 2.0), (300, 3.0)):
        worse = cases(truth, days=days, load=load)
        assert worse < prompt


def test_delays_are_those_of_the_province(truth: pd.DataFrame) -> None:
    """Median 45 days, one in twenty beyond 200, one in fifty corrected later; words in order."""
    told = what_would_come(truth, truth["clue_id"], MOMENT, 1.0, 2)
    first = told.groupby("clue_id", sort=False).first()
    takes = (first["decided_at"] - pd.Timestamp(MOMENT)) / pd.Timedelta(days=1)
    assert 42 <= takes.median() <= 48
    assert 0.035 <= (takes > 200).mean() <= 0.065
    assert 0.012 <= (told["clue_id"].duplicated().sum() / COUNT) <= 0.03
    assert (told["reported_at"] >= told["decided_at"]).all()
    assert told["reported_at"].is_monotonic_increasing
