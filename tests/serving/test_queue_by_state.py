"""GET /v1/queue?state=: ranked clues in a state, those in hand by deadline; own offices only."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from served_hamlet import NOON, Served

from base.moment import FixedClock
from dispatch.queue_by_state import STATES
from dispatch.transition import move


def queue(served: Served, query: str = "", office: str | None = None) -> dict[str, Any]:
    headers = served.kept_key("dispatcher", office)
    reply = served.client.get(f"/v1/queue{query}", headers=headers)
    assert reply.status_code == 200, reply.text
    told: dict[str, Any] = reply.json()
    return told


def walk(served: Served, clue: str, *states: str, day: int = 0) -> None:
    clock = FixedClock(NOON + timedelta(days=day))
    for state in states:
        role = "dispatcher" if state in ("triaged", "dispatched") else "reviewer"
        move(served.service.ledger, clue, state, by="x", role=role, offices=None, expects=None,
             clock=clock, reason="")  # fmt: skip


@pytest.fixture
def moved(served: Served) -> tuple[Served, list[str]]:
    """Of A's six clues in the order of the queue: two triaged, one dispatched on a later day than
    another, one accepted."""
    served.service.clock = FixedClock(NOON + timedelta(days=5))
    own = [each["clue_id"] for each in queue(served, office="A")["clues"]]
    for clue in own[:2]:
        walk(served, clue, "triaged")
    walk(served, own[2], "triaged", "dispatched", day=4)
    walk(served, own[3], "triaged", "dispatched")
    walk(served, own[4], "triaged", "dispatched", "accepted")
    return served, own


def test_the_states_part_the_open_clues_in_the_order_of_the_queue(
    moved: tuple[Served, list[str]],
) -> None:
    """Law: over the waiting states the answers are the queue itself, with every field of it and in
    its order; what is in hand has a deadline, the nearest first, and no place."""
    served, own = moved
    whole = queue(served)
    by_state = {state: queue(served, f"?state={state}") for state in STATES}
    waiting = {
        each["clue_id"]: each
        for state in ("raised", "scored", "triaged", "returned")
        for each in by_state[state]["clues"]
    }
    assert waiting.keys() == {each["clue_id"] for each in whole["clues"]}
    for each in whole["clues"]:
        assert waiting[each["clue_id"]].items() >= each.items()
    order = [each["clue_id"] for each in whole["clues"]]
    assert len(by_state["scored"]["clues"]) == 7
    for state in ("scored", "triaged"):
        ids = [each["clue_id"] for each in by_state[state]["clues"]]
        assert ids == sorted(ids, key=order.index)
        assert {each["state"] for each in by_state[state]["clues"]} == {state}
    in_hand = by_state["dispatched"]["clues"]
    assert [each["clue_id"] for each in in_hand] == [own[3], own[2]]
    assert in_hand[0]["due"] < in_hand[1]["due"]
    assert {(each["rank"], each["within_capacity"]) for each in in_hand} == {(None, False)}
    assert by_state["accepted"]["clues"][0].keys() == waiting[own[0]].keys()
    for told in by_state.values():
        assert (told["total"], told["capacity"]) == (whole["total"], whole["capacity"])


@pytest.mark.parametrize(("state", "count"), [("scored", 7), ("dispatched", 2)])
def test_pages_of_a_state_follow_each_other(
    moved: tuple[Served, list[str]], state: str, count: int
) -> None:
    """One at a time the same as all at once; a cursor of nothing is refused."""
    served, _ = moved
    wanted = [each["clue_id"] for each in queue(served, f"?state={state}")["clues"]]
    seen, query = list[str](), f"?state={state}&limit=1"
    cursor: str | None = ""
    while cursor is not None:
        page = queue(served, query + (f"&cursor={cursor}" if cursor else ""))
        seen += [each["clue_id"] for each in page["clues"]]
        cursor = page["next_cursor"]
    assert seen == wanted
    assert len(seen) == count
    headers = served.kept_key("dispatcher")
    for odd in ("x", "WzAsLTUsIiJd", "WzAsMWUzMCwiIl0="):
        reply = served.client.get(f"/v1/queue?state={state}&cursor={odd}", headers=headers)
        assert reply.status_code in ((422,) if odd == "x" or state == "dispatched" else (200,))


def test_a_state_is_told_of_own_offices_and_chosen_models_only(
    moved: tuple[Served, list[str]],
) -> None:
    """P-10: B reads nothing of A's; a state in which no open clue is, is refused."""
    served, _ = moved
    assert queue(served, "?state=dispatched", "B")["clues"] == []
    assert len(queue(served, "?state=dispatched", "A")["clues"]) == 2
    assert len(queue(served, "?state=dispatched&function=public_interest")["clues"]) == 2
    headers = served.kept_key("dispatcher")
    for odd in ("case_filed", "split", "nonsense", "A" * 21):
        assert served.client.get(f"/v1/queue?state={odd}", headers=headers).status_code == 422
