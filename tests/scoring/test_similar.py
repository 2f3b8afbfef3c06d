"""Similar clues, against a plain loop over every clue that may be seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import hamlet
import numpy as np
import pyarrow as pa
import pytest
import tiny_scorer

from base.moment import FixedClock
from clues.clue import clue_schema
from clues.register import read_clues
from governance import tables
from governance.home import Home
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction
from scoring.leaves import leaves_of
from scoring.matrix import to_matrix
from scoring.past_outcomes import PastOutcomes
from scoring.scorer import Scorer, table_of_rows
from scoring.similar import SimilarClues

START = datetime(2024, 1, 1)
ROWS = tiny_scorer.random_rows(400, seed=5)


def raise_clues(home: Home, numbers: range) -> None:
    """Clues c0000, c0001, ... of offices A and B and of none, seven a day."""
    rows = [
        {
            "record_no": n,
            "clue_id": f"c{n:04}",
            "supervision_model": "m",
            "subject_id": f"p{n}",
            "office_id": ("A", "B", None)[n % 3],
            "raised_at": START + timedelta(days=n // 7),
        }
        for n in numbers
    ]
    table = pa.Table.from_pylist(rows, schema=clue_schema(home.jurisdiction))
    tables.append(home.table("clues"), table, {})


def rows_of(clues: pa.Table) -> pa.Table:
    """The feature rows of these clues: drawn ones, each its own."""
    return ROWS.take([int(clue_id[1:]) for clue_id in clues["clue_id"].to_pylist()])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    jurisdiction = load_jurisdiction(hamlet.write_hamlet(tmp_path / "hamlet"))
    home = Home.create(tmp_path / "home", jurisdiction)
    raise_clues(home, range(250))
    return home


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Scorer:
    folder: Path = tmp_path_factory.mktemp("scorers")
    digest = tiny_scorer.write_tiny_bundle(folder)
    return Scorer.load(folder / digest, digest)


def by_a_loop(home: Home, scorer: Scorer, values: list[Any], offices: set[Any], limit: int) -> Any:
    """(clue id, share) of the nearest, one clue and one tree at a time."""
    weights = leaves_of(scorer).weights

    def leaves(table: pa.Table) -> list[int]:
        matrix = to_matrix(scorer.manifest.features, table)
        return list(scorer.booster.predict(matrix, pred_leaf=True)[0])

    mine = leaves(table_of_rows(scorer.manifest, [tuple(values)]))
    found = []
    for row in read_clues(home).to_pylist():
        if row["office_id"] in offices:
            theirs = leaves(ROWS.slice(int(row["clue_id"][1:]), 1))
            shared = sum(int(w) for w, a, b in zip(weights, mine, theirs, strict=True) if a == b)
            days = (row["raised_at"] - START).days
            found.append((-shared, -days, row["clue_id"]))
    return [(clue, -shared / int(weights.sum())) for shared, _, clue in sorted(found)[:limit]]


def seeing(offices: set[Any]) -> Any:
    """Lets by the clues of these offices."""

    def may_see(clues: pa.Table) -> Any:
        return np.array([each in offices for each in clues["office_id"].to_pylist()], bool)

    return may_see


@pytest.mark.parametrize(("offices", "limit"), [({"A", "B", None}, 7), ({"A"}, 30), (set(), 5)])
def test_the_nearest_are_those_of_a_plain_loop(
    home: Home, scorer: Scorer, offices: set[Any], limit: int
) -> None:
    """For clues with missing values and categories nobody saw too; ties by the newest, then id."""
    index = SimilarClues(home, scorer, rows_of)
    for row in ROWS.slice(250, 6).to_pylist():
        values = list(row.values())
        told = [
            (each.clue_id, each.share) for each in index.nearest(values, seeing(offices), limit)
        ]
        assert told == by_a_loop(home, scorer, values, offices, limit)
        assert all(0 <= share <= 1 for _, share in told)


def test_an_index_that_grew_is_one_made_anew(home: Home, scorer: Scorer, tmp_path: Path) -> None:
    """Clues raised later are found by the process that was there, by another, and after a kill."""
    everybody = {"A", "B", None}
    values = [50_000.0, 5.0, "civil"]
    index = SimilarClues(home, scorer, rows_of)
    first = index.nearest(values, seeing(everybody), 20)
    (index.folder / ".draft-killed").mkdir()
    raise_clues(home, range(250, 400))
    grown = index.nearest(values, seeing(everybody), 20)
    another = SimilarClues(home, scorer, rows_of).nearest(values, seeing(everybody), 20)
    assert grown == another != first
    assert [(each.clue_id, each.share) for each in grown] == by_a_loop(
        home, scorer, values, everybody, 20
    )
    assert sorted(path.name for path in index.folder.glob("[0-9]*")) == ["000000", "000001"]
    assert not list(index.folder.glob(".draft-*"))


def test_what_may_not_be_seen_changes_nothing(home: Home, scorer: Scorer) -> None:
    """P-10: the same answer for office A whether B's clues are there or not."""
    values = [20_000.0, None, "criminal"]
    with_b = SimilarClues(home, scorer, rows_of).nearest(values, seeing({"A"}), 15)
    alone = [n for n in range(250) if n % 3 == 0]
    without = by_a_loop(home, scorer, values, {"A"}, 15)
    assert [(each.clue_id, each.share) for each in with_b] == without
    assert {int(each.clue_id[1:]) for each in with_b} <= set(alone)


def test_an_outcome_counts_from_the_moment_it_was_known(tmp_path: Path) -> None:
    """The last word known then: nothing before, unfounded, then a case by a later correction."""
    clock = FixedClock(datetime(2026, 1, 2, 12))
    home = hamlet.settled_hamlet(tmp_path, clock, persons=2)
    clue = read_clues(home).to_pylist()[0]
    outcomes = PastOutcomes(home)
    ids = read_clues(home)
    assert not outcomes.ended(ids, datetime(2025, 1, 1)).any()
    for day, status in ((datetime(2024, 8, 1), "unfounded"), (datetime(2024, 9, 1), "case_filed")):
        said = {
            "clue_id": [clue["clue_id"]],
            "status": [status],
            "decided_at": [day.date()],
            "reported_at": [(day + timedelta(days=5)).date()],
            "became_case": pa.array([int(status == "case_filed")], pa.int64()),
            "supervision_model": [clue["supervision_model"]],
            "function": [clue["function"]],
            "agency_id": [clue["agency_id"]],
        }
        admit_table(home, "outcomes", pa.table(said), clock)
    for moment, expected in (
        (datetime(2024, 8, 6), None),
        (datetime(2024, 8, 7), "unfounded"),
        (datetime(2024, 9, 6), "unfounded"),
        (datetime(2024, 9, 7), "case_filed"),
    ):
        told = outcomes.of_clues([clue["clue_id"]], moment).get(clue["clue_id"], {})
        assert told.get("status") == expected
        assert outcomes.ended(ids, moment).tolist().count(True) == (expected is not None)
