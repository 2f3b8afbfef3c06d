"""Similar clues and what to check next over HTTP: of one's own offices, and nothing of others."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from told_hamlet import NOON, Asking, ended, score_all, told_hamlet
from two_worlds import build_world

from base.moment import FixedClock
from clues.register import read_clues
from dispatch.transition import move
from features.declared import declared_features
from governance.intake import admit_table
from scoring.champion import write_champion
from scoring.ledger import clue_states, latest_score, record_scores

CLOCK = FixedClock(NOON)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    folder: Path = tmp_path_factory.mktemp("told")
    return Asking(told_hamlet(folder))


def ask(asking: Asking, path: str, role: str = "reviewer", office: str | None = "A") -> Any:
    return asking.client.get(path, headers=asking.key(role, office))


def test_similar_clues_have_ended_and_say_how(asking: Asking) -> None:
    """The three of A that ended, two of them cases; the clue itself and open ones are not there."""
    told = ask(asking, f"/v1/clues/{asking.clue_of('p4')}/similar").json()
    assert (len(told["similar"]), told["ended"], told["cases"]) == (3, 3, 2)
    assert {each["outcome"]["status"] for each in told["similar"]} == {"case_filed", "unfounded"}
    shares = [each["likeness"] for each in told["similar"]]
    assert shares == sorted(shares, reverse=True)
    assert all(0 <= share <= 1 for share in shares)
    assert told["similar"][0]["title"] == "死亡后领取"
    one = ask(asking, f"/v1/clues/{asking.clue_of('p4')}/similar?limit=1").json()
    assert one["similar"] == told["similar"][:1]


def test_similar_clues_of_other_offices_are_neither_told_nor_counted(asking: Asking) -> None:
    """B has no ended clue; the province sees those of A."""
    clue = asking.clue_of("p1")
    assert ask(asking, f"/v1/clues/{clue}/similar", office="B").json()["similar"] == []
    assert ask(asking, f"/v1/clues/{clue}/similar", office="P").json()["ended"] == 3


def test_a_new_outcome_is_told_at_the_next_question(tmp_path: Path) -> None:
    """The index stays; what became of its clues is read as it is known now."""
    asking = Asking(told_hamlet(tmp_path))
    clue = asking.clue_of("p1")
    assert ask(asking, f"/v1/clues/{clue}/similar", office="B").json()["ended"] == 0
    admit_table(asking.home, "outcomes", ended(asking.home, ["B"], datetime(2024, 9, 1)), CLOCK)
    told = ask(asking, f"/v1/clues/{clue}/similar", office="B").json()
    assert told["ended"] > 0
    assert {each["office_id"] for each in told["similar"]} == {"B"}


def test_a_clue_that_was_handed_on_is_like_others_for_the_office_where_it_stands(
    tmp_path: Path,
) -> None:
    """P-10: from the order on, the office that gave it away neither sees nor counts it."""
    asking = Asking(told_hamlet(tmp_path))
    ledger, mine, theirs = asking.service.ledger, asking.clue_of("p4"), asking.clue_of("p1")
    before = ask(asking, f"/v1/clues/{mine}/similar").json()
    with ledger.connect() as connection:
        query = sa.select(clue_states.c.clue_id).where(clue_states.c.office_id == "A")
        still_open = set(connection.execute(query.where(clue_states.c.open)).scalars()) - {mine}
    gone = min(still_open)
    asked: dict[str, Any] = {"by": "k", "role": "dispatcher", "offices": None, "expects": None}
    for to, facts in (("triaged", {}), ("dispatched", {"office_id": "B"})):
        move(ledger, gone, to, clock=CLOCK, facts=facts, **asked)
    rows = ended(asking.home, ["A"], datetime(2024, 9, 1)).slice(0, 1)
    place = rows.column_names.index("clue_id")
    rows = rows.set_column(place, "clue_id", pa.array([gone]))
    admit_table(asking.home, "outcomes", rows, CLOCK)
    assert ask(asking, f"/v1/clues/{mine}/similar").json() == before
    told = ask(asking, f"/v1/clues/{theirs}/similar", office="B").json()
    assert [(each["clue_id"], each["office_id"]) for each in told["similar"]] == [(gone, "B")]


def test_what_to_check_next_says_what_and_where(asking: Asking) -> None:
    """A score whose amount was missing: the amount is told to who may read it, with its range."""
    clue = asking.clue_of("p4")
    given = latest_score(asking.service.ledger, clue)
    names = declared_features(asking.home).names
    values = [
        None if name == "amount_cents" else value
        for name, value in zip(names, given.feature_values, strict=True)
    ]
    record_scores(asking.service.ledger, [type(given)(**{**vars(given), "feature_values": values})])
    told = ask(asking, f"/v1/clues/{clue}/next-checks", "dispatcher").json()
    assert [each["features"] for each in told["checks"]] == [["amount_cents"]]
    check = told["checks"][0]
    assert check["state"] == "missing"
    assert check["expected_points"] > 0
    assert check["worth_points"] == pytest.approx(check["expected_points"] * check["known_share"])
    assert "金额……" in check["sentence"]
    english = ask(asking, f"/v1/clues/{clue}/next-checks?language=en", "dispatcher").json()
    assert 'look up "amount ..."' in english["checks"][0]["sentence"]
    assert ask(asking, f"/v1/clues/{clue}/next-checks").json()["checks"] == []


def test_a_scorer_of_before_is_not_ready_to_say_what_to_check(tmp_path: Path) -> None:
    """503 with the cure; its reasons and similar clues are told as ever."""
    from scoring.bundle import REFERENCE, bundle_digest

    asking = Asking(told_hamlet(tmp_path))
    scorers, now = asking.home.scorers, asking.service.champion().digest
    shutil.copytree(scorers / now, scorers / "old")
    (scorers / "old" / REFERENCE).unlink()
    old = bundle_digest(scorers / "old")
    (scorers / "old").rename(scorers / old)
    write_champion(scorers, old, by="Li", approved_by="Wang", at=NOON)
    score_all(asking.home)
    asking = Asking(asking.home)
    path = f"/v1/clues/{asking.clue_of('p4')}"
    reply = ask(asking, f"{path}/next-checks")
    assert reply.status_code == 503
    assert "clues train" in reply.text
    assert ask(asking, f"{path}/reasons").json()["scorer"] == old
    assert ask(asking, f"{path}/similar").json()["scorer"] == old


def test_what_an_office_is_told_is_the_same_with_and_without_another_offices_data(
    tmp_path: Path,
) -> None:
    """P-10, two worlds: every reply about every clue of A is equal byte for byte."""
    both = Asking(build_world(tmp_path / "both", "AB", None))
    bundle = both.home.scorers / both.service.champion().digest
    alone = Asking(build_world(tmp_path / "alone", "A", bundle))
    clues = read_clues(alone.home).to_pylist()
    assert {row["office_id"] for row in clues} == {"A"}
    features = declared_features(alone.home).names
    about = ["", "/reasons?evidence=5", "/similar", "/next-checks"]
    about += [f"/evidence/{name}" for name in features]
    keys = [world.key("reviewer", "A") for world in (both, alone)]
    answered = 0
    for row in clues:
        for rest in about:
            path = f"/v1/clues/{row['clue_id']}{rest}"
            replies = [
                world.client.get(path, headers=key)
                for world, key in zip((both, alone), keys, strict=True)
            ]
            assert replies[0].content == replies[1].content, path
            assert replies[0].status_code == replies[1].status_code
            answered += replies[0].status_code == 200
    assert answered > 3 * len(about)
