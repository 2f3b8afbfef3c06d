"""The command centre over HTTP: what is proposed is ordered once, within one's own offices."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from served_hamlet import NOON, Served

from base.moment import FixedClock
from clues.register import read_clues
from scoring.audit import verify
from scoring.ledger import orders, watches


@pytest.fixture
def centre(served: Served) -> Served:
    """A hamlet that serves, at noon of a Friday: P is above A (two places a week) and B (one)."""
    served.service.clock = FixedClock(NOON)
    return served


def post(served: Served, path: str, body: Any, who: dict[str, str], key: str | None = None) -> Any:
    headers = {**who, **({"idempotency-key": key} if key else {})}
    return served.client.post(path, content=json.dumps(body), headers=headers)


def get(served: Served, path: str, who: dict[str, str]) -> dict[str, Any]:
    reply = served.client.get(path, headers=who)
    assert reply.status_code == 200, reply.text
    return dict(reply.json())


def proposed(served: Served, office: str, who: dict[str, str]) -> list[dict[str, Any]]:
    found = get(served, f"/v1/proposals?office={office}", who)["proposals"]
    return [{name: each[name] for name in ("clue_id", "version")} for each in found]


def order(served: Served, office: str, who: dict[str, str]) -> list[str]:
    """Dispatch all that is proposed to an office; the clues' ids."""
    chosen = proposed(served, office, who)
    assert post(served, "/v1/orders", {"office": office, "clues": chosen}, who).is_success
    return [each["clue_id"] for each in chosen]


def count(served: Served, table: Any) -> int:
    with served.service.ledger.connect() as connection:
        return len(connection.execute(table.select()).all())


def allow_balance(served: Served) -> None:
    """Offices of one parent may help each other; A has many places."""
    folder = served.home.jurisdiction.folder
    (folder / "dispatch.yaml").write_text("balance: within_city\nexploration_share: 0\n", "utf-8")
    text = (folder / "offices.yaml").read_text("utf-8")
    text = text.replace("parent: P, weekly_capacity: 2", "parent: P, weekly_capacity: 9")
    (folder / "offices.yaml").write_text(text, "utf-8")


def test_what_is_proposed_is_ordered_once_however_often_it_is_sent(centre: Served) -> None:
    """Two places at A: two orders; the same key the same answer, without one a conflict."""
    who = centre.key("dispatcher", "A")
    chosen = proposed(centre, "A", who)
    assert len(chosen) == 2
    body = {"office": "A", "clues": chosen}
    told = [post(centre, "/v1/orders", body, who, "k") for _ in range(2)]
    assert told[0].content == told[1].content
    assert {each["state"] for each in told[0].json()["dispatched"]} == {"dispatched"}
    assert post(centre, "/v1/orders", body, who).status_code == 409
    assert count(centre, orders) == 2
    assert proposed(centre, "A", who) == []
    assert verify(centre.service.ledger).ok


def test_one_that_is_not_proposed_as_it_was_looked_at_and_nothing_is_ordered(
    centre: Served,
) -> None:
    """Another version, one below the line, one of nobody, one of another office: all the same."""
    who = centre.key("dispatcher", "A")
    chosen = proposed(centre, "A", who)
    theirs = proposed(centre, "B", centre.key("dispatcher", "B"))[0]
    strays = ({**chosen[1], "version": 9}, {"clue_id": "0" * 16, "version": 1}, theirs)
    replies = [
        post(centre, "/v1/orders", {"office": "A", "clues": [chosen[0], stray]}, who)
        for stray in strays
    ]
    assert [reply.status_code for reply in replies] == [409, 409, 409]
    assert len({reply.content for reply in replies}) == 1
    twice = post(centre, "/v1/orders", {"office": "A", "clues": chosen + chosen}, who)
    assert twice.status_code == 422
    assert count(centre, orders) == 0


def test_another_offices_week_is_as_unknown_as_none(centre: Served) -> None:
    """A dispatcher of A, on every route that names an office."""
    who = centre.key("dispatcher", "A")
    clue = order(centre, "A", who)[0]
    one = [{"clue_id": "a", "version": 1}]
    for office in ("B", "P", "Z", ""):
        named = {"office_id": office, "expects": "dispatched", "reason": "x"}
        watch = {"office_id": office, "reason": "x"}
        replies = [
            centre.client.get(f"/v1/proposals?office={office}", headers=who),
            post(centre, "/v1/orders", {"office": office, "clues": one}, who),
            post(centre, "/v1/escalations", {"office": office}, who),
            post(centre, f"/v1/clues/{clue}/reassignment", named, who),
            post(centre, f"/v1/clues/{clue}/supervision", watch, who),
        ]
        assert {reply.status_code for reply in replies} == {422}, office
    assert (count(centre, watches), count(centre, orders)) == (0, 2)


def test_free_hands_are_offered_where_the_jurisdiction_allows_and_both_offices_are_ones_own(
    centre: Served,
) -> None:
    """The province sees that A could take B's; A itself is told of no clue of B."""
    province, of_a = centre.key("dispatcher"), centre.key("dispatcher", "A")
    allow_balance(centre)
    told = get(centre, "/v1/workload", province)
    waiting = {each["office_id"]: each for each in told["offices"]}
    assert waiting["B"]["waiting"] - waiting["B"]["proposed"] == 5
    assert told["offers"] == [{"office_id": "A", "could_take": 3, "waiting_at": {"B": 5}}]
    assert get(centre, "/v1/workload", of_a)["offers"] == []
    found = get(centre, "/v1/proposals?office=A", province)["proposals"]
    assert [each["from_office"] for each in found] == [None] * 6 + ["B"] * 3
    assert len(proposed(centre, "A", of_a)) == 6
    order(centre, "A", province)
    theirs = found[-1]["clue_id"]
    path = f"/v1/clues/{theirs}/history"
    assert centre.client.get(path, headers=centre.key("reviewer", "A")).is_success
    assert centre.client.get(path, headers=centre.key("reviewer", "B")).status_code == 404


def test_a_clue_is_given_to_another_office_with_its_reason(centre: Served) -> None:
    """By who covers both; stale, unreasoned and to the same office are told apart."""
    province = centre.key("dispatcher")
    clue = order(centre, "A", province)[0]
    path, body = f"/v1/clues/{clue}/reassignment", {"office_id": "B", "expects": "dispatched"}
    assert post(centre, path, {**body, "reason": " "}, province).status_code == 422
    assert post(centre, path, {**body, "reason": "x", "expects": 1}, province).status_code == 409
    moved = [post(centre, path, {**body, "reason": "theirs"}, province, "k") for _ in range(2)]
    assert moved[0].content == moved[1].content
    assert (moved[0].json()["state"], moved[0].json()["office_id"]) == ("dispatched", "B")
    again = post(centre, path, {**body, "reason": "x"}, province)
    assert (again.status_code, again.json()["faults"][0]["where"]) == (422, "office_id")
    of_a = centre.key("dispatcher", "A")
    assert post(centre, path, {**body, "office_id": "A", "reason": "x"}, of_a).status_code == 404


def test_an_office_supervises_in_its_own_name_alone(centre: Served) -> None:
    """P looks on at a clue of A; A sees that, B does not; then P ends it. A cannot speak for P."""
    province, of_a = centre.key("dispatcher"), centre.key("dispatcher", "A")
    clue = order(centre, "A", province)[0]
    path = f"/v1/clues/{clue}/supervision"
    assert post(centre, path, {"office_id": "P", "reason": "press"}, of_a).status_code == 422
    assert post(centre, path, {"office_id": "A", "reason": "x"}, of_a).status_code == 422
    assert post(centre, path, {"office_id": "P", "reason": " "}, province).status_code == 422
    begun = post(centre, path, {"office_id": "P", "reason": "press"}, province)
    assert (begun.status_code, begun.json()["kind"]) == (200, "supervised")
    assert post(centre, path, {"office_id": "P", "reason": "x"}, province).status_code == 409
    seen = get(centre, "/v1/watches", centre.key("reviewer", "A"))["watches"]
    assert [(each["clue_id"], each["office_id"], each["handled_by"]) for each in seen] == [
        (clue, "P", "A")
    ]
    assert get(centre, "/v1/watches", centre.key("reviewer", "B"))["watches"] == []
    ended = [post(centre, path, {"office_id": "P", "step": "end"}, province) for _ in range(2)]
    assert [reply.json()["ended"] for reply in ended] == [1, 0]


def test_overdue_clues_come_before_the_office_above_once(centre: Served) -> None:
    """Of one's own offices alone; nothing before the deadline."""
    province, of_b = centre.key("dispatcher"), centre.key("dispatcher", "B")
    clues = order(centre, "A", province)
    assert get(centre, "/v1/overdue", province)["overdue"] == []
    centre.service.clock = FixedClock(datetime(2026, 1, 12))
    late = get(centre, "/v1/overdue", centre.key("reviewer", "A"))["overdue"]
    assert sorted(each["clue_id"] for each in late) == sorted(clues)
    assert get(centre, "/v1/overdue?limit=1", province)["overdue"] == late[:1]
    assert get(centre, "/v1/overdue", of_b)["overdue"] == []
    assert post(centre, "/v1/escalations", {"office": "B"}, of_b).json() == {"escalated": 0}
    told = [post(centre, "/v1/escalations", {"office": "P"}, province).json() for _ in range(2)]
    assert told == [{"escalated": 2}, {"escalated": 0}]
    assert {each["kind"] for each in get(centre, "/v1/watches", province)["watches"]} == {
        "escalated"
    }
    assert read_clues(centre.home).num_rows == 12
