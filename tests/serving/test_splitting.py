"""A clue split: it ends, its parts wait; once, however often asked; seen by own offices alone."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from served_hamlet import Served, serve_hamlet

from base.errors import Conflict
from base.moment import FixedClock
from clues.register import read_clues
from dispatch.endings import admit_endings
from dispatch.open_clues import closed_clues
from dispatch.outcome_events import settle
from dispatch.splitting import Part, parts_of, split_in
from dispatch.standing import state_of
from governance.reading import Records
from scoring.audit import verify
from scoring.ledger import writing

PARTS = [
    {"ground_key": "before 2024-03", "amount_cents": 1_000, "evidence": []},
    {"ground_key": "after 2024-03", "office_id": "B"},
]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """One for all: each test takes clues that nobody touched yet."""
    return serve_hamlet(tmp_path_factory.mktemp("splitting"), persons=24)


def clue_of(served: Served, office: str = "A") -> dict[str, Any]:
    rows = [row for row in read_clues(served.home).to_pylist() if row["batch"][:5] == "raise"]
    ledger = served.service.ledger
    return next(
        row
        for row in rows
        if row["office_id"] == office and state_of(ledger, row["clue_id"])["state"] == "scored"
    )


def send(served: Served, clue_id: str, who: dict[str, str], key: str = "", **more: Any) -> Any:
    body = {"to": "split", "expects": "scored", "reason": "two grounds", "parts": PARTS, **more}
    headers = {**who, **({"idempotency-key": key} if key else {})}
    path = f"/v1/clues/{clue_id}/transitions"
    return served.client.post(path, content=json.dumps(body), headers=headers)


def history(served: Served, clue_id: str, who: dict[str, str]) -> Any:
    return served.client.get(f"/v1/clues/{clue_id}/history", headers=who).json()


def test_a_split_clue_ends_and_its_parts_wait_scored(served: Served) -> None:
    """Ids of their own, the clue's columns but for what they say themselves, links both ways."""
    clue, centre = clue_of(served), served.kept_key("dispatcher")
    told = send(served, clue["clue_id"], centre).json()
    assert (told["state"], told["open"]) == ("split", False)
    first, second = told["parts"]
    rows = {row["clue_id"]: row for row in read_clues(served.home, told["parts"]).to_pylist()}
    assert rows[first]["amount_cents"] == 1_000
    assert rows[first]["evidence"] == []
    assert rows[second]["amount_cents"] == clue["amount_cents"]
    assert rows[second]["evidence"] == clue["evidence"]
    assert {row["subject_id"] for row in rows.values()} == {clue["subject_id"]}
    assert [rows[each]["office_id"] for each in (first, second)] == ["A", "B"]
    queue = served.client.get("/v1/queue?limit=100", headers=centre).json()["clues"]
    waiting = {each["clue_id"] for each in queue}
    assert {first, second} <= waiting
    assert clue["clue_id"] not in waiting
    whole = history(served, clue["clue_id"], centre)
    assert whole["parts"] == sorted(told["parts"])
    assert whole["next"] == []
    assert history(served, first, centre)["split_from"] == clue["clue_id"]
    assert history(served, first, centre)["state"] == "scored"
    assert served.client.get(f"/v1/clues/{first}/reasons", headers=centre).status_code == 200
    assert verify(served.service.ledger, deep=True).ok


def test_the_same_split_again_makes_nothing(served: Served) -> None:
    """P-2 and P-3: with the key the same bytes, without it a conflict; no clue more."""
    clue, centre = clue_of(served), served.kept_key("dispatcher")
    once = send(served, clue["clue_id"], centre, "k")
    count = read_clues(served.home).num_rows
    assert send(served, clue["clue_id"], centre, "k").content == once.content
    again = send(served, clue["clue_id"], centre)
    assert (again.status_code, again.json()["values"]["state"]) == (409, "split")
    assert read_clues(served.home).num_rows == count


def test_another_office_sees_its_own_part_and_no_other(served: Served) -> None:
    """P-10: neither the clue, nor its other part, nor their number."""
    clue = clue_of(served)
    ids = send(served, clue["clue_id"], served.kept_key("dispatcher")).json()["parts"]
    of_a, of_b = served.kept_key("reviewer", "A"), served.kept_key("reviewer", "B")
    there = history(served, ids[1], of_b)
    assert there["split_from"] is None
    assert clue["clue_id"] not in json.dumps(there)
    here = history(served, clue["clue_id"], of_a)
    assert here["parts"] == ids[:1]
    assert ids[1] not in json.dumps(here)


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"parts": PARTS[:1]}, "parts"),
        ({"parts": [PARTS[0], PARTS[0]]}, "parts.1.ground_key"),
        ({"parts": [{"ground_key": "-"}, PARTS[0]]}, "parts.0.ground_key"),
        ({"parts": [{"ground_key": " "}, PARTS[0]]}, "parts.0.ground_key"),
        ({"parts": [{**PARTS[0], "evidence": ["deaths/999"]}, PARTS[1]]}, "parts.0.evidence"),
        ({"parts": [{**PARTS[0], "office_id": "Z"}, PARTS[1]]}, "parts.0.office_id"),
        ({"parts": [{**PARTS[0], "supervision_model": "no"}, PARTS[1]]}, "parts.0"),
        ({"parts": [{**PARTS[0], "amount_cents": "all"}, PARTS[1]]}, "parts.0.amount_cents"),
        ({"reason": " "}, "reason"),
        ({"to": "triaged"}, "parts"),
        ({"parts": None}, "parts"),
    ],
)
def test_a_split_without_what_it_needs_is_refused_and_changes_nothing(
    served: Served, more: dict[str, Any], where: str
) -> None:
    """Every fault by its place."""
    clue, count = clue_of(served), read_clues(served.home).num_rows
    reply = send(served, clue["clue_id"], served.kept_key("dispatcher"), **more)
    assert reply.status_code == 422
    assert any(each["where"].startswith(where) for each in reply.json()["faults"]), reply.text
    assert read_clues(served.home).num_rows == count
    assert state_of(served.service.ledger, clue["clue_id"])["state"] == "scored"


def test_who_may_not_split_splits_nothing(served: Served) -> None:
    """A reviewer, and a dispatcher of another office to whom the clue is none."""
    clue, count = clue_of(served), read_clues(served.home).num_rows
    reviewer, other = served.kept_key("reviewer", "A"), served.kept_key("dispatcher", "B")
    own = [{"ground_key": "one"}, {"ground_key": "two"}]
    assert send(served, clue["clue_id"], reviewer, parts=own).status_code == 403
    assert send(served, clue["clue_id"], other).status_code == 404
    assert read_clues(served.home).num_rows == count


def test_a_ground_that_a_clue_has_is_refused_to_who_sees_it_and_told_to_no_other(
    served: Served,
) -> None:
    """P-10: who does not see that clue gets a part with an id of its own."""
    mine, theirs = clue_of(served), clue_of(served, "B")
    same = [{"ground_key": "-", "subject_id": theirs["subject_id"]}, PARTS[0]]
    told = send(served, mine["clue_id"], served.kept_key("dispatcher"), parts=same)
    assert told.status_code == 422
    assert told.json()["faults"][0]["where"] == "parts.0.ground_key"
    split = send(served, mine["clue_id"], served.kept_key("dispatcher", "A"), parts=same).json()
    assert theirs["clue_id"] not in split["parts"]
    assert len(split["parts"]) == 2


def test_a_split_that_was_begun_and_lost_is_ended_by_the_same_split(served: Served) -> None:
    """Killed between register and ledger: the clue stands where it was, no part is there twice."""
    clue, service = clue_of(served), served.service
    clock = FixedClock(service.clock.now() - timedelta(hours=1))
    asked = [Part("before 2024-03"), Part("after 2024-03", office_id="B")]
    given = (service.home, clue, asked, {}, ["A", "B"], lambda _: True, clock.now())
    wanted: dict[str, Any] = {"by": "k", "role": "dispatcher", "offices": None, "expects": "scored"}

    def killed() -> None:
        with writing(service.ledger) as connection:
            split_in(
                connection, service.home, clue["clue_id"], parts_of(*given), at=clock.now(),
                reason="two", **wanted,
            )  # fmt: skip
            raise InterruptedError

    with pytest.raises(InterruptedError):
        killed()
    assert state_of(service.ledger, clue["clue_id"])["state"] == "scored"
    count = read_clues(served.home).num_rows
    told = send(served, clue["clue_id"], served.kept_key("dispatcher")).json()
    assert told["state"] == "split"
    assert read_clues(served.home).num_rows == count
    rows = read_clues(served.home, told["parts"])
    assert set(rows["raised_at"].to_pylist()) == {clock.now()}


def test_a_part_that_was_raised_meanwhile_undoes_the_split(served: Served) -> None:
    """Looked at before, there when it is stored: a conflict, and the clue stands where it was."""
    clue, service = clue_of(served), served.service
    now = service.clock.now()
    asked = [Part("one"), Part("two")]
    parts = parts_of(service.home, clue, asked, {}, ["A"], lambda _: True, now)
    machine = served.kept_key("case_system")
    given = {
        "clue_id": parts.ids[0], "supervision_model": "paid_after_death", "office_id": "A",
        "subject_id": "another",
    }  # fmt: skip
    body = json.dumps({"clues": [given]})
    assert served.client.post("/v1/clues", content=body, headers=machine).is_success
    with pytest.raises(Conflict, match="raised meanwhile"), writing(service.ledger) as connection:
        split_in(
            connection, service.home, clue["clue_id"], parts, by="k", role="dispatcher",
            offices=None, expects=None, at=now, reason="two",
        )  # fmt: skip
    assert state_of(service.ledger, clue["clue_id"])["state"] == "scored"


def test_a_split_becomes_a_record_that_teaches_nothing(served: Served) -> None:
    """Its word is `split`, without a case or none; the clue is scored no more. A later word on it
    stands, as on any clue."""
    clue, service = clue_of(served), served.service
    assert send(served, clue["clue_id"], served.kept_key("dispatcher")).is_success
    admit_endings(served.home, service.ledger, service.clock)
    with Records(served.home) as records:
        asked = "SELECT status, became_case FROM outcomes WHERE clue_id = ?"
        found = records.connection().execute(asked, [clue["clue_id"]]).fetchall()
    assert found == [("split", None)]
    later = service.clock.now() + timedelta(days=1)
    assert clue["clue_id"] in closed_clues(served.home, later)
    machine = served.kept_key("case_system")
    day = service.clock.now().date().isoformat()
    word = {"clue_id": clue["clue_id"], "status": "case_filed", "decided_at": day}
    body = json.dumps({"outcomes": [{**word, "reported_at": day}]})
    assert served.client.post("/v1/outcomes", content=body, headers=machine).is_success
    with writing(service.ledger) as connection:
        settle(connection, served.home, [clue["clue_id"]], at=later, by="k")
    assert state_of(service.ledger, clue["clue_id"])["state"] == "case_filed"


def test_the_centre_splits_a_clue_on_its_page(served: Served) -> None:
    """By a form without script; a part without a ground is told, with what was typed."""
    clue, client = clue_of(served), served.client
    key = served.kept_key("dispatcher")["authorization"].split()[1]
    client.post("/console", data={"key": key})
    address = f"/console/clues/{clue['clue_id']}"
    assert f"{address}/split" in client.get(address).text
    page = client.get(f"{address}/split?language=en").text
    token = re.findall(r'name="token" value="([0-9a-f]{64})"', page)[0]
    version = re.findall(r'name="expects" value="(\d+)"', page)[0]
    form = {
        "token": token, "to": "split", "expects": version, "reason": "two agencies",
        "part1_ground_key": "agency x", "part1_amount_cents": "1200", "part1_record_0": "1",
    }  # fmt: skip
    ill = client.post(f"{address}/transitions?language=en", data=form)
    assert ill.status_code == 422
    assert 'value="agency x"' in ill.text
    form |= {"part2_ground_key": "agency y", "part2_office_id": "B", "part3_ground_key": ""}
    well = client.post(f"{address}/transitions?language=en", data=form, follow_redirects=False)
    assert well.status_code == 303
    again = client.post(f"{address}/transitions?language=en", data=form, follow_redirects=False)
    assert again.status_code == 303
    batch = f"split {clue['clue_id']}"
    rows = read_clues(served.home).to_pylist()
    parts = sorted((row["ground_key"], row) for row in rows if row["batch"] == batch)
    parts = [row for _, row in parts]
    assert [(row["ground_key"], row["amount_cents"]) for row in parts] == [
        ("agency x", 1200),
        ("agency y", clue["amount_cents"]),
    ]
    assert [row["evidence"] for row in parts] == [clue["evidence"][:1], []]
    shown = client.get(f"{address}?language=en").text
    assert all(f"/console/clues/{row['clue_id']}" in shown for row in parts)
