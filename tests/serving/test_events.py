"""Signed events from a case system: taken once by id, and nothing is told to who may not ask."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from receiving import case_system
from served_hamlet import Served, serve_hamlet

from clues.register import read_clues
from dispatch.exchange.signature import new_key, read_keys, retire, signed_headers
from dispatch.standing import state_of
from experiments.case_system.work import Work
from scoring.ledger import clue_events

PATH = "/v1/events/from_cases"
Headers = dict[str, str]
SECRET = "SECRET-7f3a"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A service with two sources: one for all, one that tells of office A alone."""
    made = serve_hamlet(tmp_path_factory.mktemp("events"))
    (made.home.jurisdiction.folder / "exchange.yaml").write_text(
        "sources:\n  - name: from_cases\n  - {name: from_a, office_id: A}\n"
        "destinations:\n  - {name: cases, url: http://127.0.0.1:9/events}\n",
        "utf-8",
    )
    for name in ("from_cases", "from_a", "cases"):
        new_key(made.home.path / "exchange" / f"{name}.key")
    return made


def keys_of(served: Served, name: str = "from_cases") -> tuple[bytes, ...]:
    return read_keys(served.home.path / "exchange" / f"{name}.key")


def clue_of(served: Served, office: str = "A") -> str:
    """A clue that has not ended."""
    rows = read_clues(served.home).to_pylist()
    return next(
        row["clue_id"]
        for row in rows
        if row["office_id"] == office
        and state_of(served.service.ledger, row["clue_id"])["state"] == "scored"
    )


def event(clue_id: str, message_id: str = "m1", status: str = "unfounded", **more: Any) -> bytes:
    row = {"clue_id": clue_id, "status": status, "decided_at": "2025-12-01"}
    told = {
        "specversion": "1.0", "id": message_id, "source": "cases/x", "type": "cases.outcomes.v1",
        "data": {"outcomes": [{**row, "reported_at": "2025-12-02"}]},
    }  # fmt: skip
    return json.dumps({**told, **more}).encode()


def send(served: Served, body: bytes, headers: Headers, path: str = PATH) -> Any:
    return served.client.post(path, content=body, headers=headers)


def signed(served: Served, body: bytes, message_id: str = "m1", age: int = 0) -> Headers:
    return signed_headers(keys_of(served), message_id, int(time.time()) - age, body)


def words_on(served: Served, clue_id: str) -> int:
    with served.service.ledger.connect() as connection:
        rows = connection.execute(clue_events.select().where(clue_events.c.clue_id == clue_id))
        return sum(row.source == "outcome" for row in rows)


def test_a_signed_outcome_moves_its_clue_once_however_often_it_comes(served: Served) -> None:
    """Signed anew each time, the same bytes come back; another body under its id is refused."""
    clue = clue_of(served)
    body = event(clue, "once")
    replies = [send(served, body, signed(served, body, "once", age)) for age in (0, 60, 240)]
    assert [reply.status_code for reply in replies] == [200] * 3
    assert len({reply.content for reply in replies}) == 1
    assert replies[0].json()["accepted"] == 1
    assert state_of(served.service.ledger, clue)["state"] == "unfounded"
    assert words_on(served, clue) == 1
    other = event(clue, "once", "case_filed")
    refused = send(served, other, signed(served, other, "once"))
    assert refused.status_code == 422
    assert refused.json()["faults"][0]["cure"] == "use a fresh webhook-id"
    assert state_of(served.service.ledger, clue)["state"] == "unfounded"


def altered(how: str, served: Served, body: bytes) -> tuple[bytes, Headers, str]:
    """A message that is right but for one thing."""
    good = signed(served, body)
    past, later = signed(served, body, age=301), signed(served, body, age=-310)
    stranger = signed_headers([b"s" * 32], "m1", int(time.time()), body)
    outbound = signed_headers(keys_of(served, "cases"), "m1", int(time.time()), body)
    ways: dict[str, tuple[bytes, Headers, str]] = {
        "wrong signature": (body, {**good, "webhook-signature": f"v1,{SECRET}"}, PATH),
        "old": (body, past, PATH),
        "from a time to come": (body, later, PATH),
        "another time": (body, {**good, "webhook-timestamp": past["webhook-timestamp"]}, PATH),
        "another id": (body, {**good, "webhook-id": "m2"}, PATH),
        "another body": (body + b" ", good, PATH),
        "unknown key": (body, stranger, PATH),
        "our own key": (body, outbound, PATH),
        "unknown source": (body, good, f"/v1/events/{SECRET}"),
        "a destination": (body, outbound, "/v1/events/cases"),
        "another source": (body, good, "/v1/events/from_a"),
        "no headers": (body, {}, PATH),
        "no json": (SECRET.encode(), {}, PATH),
        "no number": (body, {**good, "webhook-timestamp": "１２"}, PATH),
    }
    return ways[how]


@pytest.mark.parametrize(
    "how",
    [
        "wrong signature", "old", "from a time to come", "another time", "another id",
        "another body", "unknown key", "our own key", "unknown source", "a destination",
        "another source", "no headers", "no json", "no number",
    ],
)  # fmt: skip
def test_what_is_not_signed_by_the_source_lately_is_refused_alike(served: Served, how: str) -> None:
    """401, the same bytes for each, nothing of the message; the clue stays where it was."""
    clue = clue_of(served)
    body, headers, path = altered(how, served, event(clue))
    shown = {name: value.encode("utf-8") for name, value in headers.items()}
    reply = served.client.post(path, content=body, headers=shown)
    plain = send(served, b"", {})
    assert (reply.status_code, reply.content) == (401, plain.content), how
    assert reply.headers["www-authenticate"] == "Webhook-Signature"
    assert clue not in reply.text
    assert SECRET not in reply.text
    assert state_of(served.service.ledger, clue)["state"] == "scored"


@pytest.mark.parametrize(
    "more",
    [
        {"id": "m2"},
        {"type": "cases.other.v1"},
        {"specversion": "2.0"},
        {"data": {"outcomes": []}},
        {"data": {"outcomes": [{"clue_id": SECRET}]}},
    ],
)
def test_a_signed_message_of_another_shape_is_told_what_was_wanted(
    served: Served, more: dict[str, Any]
) -> None:
    """422 by place, and nothing of what was sent; it may come again, mended, under its id."""
    clue = clue_of(served)
    ident = f"shape {sorted(more)}"
    body = event(clue, **{"message_id": ident, **more})
    reply = send(served, body, signed(served, body, ident))
    assert reply.status_code == 422
    assert SECRET not in reply.text
    assert state_of(served.service.ledger, clue)["state"] == "scored"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"\xff\xfe", b"{" * 5_000, b'{"id": "h", "id": "h"}',
        b'{"id": NaN}', b'{"id": 1e999}', b'{"id": "\\ud800"}', b"9" * 400_000, b"\0" * 100,
        event("c\u0000", "h"), event("c" * 10_000, "h"), event("c", "h", status="\u202e" * 50),
    ],
)  # fmt: skip
def test_no_signed_body_gives_a_500_or_is_quoted(served: Served, body: bytes) -> None:
    """P-13: who holds the key may be broken too."""
    reply = send(served, body, signed(served, body, "h"))
    assert reply.status_code in (200, 413, 422), reply.status_code
    assert reply.status_code != 200 or reply.json()["accepted"] == 0
    assert "ccccc" not in reply.text


def test_a_source_of_one_office_tells_of_its_own_clues_alone(served: Served) -> None:
    """P-10: a clue of B is as unknown to it as none."""
    mine, theirs = clue_of(served, "A"), clue_of(served, "B")
    told = []
    for clue in (mine, theirs, "0" * 16):
        body = event(clue, f"office {clue}")
        stamp = int(time.time())
        headers = signed_headers(keys_of(served, "from_a"), f"office {clue}", stamp, body)
        told.append(send(served, body, headers, "/v1/events/from_a").json())
    assert [len(each["refused"]) for each in told] == [0, 1, 1]
    assert told[1]["refused"][0]["reasons"] == told[2]["refused"][0]["reasons"]
    assert state_of(served.service.ledger, theirs)["state"] == "scored"


def test_a_key_counts_until_it_is_retired_and_none_that_others_may_read(served: Served) -> None:
    """The old one beside the new one; then at once no more. The service says nothing of why."""
    path = served.home.path / "exchange" / "from_cases.key"
    old = keys_of(served)
    new_key(path)
    clue = clue_of(served)
    body = event(clue, "keys")
    by_old = signed_headers(old, "keys", int(time.time()), body)
    assert send(served, body, by_old).status_code == 200
    retire(path)
    assert send(served, body, by_old).status_code == 401
    assert send(served, body, signed(served, body, "keys")).status_code == 200
    path.chmod(0o644)
    reply = send(served, body, signed_headers(old, "keys", int(time.time()), body))
    path.chmod(0o600)
    assert reply.status_code == 401
    assert str(path) not in reply.text


def test_the_stand_in_signs_what_it_reports(served: Served, tmp_path: Path) -> None:
    """Sent twice, once into a lost answer: each clue ends once, as was decided there."""
    clues = [clue_of(served, "B")]
    posts: list[Any] = []

    def post(url: str, **given: Any) -> Any:
        given.pop("timeout")
        posts.append(served.client.post(url, **given))
        posts.append(served.client.post(url, **given))
        return posts[-1]

    with case_system(tmp_path / "cases") as server:
        signs = ("from_cases", keys_of(served))
        work = Work(server.store, "", "", after_seconds=0, days=0, signs=signs, post=post)
        for clue in clues:
            told = {"type": "clues.clue.dispatched.v1", "subject": clue}
            work.taken({**told, "data": {"since": "2025-12-01T09:00:00+08:00"}})
        assert work.report() == len(clues)
    assert {reply.status_code for reply in posts} == {200}
    for clue in clues:
        assert state_of(served.service.ledger, clue)["state"] in ("case_filed", "unfounded")
        assert words_on(served, clue) == 1
