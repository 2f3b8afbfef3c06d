"""The ranking proposes, a dispatcher confirms: all or none, once, within his offices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import Ticking
from queues import TUESDAY, tree, wait, ways

from base.errors import Conflict, NotAllowed, NotFound, Refused
from dispatch.order import ordered_clues
from dispatch.oversight import (
    end_supervision,
    escalate,
    offices_above,
    overdue,
    supervise,
    watched,
)
from dispatch.proposal import confirm, propose, reassign
from dispatch.standing import history, state_of
from dispatch.transition import move
from scoring.ledger import orders

DISPATCHER: dict[str, Any] = {"by": "d", "role": "dispatcher", "offices": None}
SIX = {f"c{at}": float(at) for at in range(6)}


@pytest.fixture
def clock() -> Ticking:
    return Ticking(TUESDAY)


def test_confirmed_clues_are_dispatched_with_their_chances(
    either_ledger: sa.Engine, clock: Ticking
) -> None:
    """State, deadlines and order in one; the order keeps chance, lot and seed."""
    wait(either_ledger, SIX)
    proposed = propose(either_ledger, ways(), "C1", TUESDAY)
    told = confirm(either_ledger, proposed, **DISPATCHER, clock=clock)["dispatched"]
    assert {each["state"] for each in told} == {"dispatched"}
    kept = ordered_clues(either_ledger)
    assert set(kept) == {each.place.clue_id for each in proposed}
    for each in proposed:
        order = kept[each.place.clue_id]
        assert order["seed"] == each.place.seed == "C1 2026-W02"
        assert order["drawing_probability"] == each.place.drawing_probability
        assert order["exploration"] == each.place.exploration
        assert order["accept_until"] == state_of(either_ledger, each.place.clue_id)["accept_until"]
    assert each.as_json()["clue_id"] == each.place.clue_id


def test_one_stale_clue_and_nothing_is_dispatched(either_ledger: sa.Engine, clock: Ticking) -> None:
    """Somebody withdrew one after it was proposed."""
    wait(either_ledger, SIX)
    proposed = propose(either_ledger, ways(), "C1", TUESDAY)
    gone = proposed[-1].place.clue_id
    move(
        either_ledger, gone, "withdrawn", by="x", role="dispatcher", offices=None, expects=None,
        clock=clock, reason="source corrected",
    )  # fmt: skip
    with pytest.raises(Conflict):
        confirm(either_ledger, proposed, **DISPATCHER, clock=clock)
    assert ordered_clues(either_ledger) == {}
    assert state_of(either_ledger, proposed[0].place.clue_id)["state"] == "scored"


def test_the_same_confirmation_again_changes_nothing(
    either_ledger: sa.Engine, clock: Ticking
) -> None:
    """Under one key the same answer; without it, a conflict, for the clues have moved."""
    wait(either_ledger, SIX)
    proposed = propose(either_ledger, ways(), "C1", TUESDAY)
    given: dict[str, Any] = {**DISPATCHER, "clock": clock}
    once = confirm(either_ledger, proposed, **given, idempotency_key="k1")
    assert confirm(either_ledger, proposed, **given, idempotency_key="k1") == once
    with pytest.raises(Conflict):
        confirm(either_ledger, proposed, **given)
    with either_ledger.connect() as connection:
        count = sa.select(sa.func.count()).select_from(orders)
        assert connection.execute(count).scalar_one() == 3


def test_nobody_else_and_nowhere_else(either_ledger: sa.Engine, clock: Ticking) -> None:
    """A reviewer does not dispatch; a dispatcher of D does not reach C's clues; no such office."""
    wait(either_ledger, SIX)
    proposed = propose(either_ledger, ways(), "C1", TUESDAY)
    with pytest.raises(NotAllowed):
        confirm(either_ledger, proposed, by="r", role="reviewer", offices=None, clock=clock)
    with pytest.raises(NotFound):
        confirm(
            either_ledger, proposed, by="d", role="dispatcher", offices={"D", "D1"}, clock=clock
        )
    with pytest.raises(NotFound):
        propose(either_ledger, ways(), "Z", TUESDAY)
    assert ordered_clues(either_ledger) == {}


def test_free_hands_are_offered_to_sisters_only_where_allowed(
    either_ledger: sa.Engine, clock: Ticking
) -> None:
    """C2 has three places and one clue; C1 leaves three below its line. D is another city."""
    wait(either_ledger, SIX)
    wait(either_ledger, {"own": -1.0}, "C2")
    wait(either_ledger, {f"d{at}": 9.0 for at in range(6)}, "D1")
    assert [e.place.clue_id for e in propose(either_ledger, ways(), "C2", TUESDAY)] == ["own"]
    how = ways(balance="within_city", exploration_share=0)
    proposed = propose(either_ledger, how, "C2", TUESDAY)
    told = [(each.place.clue_id, each.from_office) for each in proposed]
    assert told == [("own", None), ("c2", "C1"), ("c1", "C1")]
    confirm(either_ledger, proposed, **DISPATCHER, clock=clock)
    assert state_of(either_ledger, "c2")["office_id"] == "C2"
    assert ordered_clues(either_ledger)["c2"]["office_id"] == "C2"


def test_a_dispatched_clue_goes_to_another_office_with_its_reason(
    either_ledger: sa.Engine, clock: Ticking
) -> None:
    """Returned, triaged, dispatched in one; deadlines begin again; its first order stays."""
    wait(either_ledger, SIX)
    proposed = propose(either_ledger, ways(), "C1", TUESDAY)[:1]
    clue = proposed[0].place.clue_id
    before = confirm(either_ledger, proposed, **DISPATCHER, clock=clock)["dispatched"][0]
    clock.moment += timedelta(days=2)
    given: dict[str, Any] = {**DISPATCHER, "ways": ways(), "clock": clock, "reason": "not ours"}
    with pytest.raises(Conflict):
        reassign(either_ledger, clue, "D1", **given, expects=before["version"] - 1)
    after = reassign(either_ledger, clue, "D1", **given, expects=before["version"])
    assert (after["state"], after["office_id"]) == ("dispatched", "D1")
    assert after["verify_until"] > before["verify_until"]
    assert ordered_clues(either_ledger)[clue]["office_id"] == "C1"
    assert [e["to_state"] for e in history(either_ledger, clue)][-3:] == [
        "returned", "triaged", "dispatched",
    ]  # fmt: skip
    with pytest.raises(Refused, match="another office"):
        reassign(either_ledger, clue, "D1", **given, expects=None)


def test_overdue_clues_climb_the_tree_once_per_deadline(
    either_ledger: sa.Engine, clock: Ticking
) -> None:
    """Accept by Friday: on Saturday the city knows, nine days later the province too; going
    through the list again tells nobody anew."""
    wait(either_ledger, SIX)
    confirm(
        either_ledger, propose(either_ledger, ways(), "C1", TUESDAY)[:1], **DISPATCHER, clock=clock
    )
    assert overdue(either_ledger, None, TUESDAY + timedelta(days=3)) == []
    late = overdue(either_ledger, {"C1"}, TUESDAY + timedelta(days=4))
    assert [(each.deadline, each.days) for each in late] == [("accept", 1)]
    assert overdue(either_ledger, {"D1"}, TUESDAY + timedelta(days=4)) == []
    clock.moment = TUESDAY + timedelta(days=4)
    assert escalate(either_ledger, tree(), clock) == 1
    assert escalate(either_ledger, tree(), clock) == 0
    assert [each["office_id"] for each in watched(either_ledger, None)] == ["C"]
    clock.moment = TUESDAY + timedelta(days=12)
    assert escalate(either_ledger, tree(), clock) == 1
    assert [each["office_id"] for each in watched(either_ledger, {"P"})] == ["P"]
    move(
        either_ledger, late[0].clue_id, "accepted", by="r", role="reviewer", offices=None,
        expects=None, clock=clock,
    )  # fmt: skip
    assert overdue(either_ledger, None, TUESDAY + timedelta(days=12)) == []
    assert overdue(either_ledger, None, TUESDAY + timedelta(days=40))[0].deadline == "verify"


def test_an_office_above_supervises_and_ends_it(either_ledger: sa.Engine, clock: Ticking) -> None:
    """With a reason; not the office itself, not a clue of another subtree, not twice."""
    wait(either_ledger, SIX)
    given: dict[str, Any] = {
        "by": "d", "role": "dispatcher", "own": None, "clock": clock, "reason": "press",
    }  # fmt: skip
    for own in ({"C1"}, {"D", "D1"}):
        with pytest.raises(Refused, match="an office of yours"):
            supervise(either_ledger, tree(), "c1", office_id="C", **{**given, "own": own})
    supervise(either_ledger, tree(), "c1", office_id="C", **given)
    with pytest.raises(Conflict):
        supervise(either_ledger, tree(), "c1", office_id="C", **given)
    with pytest.raises(Refused):
        supervise(either_ledger, tree(), "c1", office_id="C1", **given)
    with pytest.raises(NotFound):
        supervise(either_ledger, tree(), "c1", office_id="D", **given)
    with pytest.raises(Refused, match="reason"):
        supervise(either_ledger, tree(), "c1", office_id="P", **{**given, "reason": " "})
    with pytest.raises(NotAllowed):
        supervise(either_ledger, tree(), "c1", office_id="P", **{**given, "role": "reviewer"})
    seen = watched(either_ledger, {"C"})
    assert [(each["clue_id"], each["kind"], each["handled_by"]) for each in seen] == [
        ("c1", "supervised", "C1")
    ]
    assert end_supervision(either_ledger, "c1", office_id="C", clock=clock, by="d") == 1
    assert end_supervision(either_ledger, "c1", office_id="C", clock=clock, by="d") == 0
    assert watched(either_ledger, None) == []


def test_the_offices_above_one() -> None:
    """As far as the tree reaches."""
    assert offices_above(tree(), "C1", 1) == ["C"]
    assert offices_above(tree(), "C1", 9) == ["C", "P"]
    assert offices_above(tree(), None, 2) == []
