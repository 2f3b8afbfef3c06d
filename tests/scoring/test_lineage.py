"""A reason leads back to its records, their batches and the moment it was told at."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import hamlet
import pytest
from hamlet_scorer import write_hamlet_bundle

from base.errors import NotFound, Refused
from base.moment import FixedClock
from base.progress import silent
from clues.register import read_clues
from dispatch.score_clues import score_clues
from features.declared import declared_features
from features.table import build_features
from governance.home import Home
from governance.reading import Records
from scoring.champion import write_champion
from scoring.lineage import EVIDENCE, trace


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock) -> Home:
    return hamlet.settled_hamlet(tmp_path, clock, persons=4)


def test_the_records_of_a_count_are_as_many_as_it_says(home: Home) -> None:
    """Each with its batch, which is the one its file was admitted as."""
    clue = read_clues(home).slice(0, 1)
    told = trace(home, clue["clue_id"][0].as_py(), "own_payments__count_all")
    with Records(home) as records:
        value = build_features(declared_features(home), clue, records, threads=1)
        batches = set(records.arrow("payments", ["batch"])["batch"].to_pylist())
    assert (told.moment, told.moment_is) == (clue["raised_at"][0].as_py(), "raised")
    assert len(told.records) == value["own_payments__count_all"][0].as_py() == 5
    assert all(each.record.startswith("payments/") for each in told.records)
    assert all(each.known_at < told.moment for each in told.records)
    [batch] = told.batches
    assert {batch.batch} == batches == {each.batch for each in told.records}
    assert (batch.record_set, batch.records) == ("payments", 5)
    assert batch.at == datetime(2026, 1, 2, 12)
    assert batch.files == ("table",)


def test_the_clue_itself_leads_to_its_evidence(home: Home) -> None:
    """And so does a column that its supervision model gave."""
    clue = read_clues(home).to_pylist()[0]
    told = trace(home, clue["clue_id"], EVIDENCE)
    assert [each.record for each in told.records] == sorted(clue["evidence"])
    assert told.model_version == clue["model_version"]
    assert trace(home, clue["clue_id"], "amount_cents").records == told.records


def test_what_is_not_there_is_said_so(home: Home) -> None:
    """A clue nobody raised, a feature nobody declared."""
    clue_id = read_clues(home)["clue_id"][0].as_py()
    with pytest.raises(NotFound, match="a clue"):
        trace(home, "0" * 16, EVIDENCE)
    with pytest.raises(NotFound, match="write 'own_payments__count_all'"):
        trace(home, clue_id, "own_payments__count_al")


def test_it_speaks_of_the_newest_scores_moment_or_of_the_one_asked_for(
    home: Home, clock: FixedClock
) -> None:
    """As the queue does: what became known between raising and scoring is in; never before."""
    [clue, *_] = read_clues(home).to_pylist()
    clue_id, raised = clue["clue_id"], clue["raised_at"]
    digest = write_hamlet_bundle(home)
    write_champion(home.scorers, digest, by="Li", approved_by="Wang", at=clock.now())
    scored_at = datetime(2024, 8, 1)
    output = home.path / "scores.parquet"
    score_clues(
        home, scored_at, output=output, chosen=None, reasons=1, language="en", clock=clock,
        stages=silent(),
    )  # fmt: skip
    told = trace(home, clue_id, "own_payments__count_all")
    assert (told.moment, told.moment_is) == (scored_at, "scored")
    asked = trace(home, clue_id, "own_payments__count_all", raised)
    assert (asked.moment, asked.moment_is) == (raised, "asked")
    assert set(asked.records) <= set(told.records)
    with pytest.raises(Refused, match="a moment from"):
        trace(home, clue_id, EVIDENCE, datetime(2000, 1, 1))
