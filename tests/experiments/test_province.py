"""The simulated province: the same seed, the same bytes; the platform finds what was planned."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from base.errors import Refused
from base.progress import silent
from clues.register import read_clues
from experiments.demo import run_demo
from experiments.province.simulate import simulate
from governance.home import Home
from governance.quarantine import read as read_quarantine
from governance.reading import Records

TRUTH = "simulated/truth"


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Every file, the truth included; another seed gives others."""
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        simulate(tmp_path / name, clues=200, seed=seed, months=30, stages=silent())
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert digests(tmp_path / "a") != digests(tmp_path / "c")


def test_identity_numbers_begin_with_a_region_that_is_not_assigned(tmp_path: Path) -> None:
    """99 is no province; every person of the world is fictitious."""
    simulate(tmp_path, clues=100, seed=1, months=24, stages=silent())
    persons = pd.read_parquet(tmp_path / "persons.parquet")["person_id"]
    assert persons.str.fullmatch(r"99\d{16}").all()
    assert persons.is_unique


def test_a_world_too_small_to_learn_from_is_refused(tmp_path: Path) -> None:
    """With the least that would do."""
    with pytest.raises(Refused, match="at least 100 clues"):
        simulate(tmp_path, clues=5, stages=silent())


def test_the_platform_raises_the_planned_clues_in_their_months(province: Home) -> None:
    """At least 98 in 100 with the same id, month and office, and none that was not planned."""
    truth = pd.read_parquet(province.path / TRUTH / "clues.parquet")
    raised = read_clues(province).to_pandas()[["clue_id", "raised_at", "office_id"]]
    both = truth.merge(raised, on="clue_id", suffixes=("", "_raised"))
    as_planned = (both["moment"] == both["raised_at"]) & (
        both["office_id"] == both["office_id_raised"]
    )
    assert as_planned.sum() >= 0.98 * len(truth)
    assert len(set(raised["clue_id"]) - set(truth["clue_id"])) <= 0.02 * len(truth)


def test_the_quarantine_holds_exactly_the_planted_faults(province: Home) -> None:
    """Row by row: what the truth calls quarantined is, and nothing else is."""
    faults = pd.read_parquet(province.path / TRUTH / "faults.parquet")
    for record_set, planted in faults.groupby("record_set"):
        wanted = set(planted.loc[planted["expected"] == "quarantined", "row"])
        found = {row["row"] for row in read_quarantine(province, str(record_set))}
        assert found == wanted, record_set


def test_rows_sent_twice_are_stored_once(province: Home) -> None:
    """Every primary key has one row in force, and every planted double was a double."""
    with Records(province) as records:
        for name, contract in province.jurisdiction.contracts.items():
            key = ", ".join(f'"{column}"' for column in contract.primary_key)
            query = (
                f'SELECT count(*) - count(DISTINCT ({key})) FROM "{name}"'
                " WHERE retracted_at IS NULL"
            )
            assert records.connection().execute(query).fetchone() == (0,), name


def test_an_unfinished_or_other_demo_is_not_overwritten(province: Home) -> None:
    """The same question is answered from what is there; another one is refused."""
    again = run_demo(province.path, clues=1_200, seed=3, stages=silent())
    assert again["scorer"]
    with pytest.raises(Exception, match="make clean"):
        run_demo(province.path, clues=1_300, seed=3, stages=silent())
