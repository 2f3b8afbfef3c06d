"""A long working run: in parts, over processes, killed and taken up again, always the same file."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import hamlet
import killed_run
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from deltalake import write_deltalake
from hamlet_scorer import write_hamlet_bundle

from base.moment import FixedClock
from base.progress import silent
from clues.register import read_clues
from dispatch.parts import Parts
from dispatch.score_clues import score_clues
from dispatch.scoring_run import lines_of, load_champion, score_at
from governance.home import Home
from governance.pseudonyms import pseudonym, pseudonym_key
from scoring.batch import REASON, TOLD
from scoring.champion import write_champion
from scoring.ledger import open_ledger
from scoring.ledger.tables import scores_given

PROGRAM = Path(killed_run.__file__)
LATER = FixedClock(datetime(2024, 8, 9))


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock) -> Home:
    home = hamlet.settled_hamlet(tmp_path, clock)
    digest = write_hamlet_bundle(home)
    write_champion(home.scorers, digest, by="Li", approved_by="Wang", at=clock.now())
    return home


def kept(home: Home) -> list[Any]:
    """(clue_id, given_at) of every score in the ledger."""
    query = sa.select(scores_given.c.clue_id, scores_given.c.given_at)
    with open_ledger(home.ledger_url).connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def one_by_one(home: Home) -> list[dict[str, Any]]:
    """The rows as the way of one clue tells them, best first; of what it tells, what a file has."""
    scorer, clues = load_champion(home), read_clues(home)
    scored = score_at(home, scorer, clues, killed_run.AUGUST)
    lines = lines_of(scored, 3, "en")
    kept_in_files = {*TOLD.names, "clue_id"}
    for line in lines:
        assert set(TOLD.names) - {"scorer"} <= set(line)
        for name in set(line) - kept_in_files:
            del line[name]
        for reason in line["reasons"]:
            reason["value"] = None if reason["value"] is None else str(reason["value"])
            for name in set(reason) - {field.name for field in REASON}:
                del reason[name]
    return sorted(lines, key=lambda line: (-line["margin"], line["clue_id"]))


@pytest.mark.parametrize("threads", ["1", "2"])
def test_parts_and_processes_give_what_one_clue_alone_is_told(
    home: Home, monkeypatch: pytest.MonkeyPatch, threads: str
) -> None:
    """Three parts, in this process and in two of their own: bit for bit and letter for letter."""
    monkeypatch.setenv("CLUES_THREADS", threads)
    output = home.path / "scores.parquet"
    killed_run.run(home, output, LATER)
    rows = pq.read_table(output).to_pylist()
    wanted = one_by_one(home)
    assert len(rows) == 12
    assert [{name: row[name] for name in wanted[0]} for row in rows] == wanted
    assert not list((home.scratch / "scoring").iterdir())


@pytest.mark.parametrize(("where", "part"), [("before", 1), ("after", 1)])
def test_a_killed_run_is_completed_by_the_same_call(
    home: Home, monkeypatch: pytest.MonkeyPatch, where: str, part: int
) -> None:
    """kill -9 between ledger and file, or after it: no score is lost and none is kept twice."""
    monkeypatch.setenv("CLUES_THREADS", "1")
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(home.path), where, str(part)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    output = home.path / "scores.parquet"
    assert not output.exists()
    assert len(kept(home)) == (part + 1) * killed_run.ROWS_OF_A_PART
    killed_run.run(home, output, LATER)
    scores = kept(home)
    assert len(scores) == len({clue_id for clue_id, _ in scores}) == 12
    assert {at for _, at in scores} == {datetime(2024, 8, 2)}
    wanted = one_by_one(home)
    rows = pq.read_table(output).to_pylist()
    assert [{name: row[name] for name in wanted[0]} for row in rows] == wanted


def test_the_same_question_later_is_a_run_of_its_own(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ended well leaves nothing behind: scores are given again, at their own time."""
    monkeypatch.setenv("CLUES_THREADS", "1")
    for clock in (LATER, FixedClock(datetime(2024, 8, 10))):
        killed_run.run(home, home.path / "scores.parquet", clock)
    assert {at for _, at in kept(home)} == {datetime(2024, 8, 9), datetime(2024, 8, 10)}


def test_chosen_clues_may_come_as_a_delta_table(home: Home) -> None:
    """A folder with a Delta table names clues as a Parquet file does."""
    two = sorted(read_clues(home)["clue_id"].to_pylist())[:2]
    write_deltalake(str(home.path / "chosen"), pa.table({"clue_id": two}))
    output = home.path / "scores.parquet"
    told = score_clues(
        home, killed_run.AUGUST, output=output, chosen=home.path / "chosen", reasons=1,
        language="zh", clock=LATER, stages=silent(),
    )  # fmt: skip
    assert told["rows"] == 2
    assert sorted(pq.read_table(output)["clue_id"].to_pylist()) == two


def test_a_file_for_others_has_the_same_scores_and_no_id_that_could_be_tried(home: Home) -> None:
    """A clue's id is made of its subject: it leaves under a pseudonym, the score as it is."""
    here, theirs = home.path / "scores.parquet", home.path / "theirs.parquet"
    killed_run.run(home, here, LATER)
    score_clues(
        home, killed_run.AUGUST, output=theirs, chosen=None, reasons=3, language="en",
        clock=FixedClock(datetime(2024, 8, 10)), stages=silent(), purpose="export",
    )  # fmt: skip
    ours, told = pq.read_table(here), pq.read_table(theirs)
    assert told["margin"].equals(ours["margin"])
    key = pseudonym_key(home)
    wanted = {pseudonym(key, clue): row for clue, row in zip(*columns(ours), strict=True)}
    assert dict(zip(*columns(told), strict=True)) == wanted


def columns(table: pa.Table) -> tuple[list[str], list[list[Any]]]:
    """Ids and, beside them, everything else."""
    return table["clue_id"].to_pylist(), table.drop(["clue_id"]).to_pylist()


def test_joined_parts_are_in_one_order(tmp_path: Path) -> None:
    """Highest margin first over all parts, of equals by the clue's id."""
    schema = pa.schema([("clue_id", pa.string()), ("margin", pa.float64())])
    with Parts.of(tmp_path / "runs", {"of": "test"}, datetime(2024, 1, 1)) as parts:
        parts.keep(0, pa.table({"clue_id": ["b", "d", "a"], "margin": [0.5, 2.0, -1.0]}))
        parts.keep(1, pa.table({"clue_id": ["c", "a2"], "margin": [3.0, 0.5]}))
        parts.join(2, schema, tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["clue_id"].to_pylist() == [
        "c", "d", "a2", "b", "a",
    ]  # fmt: skip
