"""What a request may not do: reach another office, ask before the time, or break the service."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hamlet_scorer import write_hamlet_bundle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from base.moment import FixedClock
from clues.register import read_clues
from dispatch.standing import keep_scored
from scoring.champion import write_champion
from scoring.ledger import clue_states, latest_score
from serving.keys import create

WHOLE = {
    "clue_id": "new",
    "supervision_model": "paid_after_death",
    "subject_id": "p1",
    "raised_at": "2024-07-01T00:00:00",
    "amount_cents": 120_000,
}
FUZZ = settings(max_examples=80, suppress_health_check=list(HealthCheck), deadline=None)
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.datetimes()
)
# A right clue with up to two values replaced, so that many get past the first check.
spoilt = st.dictionaries(
    st.sampled_from([*WHOLE, "office_id", "ground_key", "agency_id", "stray"]), scalars, max_size=2
)
clues = spoilt.map(lambda values: {**WHOLE, **values})


def post(served: Any, body: Any, headers: dict[str, str]) -> Any:
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return served.client.post("/v1/scores", content=content, headers=headers)


def test_a_machine_of_one_office_scores_no_clue_of_another(served: Any) -> None:
    """P-10: by its id the clue is as unknown as one that never was, byte for byte."""
    headers = served.key("case_system", "A")
    rows = read_clues(served.home).to_pylist()
    theirs = next(row["clue_id"] for row in rows if row["office_id"] == "B")
    forbidden = post(served, {"clues": [{"clue_id": theirs}]}, headers)
    absent = post(served, {"clues": [{"clue_id": "0" * 16}]}, headers)
    assert forbidden.status_code == absent.status_code == 422
    assert forbidden.content == absent.content
    whole = post(served, {"clues": [{**WHOLE, "office_id": "B"}]}, headers)
    assert whole.json()["faults"][0]["where"] == "clues.0.office_id"
    assert post(served, {"clues": [{**WHOLE, "office_id": "A"}]}, headers).status_code == 200


def test_a_moment_is_wall_time_and_not_before_the_clue_was_raised(served: Any) -> None:
    """P-15: an offset would be read as another instant; before, its columns were not known."""
    headers = served.key("case_system")
    stored = {"clue_id": read_clues(served.home)["clue_id"][0].as_py()}
    for moment in ("2024-08-01T00:00:00+08:00", "2024-08-01T00:00:00Z"):
        reply = post(served, {"clues": [WHOLE], "moment": moment}, headers)
        assert (reply.status_code, reply.json()["faults"][0]["where"]) == (422, "moment")
    for clue in (stored, WHOLE):
        for moment, status in (("2024-06-30T23:59:59", 422), ("2024-07-01T00:00:00", 200)):
            reply = post(served, {"clues": [clue], "moment": moment}, headers)
            assert reply.status_code == status


@pytest.fixture
def machine(served: Any) -> Any:
    """The service, and headers that may score."""
    return served, served.key("case_system")


@FUZZ
@given(
    asked=st.lists(clues, min_size=1, max_size=3),
    rest=st.dictionaries(st.sampled_from(["moment", "reasons"]), scalars, max_size=1),
)
def test_no_message_gives_a_500_or_a_number_that_is_not_finite(
    machine: Any, asked: list[Any], rest: dict[str, Any]
) -> None:
    """P-13: 200 with finite numbers that add up, or 422; the shapes are near to right ones."""
    served, headers = machine
    body = {"clues": asked, **rest}
    reply = post(served, json.dumps(body, default=lambda value: value.isoformat()), headers)
    assert reply.status_code in (200, 422)

    def not_finite(word: str) -> None:
        raise AssertionError(word)

    told = json.loads(reply.content, parse_constant=not_finite)
    for each in told.get("scores", []):
        parts = sum(reason["contribution"] for reason in each["reasons"])
        assert abs(each["base"] + parts + each["other"] - each["margin"]) <= 1e-9


@FUZZ
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_no_bytes_give_a_500(machine: Any, content: bytes) -> None:
    """P-13, without any shape: always 422."""
    served, headers = machine
    assert post(served, content, headers).status_code == 422


@FUZZ
@given(where=st.text(max_size=30), cursor=st.text(max_size=30))
def test_no_address_gives_a_500(machine: Any, where: str, cursor: str) -> None:
    """P-13: a clue's id, an office and a cursor may be any text."""
    served, _ = machine
    headers = served.key("reviewer")
    asked = {"cursor": cursor, "office": where}
    assert served.client.get("/v1/queue", params=asked, headers=headers).status_code == 422
    path = f"/v1/clues/{quote(where, safe='')}"
    # Without an id it is the address that takes new clues.
    found = served.client.get(path, headers=headers).status_code
    assert found == 404 if where.strip("./") else found in (404, 405)


def test_a_ledger_that_does_not_answer_is_503(served: Any) -> None:
    """Told to the caller and by /ready; /live still answers; no statement is quoted."""
    headers = served.key("reviewer")
    with served.service.ledger.begin() as connection:
        connection.execute(sa.text("ALTER TABLE keys RENAME TO keys_gone"))
    reply = served.client.get("/v1/queue", headers=headers)
    assert reply.status_code == 503
    assert reply.headers["content-type"] == "application/problem+json"
    assert "SELECT" not in reply.text
    assert served.client.get("/live").status_code == 200


def test_ready_says_that_the_ledger_is_away(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, with the scorer still named."""

    def away(_: object) -> None:
        raise sa.exc.OperationalError("SELECT SECRET", {}, Exception("gone"))

    monkeypatch.setattr("serving.routes.health.durability", away)
    reply = served.client.get("/ready")
    assert (reply.status_code, reply.json()["ready"]) == (503, False)
    assert reply.json()["ledger"] == {"away": "OperationalError"}
    assert "SECRET" not in reply.text


def test_a_key_whose_office_is_gone_is_refused_without_naming_the_others(
    served: Any, clock: FixedClock
) -> None:
    """403 over HTTP and a page in the console; an undeclared office covers nothing."""
    made = create(served.service.ledger, role="reviewer", office_id="Z", clock=clock)
    headers = {"authorization": f"Bearer {made['key']}"}
    reply = served.client.get("/v1/queue", headers=headers)
    assert reply.status_code == 403
    assert "A, B" not in reply.text
    page = served.client.post("/console", data={"key": made["key"]})
    assert page.status_code == 403
    assert "set-cookie" not in page.headers


def test_a_clue_of_no_declared_office_is_seen_by_who_sees_all(served: Any) -> None:
    """It has no capacity, but is not lost: in the queue, in the console; no county sees it."""
    service = served.service
    clue = read_clues(served.home).slice(0, 1)
    known = latest_score(service.ledger, clue["clue_id"][0].as_py())
    stray = replace(known, clue_id="stray", office_id=None)
    row = {**clue.to_pylist()[0], "clue_id": "stray", "office_id": None}
    raised = pa.Table.from_pylist([row], schema=clue.schema)
    keep_scored(service.ledger, raised, [stray], at=known.given_at, by="platform")
    everyone = served.client.get("/v1/queue", headers=served.key("dispatcher")).json()
    found = [each for each in everyone["clues"] if each["clue_id"] == "stray"]
    assert [each["within_capacity"] for each in found] == [False]
    county = served.client.get("/v1/queue", headers=served.key("dispatcher", "P")).json()
    assert "stray" not in {each["clue_id"] for each in county["clues"]}
    key = served.key("dispatcher")["authorization"].split()[1]
    served.client.post("/console", data={"key": key})
    assert "stray" in served.client.get("/console/queue").text


def test_others_are_served_while_a_new_champion_is_tried(
    served: Any, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-8: the trial takes seconds; who asks meanwhile, the first too, gets the one in use."""
    service = served.service
    first = service.champion().digest
    second = write_hamlet_bundle(served.home, seed=2)
    trying, done = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        trying.set()
        assert done.wait(60)

    monkeypatch.setattr("serving.service.try_bundle", slow)
    write_champion(served.home.scorers, second, by="Li", approved_by="Wang", at=clock.now())
    assert service.champion().digest == first
    assert trying.wait(60)
    assert service.champion().digest == first
    done.set()
    assert service.champions.settle(60)
    assert service.champion().digest == second


def test_a_wrong_method_says_which_are_right(served: Any) -> None:
    """405 with Allow (RFC 9110), as problem+json."""
    reply = served.client.delete("/v1/queue")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET")
    assert reply.headers["content-type"] == "application/problem+json"


def test_a_clue_with_no_office_and_an_infinite_column_can_still_be_read(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON has no infinity: told as missing; the console shows a dash for the office."""
    row = read_clues(served.home).to_pylist()[0]
    odd = {**row, "office_id": None, "share": float("inf")}
    monkeypatch.setattr(served.service.clue_lookup, "row", lambda _: odd)
    with served.service.ledger.begin() as connection:
        connection.execute(
            sa.update(clue_states)
            .where(clue_states.c.clue_id == row["clue_id"])
            .values(office_id=None)
        )
    headers = served.key("reviewer")
    told = served.client.get(f"/v1/clues/{row['clue_id']}", headers=headers)
    assert told.status_code == 200
    assert told.json()["share"] is None
    served.client.post("/console", data={"key": headers["authorization"].split()[1]})
    page = served.client.get(f"/console/clues/{row['clue_id']}")
    assert page.status_code == 200
    assert "<dd>—</dd>" in page.text


def test_a_bound_of_an_address_is_told_in_words(standing: Any) -> None:
    """What it had to be and what to do, not where to look; never the value."""
    reviewer = standing.kept_key("reviewer", "A")
    for asked, wanted in (
        ("limit=0", "at least 1"),
        ("limit=100000", "at most 1000"),
        ("limit=SECRET", "a whole number"),
    ):
        reply = standing.client.get(f"/v1/queue?{asked}", headers=reviewer)
        (fault,) = reply.json()["faults"]
        assert (reply.status_code, fault["where"], fault["wanted"]) == (422, "query.limit", wanted)
        assert fault["cure"] == "give limit so, or leave it out (see /openapi.json)"
        assert "SECRET" not in reply.text


def test_what_a_message_had_to_be_is_told_in_our_own_words(standing: Any) -> None:
    """Not in those of the library that reads it."""
    headers = standing.key("case_system")
    for body, told in (
        ({"clues": []}, "at least 1 of them"),
        ({"clues": 7}, "a list, written [a, b]"),
        ({"clues": [{"clue_id": 7}]}, "a text"),
        ({"clues": [{"clue_id": ""}]}, "a text of at least 1 characters"),
        ({"clues": [7]}, "keys with values"),
    ):
        [fault] = standing.client.post("/v1/scores", json=body, headers=headers).json()["faults"]
        assert fault["wanted"] == told
