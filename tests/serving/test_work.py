"""What changes something: new clues, moves, outcomes, their history and the audit over HTTP."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from clues.register import read_clues
from dispatch.life_cycle import STATES
from governance.reading import Records
from scoring.audit import verify
from scoring.ledger.tables import audit, replies

WHOLE = {
    "clue_id": "CS-1",
    "supervision_model": "paid_after_death",
    "subject_id": "p77",
    "office_id": "A",
    "raised_at": "2024-07-15T00:00:00",
    "amount_cents": 120_000,
    "agency_id": "x",
}


def post(served: Any, path: str, body: Any, who: dict[str, str], key: str | None = None) -> Any:
    headers = {**who, **({"idempotency-key": key} if key else {})}
    return served.client.post(path, content=json.dumps(body), headers=headers)


def first(served: Any, office: str = "A") -> str:
    rows = read_clues(served.home).to_pylist()
    return next(row["clue_id"] for row in rows if row["office_id"] == office)


def test_a_given_clue_is_stored_scored_and_in_the_queue(served: Any) -> None:
    """Acknowledged with its score; the register, the queue and the history have it."""
    machine = served.key("case_system")
    told = post(served, "/v1/clues", {"clues": [WHOLE]}, machine, "k1").json()
    assert (told["new"], told["known"], told["joined"]) == (1, 0, [])
    (line,) = told["clues"]
    assert (line["clue_id"], line["state"]) == ("CS-1", "scored")
    total = sum(reason["contribution"] for reason in line["reasons"]) + line["other"]
    assert line["base"] + total == pytest.approx(line["margin"], abs=1e-9)
    reviewer = served.key("reviewer", "A")
    queue = served.client.get("/v1/queue", headers=reviewer).json()
    assert "CS-1" in [each["clue_id"] for each in queue["clues"]]
    history = served.client.get("/v1/clues/CS-1/history", headers=reviewer).json()
    assert history["scores"][0]["margin"] == line["margin"]
    assert [event["to_state"] for event in history["events"]] == ["scored"]
    assert served.client.get("/v1/clues/CS-1/reasons", headers=reviewer).status_code == 200


def test_the_same_request_again_gets_the_same_bytes_and_stores_nothing(served: Any) -> None:
    """P-2: with its key the very answer; without one no second clue; another body is refused."""
    machine = served.key("case_system")
    replies_told = [
        post(served, "/v1/clues", {"clues": [WHOLE]}, machine, "k1").content for _ in range(3)
    ]
    assert len(set(replies_told)) == 1
    count = read_clues(served.home).num_rows
    again = post(served, "/v1/clues", {"clues": [WHOLE]}, machine).json()
    assert (again["new"], again["known"]) == (0, 1)
    assert read_clues(served.home).num_rows == count
    other = post(served, "/v1/clues", {"clues": [{**WHOLE, "clue_id": "CS-2"}]}, machine, "k1")
    assert other.status_code == 422
    assert read_clues(served.home).num_rows == count
    assert post(served, "/v1/outcomes", {"outcomes": []}, machine, "k" * 201).status_code == 422


def test_one_subject_on_one_ground_is_one_clue(served: Any) -> None:
    """A given clue that was raised here joins that one, in one request too; an id is no other's."""
    machine = served.key("case_system")
    here = read_clues(served.home).to_pylist()[0]
    same = {**WHOLE, "subject_id": here["subject_id"]}
    told = post(served, "/v1/clues", {"clues": [same]}, machine).json()
    assert told["joined"] == [{"clue_id": "CS-1", "joined": here["clue_id"]}]
    two = [{**WHOLE, "clue_id": "CS-8"}, {**WHOLE, "clue_id": "CS-9"}]
    told = post(served, "/v1/clues", {"clues": two}, machine).json()
    assert (told["new"], told["joined"]) == (1, [{"clue_id": "CS-9", "joined": "CS-8"}])
    taken = post(served, "/v1/clues", {"clues": [{**WHOLE, "clue_id": here["clue_id"]}]}, machine)
    assert taken.json()["faults"][0]["where"] == "clues.0.clue_id"
    late = post(served, "/v1/clues", {"clues": [{**WHOLE, "raised_at": "2999-01-01"}]}, machine)
    assert late.json()["faults"][0]["where"] == "clues.0.raised_at"
    doubled = post(served, "/v1/clues", {"clues": [WHOLE, WHOLE]}, machine)
    assert doubled.json()["faults"][0]["where"] == "clues.1.clue_id"


def test_a_given_clue_names_an_office_that_is_declared(served: Any) -> None:
    """No office, or one that nobody declared: refused with the nearest, and nothing is stored."""
    machine, count = served.key("case_system"), read_clues(served.home).num_rows
    strays = [
        {**WHOLE, "office_id": "AA"},
        {name: value for name, value in WHOLE.items() if name != "office_id"} | {"clue_id": "CS-2"},
        {**WHOLE, "clue_id": "CS-3"},
    ]
    refused = post(served, "/v1/clues", {"clues": strays}, machine)
    faults = refused.json()["faults"]
    assert refused.status_code == 422
    assert [each["where"] for each in faults] == ["clues.0.office_id", "clues.1.office_id"]
    assert "A" in faults[0]["cure"]
    assert read_clues(served.home).num_rows == count


def test_a_known_clue_with_another_office_stays_and_that_is_told(served: Any) -> None:
    """Another office is a reassignment, with its reason; a new clue has nothing ignored."""
    machine = served.key("case_system")
    told = [
        post(served, "/v1/clues", {"clues": [{**WHOLE, "office_id": office}]}, machine).json()
        for office in ("A", "B")
    ]
    assert [each["ignored"] for each in told] == [
        [], [{"clue_id": "CS-1", "column": "office_id", "kept": "A"}],
    ]  # fmt: skip
    rows = {row["clue_id"]: row for row in read_clues(served.home).to_pylist()}
    assert rows["CS-1"]["office_id"] == "A"


def test_a_reviewers_day_over_http(served: Any) -> None:
    """Triaged, dispatched, accepted, verified, filed; each move told; then it teaches."""
    centre, reviewer = served.key("dispatcher"), served.key("reviewer", "A")
    clue = first(served)
    path = f"/v1/clues/{clue}/transitions"
    moves = [
        (centre, {"to": "triaged", "expects": "scored"}),
        (centre, {"to": "dispatched", "expects": "triaged"}),
        (reviewer, {"to": "accepted", "expects": 3}),
        (reviewer, {"to": "verifying", "expects": "accepted"}),
    ]
    for who, body in moves:
        assert post(served, path, body, who).status_code == 200
    stale = post(served, path, {"to": "returned", "expects": "accepted", "reason": "x"}, reviewer)
    assert stale.status_code == 409
    assert stale.json()["values"] == {"state": "verifying", "version": 5}
    short = post(served, path, {"to": "case_filed", "expects": 5, "case_number": "1"}, reviewer)
    assert (short.status_code, short.json()["faults"][0]["where"]) == (422, "filed_on")
    filed = {"to": "case_filed", "expects": 5, "case_number": "皖1号", "filed_on": "2026-01-02"}
    for unfit in ("2999-01-01", "2024-06-30"):
        refused = post(served, path, {**filed, "filed_on": unfit}, reviewer)
        assert (refused.status_code, refused.json()["faults"][0]["where"]) == (422, "filed_on")
    done = [post(served, path, filed, reviewer, "k") for _ in range(2)]
    assert done[0].json()["state"] == "case_filed"
    assert done[0].content == done[1].content
    with Records(served.home) as records:
        rows = records.known_at("outcomes", datetime(2999, 1, 1)).to_pylist()
    assert [(row["clue_id"], row["status"]) for row in rows] == [(clue, "case_filed")]
    history = served.client.get(f"/v1/clues/{clue}/history", headers=reviewer).json()
    assert history["events"][-1]["facts"]["case_number"] == "皖1号"
    assert [step["to"] for step in history["next"]] == ["case_withdrawn"]
    assert verify(served.service.ledger, deep=True).ok


def test_who_may_move_what_over_http(served: Any) -> None:
    """The role of the life cycle; another office's clue is as absent as none, byte for byte."""
    theirs, mine = first(served, "B"), first(served, "A")
    reviewer = served.key("reviewer", "A")
    body = {"to": "triaged", "expects": "scored"}
    wrong = post(served, f"/v1/clues/{mine}/transitions", body, reviewer)
    assert (wrong.status_code, wrong.json()["faults"][0]["got"]) == (403, "reviewer")
    centre = served.key("dispatcher", "A")
    replies_told = [
        post(served, f"/v1/clues/{clue}/transitions", body, centre) for clue in (theirs, "0" * 16)
    ]
    assert replies_told[0].status_code == 404
    assert replies_told[0].content == replies_told[1].content
    absent = [
        served.client.get(f"/v1/clues/{clue}/history", headers=reviewer)
        for clue in (theirs, "0" * 16)
    ]
    assert absent[0].status_code == 404
    assert absent[0].content == absent[1].content


def test_outcomes_come_back_over_http(served: Any) -> None:
    """Accepted, known, refused by place; an unknown clue and another office's alike."""
    machine, kept_in = served.key("case_system"), served.key("case_system", "A")
    mine, theirs = first(served, "A"), first(served, "B")
    word = {"status": "unfounded", "decided_at": "2024-08-01", "reported_at": "2024-08-03"}
    both = {"outcomes": [{"clue_id": mine, **word}, {"clue_id": theirs, **word}]}
    told = post(served, "/v1/outcomes", both, kept_in).json()
    assert (told["accepted"], [each["place"] for each in told["refused"]]) == (1, [1])
    unknown = {"outcomes": [{"clue_id": mine, **word}, {"clue_id": "0" * 16, **word}]}
    alike = post(served, "/v1/outcomes", unknown, kept_in).json()
    assert alike["refused"] == told["refused"]
    first_time = post(served, "/v1/outcomes", both, machine, "k9")
    again = post(served, "/v1/outcomes", both, machine, "k9")
    assert first_time.content == again.content
    assert (first_time.json()["accepted"], first_time.json()["already_known"]) == (1, 1)
    reviewer = served.key("reviewer", "B")
    assert first_time.json()["stays"] == []
    history = served.client.get(f"/v1/clues/{theirs}/history", headers=reviewer).json()
    assert (history["state"], history["open"]) == ("unfounded", False)
    assert history["events"][-1]["reported_at"] == "2024-08-03T00:00:00"
    lost = {"outcomes": [{"clue_id": mine, **word, "status": "lost"}]}
    told = post(served, "/v1/outcomes", lost, machine).json()
    assert told["refused"][0]["reasons"][0]["column"] == "status"
    offset = {"outcomes": [{"clue_id": mine, **word, "decided_at": "2024-08-01T00:00:00Z"}]}
    refused = post(served, "/v1/outcomes", offset, machine)
    assert refused.json()["faults"][0]["where"] == "outcomes.0.decided_at"


def test_a_word_that_comes_late_is_told_to_leave_the_clue_where_it_is(served: Any) -> None:
    """In the reply by its place with the state; in the history of the page and of the sheet with
    the days it was decided and reported."""
    machine, reader = served.key("case_system"), served.key("reviewer", "A")
    clue, other = [
        row["clue_id"] for row in read_clues(served.home).to_pylist() if row["office_id"] == "A"
    ][:2]
    newest = {"status": "unfounded", "decided_at": "2024-09-01", "reported_at": "2024-09-03"}
    late = {"status": "case_filed", "decided_at": "2024-08-01", "reported_at": "2024-08-04"}
    words = {"outcomes": [{"clue_id": clue, **newest}]}
    assert post(served, "/v1/outcomes", words, machine).json()["stays"] == []
    words = {"outcomes": [{"clue_id": "none", **late}, {"clue_id": other, **late},
                          {"clue_id": clue, **late}]}  # fmt: skip
    told = post(served, "/v1/outcomes", words, machine).json()
    assert (told["accepted"], [each["place"] for each in told["refused"]]) == (2, [0])
    assert told["stays"] == [{"place": 2, "state": "unfounded"}]
    key = {"key": reader["authorization"].split()[1]}
    assert served.client.post("/console", data=key, follow_redirects=False).status_code == 303
    for page in ("", "/sheet"):
        text = served.client.get(f"/console/clues/{clue}{page}?language=en").text
        history = text[text.index('id="history"') :]
        places = [
            history.index(each)
            for each in (
                "decided: 2024-09-01 · reported: 2024-09-03",
                "decided: 2024-08-01 · reported: 2024-08-04",
                "came late: the clue stays where it is",
            )
        ]
        assert places == sorted(places)
        assert history.count("came late") == 1


def test_the_auditor_reads_what_was_done_and_that_is_told_too(served: Any) -> None:
    """Pages by number; no subject, reason or fact stands in it."""
    clue, centre = first(served), served.key("dispatcher")
    secret = "Zhang San 340000199001010011"
    path = f"/v1/clues/{clue}/transitions"
    body = {"to": "withdrawn", "expects": "scored", "reason": secret}
    assert post(served, path, body, centre).status_code == 200
    auditor = served.key("auditor")
    page = served.client.get("/v1/audit?limit=2", headers=auditor).json()
    assert [row["seq"] for row in page["rows"]] == [1, 2]
    rest = served.client.get(f"/v1/audit?after={page['next_after']}", headers=auditor).json()
    kinds = [row["kind"] for row in [*page["rows"], *rest["rows"]]]
    assert {"registered", "scores", "transition", "key", "read"} <= set(kinds)
    with served.service.ledger.connect() as connection:
        text = str(connection.execute(sa.select(audit)).all())
        kept = str(connection.execute(sa.select(replies)).all())
    assert not any(word in text + kept for word in ("Zhang", "3400001990", "p1"))
    assert served.client.get("/v1/audit", headers=centre).status_code == 403


def test_a_move_without_expects_or_to_no_state_is_told_what_is_wanted(served: Any) -> None:
    """What `expects` is; every state there is."""
    centre, path = served.key("dispatcher"), f"/v1/clues/{first(served)}/transitions"
    (fault,) = post(served, path, {"to": "triaged"}, centre).json()["faults"]
    assert (fault["where"], fault["got"], fault["cure"]) == ("expects", "nothing", "add expects")
    assert fault["wanted"].startswith("the state or version of the clue that was looked at")
    flying = post(served, path, {"to": "flying", "expects": "scored"}, centre)
    assert flying.status_code == 422
    assert all(state in flying.json()["faults"][0]["wanted"] for state in STATES)
