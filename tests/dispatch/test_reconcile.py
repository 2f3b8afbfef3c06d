"""Both sides compared: every kind of difference by name, nothing changed unless asked for."""

from __future__ import annotations

import json
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import hamlet
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from ledgers import WAY
from receiving import KEY, case_system, delivery

from base.errors import NotReady, Refused
from base.moment import FixedClock
from clues.register import read_clues
from dispatch.exchange.difference import Side, difference
from dispatch.exchange.outbox import listed, settle
from dispatch.exchange.reconcile import reconcile
from dispatch.life_cycle import STATES, WORDS
from dispatch.standing import mark_scored, register, state_of
from dispatch.transition import move
from governance.home import Home
from scoring.audit import verify
from scoring.ledger import open_ledger, outbox, writing

NOW, TOMORROW = FixedClock(datetime(2026, 1, 5, 9)), FixedClock(datetime(2026, 1, 6, 9))
moments = st.one_of(st.none(), st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 3)))
sides = st.one_of(st.none(), st.builds(Side, st.sampled_from((*STATES, "odd")), moments))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Eight clues that stand as scored, and a case system (that is not there) told from now on."""
    home = hamlet.settled_hamlet(tmp_path, NOW, persons=8)
    ledger, clues = open_ledger(home.ledger_url), read_clues(home)
    with writing(ledger) as connection:
        register(connection, clues, at=NOW.now())
        mark_scored(connection, clues["clue_id"].to_pylist(), at=NOW.now())
    delivery(ledger, NOW, 9)
    return home


def ids(home: Home) -> list[str]:
    return sorted(read_clues(home)["clue_id"].to_pylist())


def step(home: Home, clue: str, to: str, **facts: Any) -> None:
    """One move; the outbox is emptied as if all of it was taken."""
    ledger = open_ledger(home.ledger_url)
    move(
        ledger, clue, to, by="k", role=WAY.get(to, "reviewer"), offices=None, expects=None,
        clock=NOW, reason="found nothing" if to == "unfounded" else "", facts=facts,
    )  # fmt: skip
    with ledger.connect() as connection:
        numbers = connection.execute(sa.select(outbox.c.message_no)).scalars().all()
    for number in numbers:
        settle(ledger, number, state="delivered", settled_at=NOW.now())


def walk(home: Home, clue: str, until: str) -> None:
    for to in [*WAY, "unfounded"]:
        step(home, clue, to)
        if to == until:
            return


def export(folder: Path, rows: list[dict[str, Any]]) -> str:
    path = folder / "export.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def kinds(told: dict[str, Any]) -> dict[str, str]:
    return {each["clue_id"]: each["kind"] for each in told["differences"]}


def test_every_kind_is_named_with_its_cure_and_taken_when_asked_for(
    home: Home, tmp_path: Path
) -> None:
    """Two that agree, and one clue of each kind; after --take only what persons settle is left."""
    a, b, c, d, e, f, g, _ = ids(home)
    for clue, until in ((a, "accepted"), (b, "verifying"), (c, "accepted"), (d, "unfounded"),
                        (e, "dispatched"), (f, "unfounded"), (g, "dispatched")):  # fmt: skip
        walk(home, clue, until)
    rows = [
        {"clue_id": a, "state": "accepted"},
        {"clue_id": b, "state": "case_filed", "decided_at": "2026-01-04"},
        {"clue_id": c, "state": "verifying"},
        {"clue_id": d, "state": "verifying"},
        {"clue_id": f, "state": "unfounded", "decided_at": "2026-01-03"},
        {"clue_id": g, "state": "dispatched"},
        {"clue_id": g, "state": "accepted"},
        {"clue_id": "nobodys", "state": "accepted"},
    ]  # fmt: skip
    path = export(tmp_path, rows)
    ledger = open_ledger(home.ledger_url)
    told = reconcile(home, path, NOW)
    assert not told["ok"]
    assert kinds(told) == {
        b: "ended_there", c: "behind_here", d: "ended_here", e: "missing_there",
        f: "date_differs", "nobodys": "unknown_here",
    }  # fmt: skip
    assert told["doubled_there"] == [g]
    assert all(each["do"] for each in told["differences"])
    assert listed(ledger, ["waiting"]) == []
    assert state_of(ledger, b)["state"] == "verifying"
    with pytest.raises(Refused, match="who takes"):
        reconcile(home, path, NOW, take=True)
    taken = reconcile(home, path, TOMORROW, take=True, by="Li")["taken"]
    assert taken == {"admitted": 2, "refused": [], "told_again": 2}
    assert state_of(ledger, b)["state"] == "case_filed"
    assert kinds(reconcile(home, path, NOW)) == {
        c: "behind_here", d: "on_its_way", e: "on_its_way", "nobodys": "unknown_here",
    }  # fmt: skip
    (first, *_) = listed(ledger, ["waiting"])
    with ledger.begin() as connection:
        connection.execute(
            sa.update(outbox).where(outbox.c.message_id == first["message_id"]).values(state="dead")
        )
    assert kinds(reconcile(home, path, NOW))[first["clue_id"]] == "held_back"
    assert verify(ledger).ok


def test_a_side_that_was_told_all_says_the_same(home: Home, tmp_path: Path) -> None:
    """The stand-in is told, works, reports; its export, fetched over HTTP, differs in nothing."""
    from experiments.case_system.work import Work

    ledger = open_ledger(home.ledger_url)
    with case_system(tmp_path / "cases") as server:
        port = server.server_address[1]
        work = Work(server.store, "", "", after_seconds=0, case_share=0.5, days=0.01)
        server.taken = work.taken
        sending = delivery(ledger, NOW, port)
        for clue in ids(home)[:3]:
            for to in ("triaged", "dispatched"):
                move(ledger, clue, to, by="k", role="dispatcher", offices=None, expects=None,
                     clock=NOW)  # fmt: skip
        sending.once()
        address = f"http://127.0.0.1:{port}/export"
        assert reconcile(home, address, NOW)["ok"]
        due = server.store.to_report(time.time() + 1)
        assert len(due) == 3
        for row in due:
            server.store.reported(row["clue_id"])  # it says so, and we never heard
        told = reconcile(home, address, NOW)
        assert set(kinds(told).values()) == {"ended_there"}
        assert reconcile(home, address, NOW, take=True, by="Li")["taken"]["admitted"] == 3
        assert reconcile(home, address, NOW)["ok"]
        with pytest.raises(NotReady, match="404"):
            reconcile(home, f"http://127.0.0.1:{port}/nothing", NOW)
        assert KEY not in json.dumps(told).encode()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("clue_id\na\n", "the column state"),
        ("clue_id,state,decided_at\na,unfounded,soon\n", "row 2"),
        ("clue_id,state\n,accepted\n", "row 2"),
    ],
)
def test_an_export_that_cannot_be_read_is_refused(
    home: Home, tmp_path: Path, text: str, wanted: str
) -> None:
    """With its place, and nothing of it quoted."""
    (tmp_path / "x.csv").write_text(text, "utf-8")
    with pytest.raises(Refused, match=wanted) as refused:
        reconcile(home, str(tmp_path / "x.csv"), NOW)
    assert "soon" not in str(refused.value)


def test_an_address_that_is_not_safe_is_refused(home: Home) -> None:
    """As one of exchange.yaml would be."""
    with pytest.raises(Refused, match=r"127\.0\.0\.1"):
        reconcile(home, "http://cases.example/export", NOW)


@given(ours=sides, theirs=sides, unsettled=st.sampled_from([None, "waiting", "dead"]))
def test_a_difference_always_has_a_cure_and_equal_sides_have_none(
    ours: Side | None, theirs: Side | None, unsettled: str | None
) -> None:
    """Laws: equal known sides never differ; what is admitted is a word with a date; nothing is
    restated that we do not know."""
    if ours is None and theirs is None:
        return
    found = difference("c", ours, theirs, unsettled, by_day=True)
    if ours == theirs and ours is not None and ours.state in STATES:
        assert found is None
    if found is not None:
        assert found.do
        if found.take == "admit":
            assert theirs is not None
            assert theirs.state in WORDS
            assert theirs.decided_at is not None
        if found.take == "restate":
            assert ours is not None
            assert unsettled is None
