"""The working run: every open clue scored, kept so that it can be given again, told in words."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import hamlet
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hamlet_scorer import write_hamlet_bundle

from base.errors import NotFound, NotReady, Refused
from base.moment import FixedClock
from base.progress import silent
from clues.register import read_clues
from dispatch.score_clues import score_clues
from dispatch.scoring_run import explain_clue, load_champion, score_at
from governance.home import Home
from governance.intake import admit_table
from scoring.champion import write_champion
from scoring.ledger import latest_score, newest_scores, open_ledger

AUGUST = datetime(2024, 8, 1)


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock) -> Home:
    home = hamlet.settled_hamlet(tmp_path, clock)
    digest = write_hamlet_bundle(home)
    write_champion(home.scorers, digest, by="Li", approved_by="Wang", at=clock.now())
    return home


def run(home: Home, clock: FixedClock, moment: datetime, chosen: Path | None = None) -> Any:
    output = home.path / "out" / "scores.parquet"
    told = score_clues(
        home,
        moment,
        output=output,
        chosen=chosen,
        reasons=2,
        language="en",
        clock=clock,
        stages=silent(),
    )
    return told, pq.read_table(output).to_pylist()


def test_every_row_adds_up_best_first_from_one_scorer(home: Home, clock: FixedClock) -> None:
    """P-6 and P-8 in the file: base + contributions + other = margin within 1e-9."""
    told, rows = run(home, clock, AUGUST)
    assert told["rows"] == len(rows) == 12
    assert {row["scorer"] for row in rows} == {told["scorer"]}
    assert told["first"] == [
        {"clue_id": row["clue_id"], "probability": row["probability"]} for row in rows[:3]
    ]
    margins = [row["margin"] for row in rows]
    assert margins == sorted(margins, reverse=True)
    for row in rows:
        parts = sum(reason["contribution"] for reason in row["reasons"])
        assert abs(row["base"] + parts + row["other"] - row["margin"]) <= 1e-9


def test_a_score_of_the_ledger_can_be_given_again_bit_for_bit(
    home: Home, clock: FixedClock
) -> None:
    """P-5: clue, scorer and moment are enough, also after later records came in."""
    run(home, clock, AUGUST)
    ledger = open_ledger(home.ledger_url)
    late = {
        "payment_no": ["late"],
        "person_id": ["p0"],
        "agency_id": ["x"],
        "office_id": ["A"],
        "paid_on": [datetime(2024, 7, 25).date()],
        "amount_cents": [1],
    }
    admit_table(home, "payments", pa.table(late), clock)
    clues = read_clues(home)
    again = score_at(home, load_champion(home), clues, AUGUST)
    for at, clue_id in enumerate(clues["clue_id"].to_pylist()):
        given = latest_score(ledger, clue_id)
        assert given.margin == again.scores.margin[at]
        assert given.probability == again.scores.probability[at]
        assert given.contributions.tobytes() == again.explanation.contributions[at].tobytes()


def test_no_open_clue_is_an_answer_and_not_a_fault(home: Home, clock: FixedClock) -> None:
    """Before anything was raised: no rows, an empty file, nothing in the ledger."""
    told, rows = run(home, clock, datetime(2024, 1, 1))
    assert (told["rows"], rows) == (0, [])
    assert newest_scores(open_ledger(home.ledger_url)) == []


def test_chosen_clues_are_scored_and_unknown_or_later_ones_refused(
    home: Home, clock: FixedClock
) -> None:
    """P-15: a clue's own columns were not known before it was raised."""
    chosen = home.path / "chosen.parquet"
    two = sorted(read_clues(home)["clue_id"].to_pylist())[:2]
    pq.write_table(pa.table({"clue_id": two}), chosen)
    assert {row["clue_id"] for row in run(home, clock, AUGUST, chosen)[1]} == set(two)
    with pytest.raises(Refused, match="2 raised later"):
        run(home, clock, datetime(2024, 6, 30), chosen)
    pq.write_table(pa.table({"clue_id": [*two, "0" * 16]}), chosen)
    with pytest.raises(NotFound, match="1 ids"):
        run(home, clock, AUGUST, chosen)
    chosen.write_text("clue_id", "utf-8")
    with pytest.raises(Refused, match="Parquet"):
        run(home, clock, AUGUST, chosen)


def test_an_explanation_is_the_given_score_or_one_at_the_clues_own_moment(
    home: Home, clock: FixedClock
) -> None:
    """Unscored: at its raised_at and not kept; scored: what the ledger has."""
    clue_id = read_clues(home)["clue_id"][0].as_py()
    before = explain_clue(home, clue_id, language="zh", reasons=9)
    assert before["moment"] == "2024-07-01T00:00:00"
    assert newest_scores(open_ledger(home.ledger_url)) == []
    run(home, clock, AUGUST)
    after = explain_clue(home, clue_id, language="zh", reasons=9)
    assert after["moment"] == AUGUST.isoformat()
    for told in (before, after):
        parts = sum(reason["contribution"] for reason in told["reasons"])
        assert abs(told["base"] + parts + told["other"] - told["margin"]) <= 1e-9
    with pytest.raises(NotFound):
        explain_clue(home, "0" * 16, language="zh", reasons=9)


def test_changed_definitions_or_no_champion_are_refused(home: Home, clock: FixedClock) -> None:
    """One definition when learning and when serving; before a promotion there is none to serve."""
    path = home.jurisdiction.folder / "features.yaml"
    path.write_text(path.read_text("utf-8").replace("[365, all]", "[90, all]", 1), "utf-8")
    with pytest.raises(Refused, match="feature definitions"):
        run(home, clock, AUGUST)
    (home.scorers / "champion.json").unlink()
    with pytest.raises(NotReady):
        run(home, clock, AUGUST)
