"""Chances noted in the ledger count as noted; who is judged may be fewer than who teach."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import sqlalchemy as sa
from asked_province import SPLITS, asked_home

from base.errors import Refused
from base.moment import FixedClock
from base.progress import silent
from clues.register import read_clues
from governance.home import Home
from scoring.ledger import open_ledger, orders
from training.experiment import Selection
from training.label import Labels
from training.selection import noted_chances, weigh_selection
from training.train import train

NOON = datetime(2026, 1, 2, 12)


def clues(count: int) -> pa.Table:
    """Clues of one office and supervision model, all alike."""
    return pa.table(
        {
            "clue_id": [f"c{at}" for at in range(count)],
            "subject_id": [f"p{at}" for at in range(count)],
            "supervision_model": ["m"] * count,
            "office_id": ["A"] * count,
            "severity": [3] * count,
            "function": ["civil"] * count,
            "raised_at": pa.array([datetime(2024, 1, 1)] * count, pa.timestamp("us")),
        }
    )


def labels(values: list[float]) -> Labels:
    """Ripe labels, NaN where nobody looked."""
    value = np.array(values)
    known = ~np.isnan(value)
    return Labels(value, 0, int((~known).sum()), known.astype(float), np.ones(len(value), bool))


def test_orders_are_chances(tmp_path: Path, province: Home) -> None:
    """What the ledger notes at the order; a home without a ledger notes nothing and gets none."""
    home = asked_home(province, tmp_path)
    for path in home.path.glob("ledger.db*"):
        path.unlink()
    assert noted_chances(home) == {}
    assert not (home.path / "ledger.db").exists()
    told = {
        "office_id": "A",
        "ordered_at": NOON,
        "ordered_by": "d",
        "accept_until": NOON,
        "verify_until": NOON,
    }
    rows = [
        {**told, "clue_id": "c0", "exploration": False, "drawing_probability": 1.0},
        {**told, "clue_id": "c1", "exploration": True, "drawing_probability": 0.25},
    ]
    with open_ledger(home.ledger_url).begin() as connection:
        connection.execute(sa.insert(orders), rows)
    assert noted_chances(home) == {"c0": 1.0, "c1": 0.25}


def test_noted_chances_weigh_as_one_over_them() -> None:
    """Three clues taken for sure, one drawn with a chance of a quarter: 1 to 4; a floor binds."""
    known = labels([1.0, 0.0, 0.0, 1.0] + [np.nan] * 4)
    noted = {"c0": 1.0, "c1": 1.0, "c2": 1.0, "c3": 0.25}
    asked = Selection(propensity="known", floor=0.1)
    found = weigh_selection(asked, clues(8), known, noted, 1)
    assert found.weight[:4] / found.weight[0] == pytest.approx([1, 1, 1, 4])
    assert found.weight[4:].tolist() == [0, 0, 0, 0]
    assert found.weight.sum() == pytest.approx(4)
    assert found.effective == pytest.approx(49 / 19)
    assert "chances of 4 were noted, of 0 estimated" in found.notes[0]
    floored = weigh_selection(Selection(propensity="known", floor=0.5), clues(8), known, noted, 1)
    assert floored.weight[3] / floored.weight[0] == pytest.approx(2)
    assert any("1 chances below 0.5" in note for note in floored.notes)


def test_nobody_pursued_is_refused() -> None:
    """There is nothing to weigh."""
    with pytest.raises(Refused, match="none among 3"):
        weigh_selection(Selection(), clues(3), labels([np.nan] * 3), {}, 1)


def test_other_supervision_models_may_teach_and_not_be_judged(
    province: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """All teach, one is ranked; the counts say how many of each."""
    names = read_clues(province)["supervision_model"].to_pylist()
    most = max(sorted(set(names)), key=names.count)
    asked = {"supervision_models": "all", "judged": [most]}
    home = asked_home(province, tmp_path, clues=asked, splits=SPLITS[-1:])
    judged = train(home, "asked", clock, silent()).judged[0]
    assert set(judged.scores["supervision_model"].to_pylist()) == {most}
    taught = set(judged.training_set.table["clue_id"].to_pylist())
    every = read_clues(home)
    taught_by = every.filter(pc.is_in(every["clue_id"], pa.array(list(taught))))
    assert len(set(taught_by["supervision_model"].to_pylist())) > 3


def test_a_judged_model_that_does_not_exist_is_refused(
    province: Home, clock: FixedClock, tmp_path: Path
) -> None:
    """With the nearest name."""
    asked = {"supervision_models": "all", "judged": ["benefit_after_deth"]}
    home = asked_home(province, tmp_path, clues=asked)
    with pytest.raises(Refused, match="benefit_after_death") as told:
        train(home, "asked", clock, silent())
    assert told.value.where == "clues.judged"
