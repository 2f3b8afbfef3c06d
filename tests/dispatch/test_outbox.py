"""The outbox: a message is there if and only if what it tells was kept; each clue in its order."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import DAY, Ticking, stand, walk
from queues import tree

from base.errors import Conflict, NotFound
from dispatch.exchange.destinations import KINDS
from dispatch.exchange.envelope import body_of, envelope
from dispatch.exchange.outbox import (
    counts,
    due,
    forget_delivered,
    listed,
    send_again,
    settle,
    skip,
    subscribe,
)
from dispatch.oversight import end_supervision, supervise
from dispatch.transition import move
from scoring.audit import verify
from scoring.ledger import outbox

LATER = DAY + timedelta(days=1)


@pytest.fixture
def told(either_ledger: sa.Engine) -> sa.Engine:
    """A ledger with three clues that stand, and a case system that wants all of it."""
    stand(either_ledger, ["a", "b", "c"])
    subscribe(either_ledger, {"cases": KINDS}, Ticking())
    return either_ledger


def rows(ledger: sa.Engine) -> list[dict[str, Any]]:
    with ledger.connect() as connection:
        query = sa.select(outbox).order_by(outbox.c.message_no)
        return [dict(row) for row in connection.execute(query).mappings()]


def due_now(ledger: sa.Engine) -> list[tuple[str, str]]:
    with ledger.connect() as connection:
        return [(row["clue_id"], row["kind"]) for row in due(connection, "cases", LATER, 100)]


def test_a_message_stands_and_falls_with_what_it_tells(told: sa.Engine) -> None:
    """A move that is undone after its message was written leaves none; one that stays, one."""
    given: dict[str, Any] = {
        "by": "k", "role": "dispatcher", "offices": None, "expects": None, "clock": Ticking(),
    }  # fmt: skip

    def fail(connection: sa.Connection, row: Any) -> None:
        raise RuntimeError("the power went")

    with pytest.raises(RuntimeError):
        move(told, "a", "triaged", **given, also=fail)
    with pytest.raises(Conflict):
        move(told, "a", "accepted", **given)
    assert rows(told) == []
    move(told, "a", "triaged", **given, idempotency_key="k1")
    move(told, "a", "triaged", **given, idempotency_key="k1")
    (row,) = rows(told)
    assert (row["kind"], row["clue_id"], row["state"]) == ("clue.triaged", "a", "waiting")
    assert row["data"]["version"] == 2


def test_who_did_not_ask_is_told_nothing(either_ledger: sa.Engine) -> None:
    """Nothing before a destination is subscribed, of kinds it does not want, after it ended."""
    stand(either_ledger, ["a", "b", "c"])
    walk(either_ledger, "a", "verifying")
    subscribe(either_ledger, {"one": ["clue.accepted"], "two": ["clue.verifying"]}, Ticking())
    walk(either_ledger, "b", "verifying")
    subscribe(either_ledger, {"two": ["clue.verifying"]}, Ticking())
    walk(either_ledger, "c", "verifying")
    assert [(row["destination"], row["clue_id"], row["kind"]) for row in rows(either_ledger)] == [
        ("one", "b", "clue.accepted"), ("two", "b", "clue.verifying"),
        ("two", "c", "clue.verifying"),
    ]  # fmt: skip


def test_of_each_clue_the_first_that_is_not_settled_is_due(told: sa.Engine) -> None:
    """A dead one holds back its own clue alone, until it is tried again or skipped."""
    for clue in "ab":
        walk(told, clue, "accepted")
    assert due_now(told) == [("a", "clue.triaged"), ("b", "clue.triaged")]
    first, second = (row for row in rows(told) if row["kind"] == "clue.triaged")
    settle(told, first["message_no"], state="delivered", settled_at=DAY)
    settle(told, second["message_no"], state="dead", settled_at=DAY)
    assert due_now(told) == [("a", "clue.dispatched")]
    assert [each["message_id"] for each in listed(told, ["dead"])] == [second["message_id"]]
    assert counts(told, LATER)["cases"]["dead"] == 1
    assert send_again(told, second["message_id"], Ticking()) == 1
    assert due_now(told) == [("a", "clue.dispatched"), ("b", "clue.triaged")]
    settle(told, second["message_no"], state="dead", settled_at=DAY)
    assert skip(told, second["message_id"], by="Li", clock=Ticking()) == 1
    assert due_now(told) == [("a", "clue.dispatched"), ("b", "clue.dispatched")]
    assert send_again(told, "all", Ticking()) == 0
    with pytest.raises(NotFound):
        send_again(told, first["message_id"], Ticking())
    assert verify(told).ok


def test_what_is_settled_is_not_settled_again(told: sa.Engine) -> None:
    """A worker that was thought dead comes back with an old answer: it changes nothing."""
    walk(told, "a", "triaged")
    number = rows(told)[0]["message_no"]
    settle(told, number, state="delivered", settled_at=DAY)
    settle(told, number, state="waiting", next_at=LATER)
    assert rows(told)[0]["state"] == "delivered"
    assert forget_delivered(told, DAY) == 0
    assert forget_delivered(told, LATER) == 1


def test_no_reason_no_fact_and_no_author_leaves_the_house(told: sa.Engine) -> None:
    """Of a move: where the clue stands. Of a supervision: who looks on."""
    walk(told, "a", "verifying")
    given: dict[str, Any] = {"offices": None, "expects": None, "clock": Ticking()}
    move(told, "a", "unfounded", by="KEYID", role="reviewer", reason="SECRET Wang", **given)
    stand(told, ["d"], "C1")
    supervise(
        told, tree(), "d", office_id="C", by="KEYID", role="dispatcher", own=None,
        clock=Ticking(), reason="SECRET",
    )  # fmt: skip
    end_supervision(told, "d", office_id="C", clock=Ticking(), by="KEYID")
    kept = rows(told)
    assert [row["kind"] for row in kept][-3:] == [
        "clue.unfounded", "clue.supervised", "clue.supervision_ended",
    ]  # fmt: skip
    sent = json.dumps([envelope(row, source="s", timezone="UTC") for row in kept])
    for word in ("SECRET", "Wang", "KEYID"):
        assert word not in sent + json.dumps(kept, default=str)


def test_the_envelope_is_a_cloud_event_of_the_same_bytes_each_time(told: sa.Engine) -> None:
    """Required attributes, times with the jurisdiction's offset, the version as sequence."""
    walk(told, "a", "dispatched")
    row = rows(told)[1]
    event = envelope(row, source="clues/anhui", timezone="Asia/Shanghai")
    assert (event["specversion"], event["id"]) == ("1.0", row["message_id"])
    assert (event["type"], event["subject"]) == ("clues.clue.dispatched.v1", "a")
    assert event["time"].endswith("+08:00")
    assert event["data"]["accept_until"].endswith("+08:00")
    assert event["sequence"] == "0000000003"
    again = envelope(rows(told)[1], source="clues/anhui", timezone="Asia/Shanghai")
    assert body_of(event) == body_of(again)
    assert json.loads(body_of(event)) == event
