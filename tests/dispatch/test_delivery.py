"""Delivery: taken once and in order, tried again later and later, given up, never redirected."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from ledgers import DAY, Ticking, new_ledger, stand, walk
from receiving import KEY, answering, case_system, declare, delivery, listening

from base.errors import Conflict, NotReady, Refused
from base.moment import FixedClock
from dispatch.exchange.destinations import Destination, load_exchange
from dispatch.exchange.outbox import counts, listed, send_again
from dispatch.exchange.signature import signed_headers
from dispatch.exchange.worker import deliver_once, only_worker
from experiments.case_system.store import Store
from governance.home import Home
from governance.jurisdiction import load_jurisdiction
from scoring.ledger import open_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> sa.Engine:
    ledger = new_ledger("sqlite", tmp_path, "")
    stand(ledger, [f"c{at}" for at in range(6)])
    return ledger


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(DAY + timedelta(hours=1))


def move_all(ledger: sa.Engine, until: str = "verifying") -> int:
    for at in range(6):
        walk(ledger, f"c{at}", until)
    return 6 * (["triaged", "dispatched", "accepted", "verifying"].index(until))


def require_in_order(store: Store, wanted: int) -> None:
    """Every message kept once, and of each clue by its version."""
    kept = store.messages()
    assert len(kept) == wanted
    by_clue: dict[str, list[str]] = defaultdict(list)
    for row in kept:
        by_clue[row["clue_id"]].append(row["sequence"])
    assert all(told == sorted(set(told)) for told in by_clue.values())


def test_all_is_taken_in_order_despite_faults_and_lost_answers(
    ledger: sa.Engine, clock: FixedClock, tmp_path: Path
) -> None:
    """A third is not kept, another third is kept and answered 500: sent again under its id."""
    with case_system(tmp_path / "cases", faults=0.33, lost_answers=0.33) as server:
        sending = delivery(ledger, clock, server.server_address[1])
        wanted, rounds = move_all(ledger), 0
        while counts(ledger, clock.now())["cases"]["waiting"]:
            sending.once()
            clock.moment += timedelta(hours=1)
            rounds += 1
        require_in_order(server.store, wanted)
        assert rounds > 1
        assert sum(row["doubles"] for row in server.store.messages()) > 0
        assert {row["state"] for row in server.store.export()} == {"verifying"}


def test_faults_are_tried_later_and_later_then_dead_then_taken_again(
    ledger: sa.Engine, clock: FixedClock, tmp_path: Path
) -> None:
    """Doubled up to an hour; dead after its hours; `again` sends it, and those it held back."""
    with listening(answering(500, {}, b"")) as bad:
        sending = delivery(ledger, clock, bad.server_address[1], give_up_hours=6)
        walk(ledger, "c0", "accepted")
        waits = []
        while not counts(ledger, clock.now())["cases"]["dead"]:
            sending.once()
            row = listed(ledger, ["waiting", "dead"])[0]
            waits.append((_moment(row["next_at"]) - clock.now()).total_seconds())
            clock.moment = _moment(row["next_at"])
    assert waits[:11] == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600]
    assert (row["state"], row["said"], row["attempts"]) == ("dead", "500", len(waits))
    assert _moment(row["next_at"]) - DAY > timedelta(hours=5)
    with case_system(tmp_path / "cases") as server:
        sending = delivery(ledger, clock, server.server_address[1])
        assert sending.once()["delivered"] == 0
        send_again(ledger, row["message_id"], clock)
        assert sending.once()["delivered"] == 2
        require_in_order(server.store, 2)


def _moment(text: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(text)


def test_nobody_there_costs_a_few_attempts_and_not_one_for_each_message(
    ledger: sa.Engine, clock: FixedClock
) -> None:
    """Nothing listens: as many are tried as are sent at once, the rest is left alone."""
    with listening(answering(200, {}, b"")) as gone:
        port = gone.server_address[1]
    sending = delivery(ledger, clock, port, parallel=2)
    move_all(ledger)
    assert sending.once() == {"delivered": 0, "failed": 2, "dead": 0}
    assert sorted(row["attempts"] for row in listed(ledger, ["waiting"]))[-3:] == [0, 1, 1]


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 410, 429, 503])
def test_only_2xx_is_an_answer_and_no_redirect_is_followed(
    ledger: sa.Engine, clock: FixedClock, status: int
) -> None:
    """Whatever else it says, the message waits."""
    with (
        listening(answering(204, {}, b"")) as trap,
        listening(
            answering(status, {"location": f"http://127.0.0.1:{trap.server_address[1]}/x"}, b"")
        ) as server,
    ):
        sending = delivery(ledger, clock, server.server_address[1])
        walk(ledger, "c0", "dispatched")
        assert sending.once() == {"delivered": 0, "failed": 1, "dead": 0}
        assert (len(server.asked), trap.asked) == (1, [])
        assert listed(ledger, ["waiting"])[0]["said"] == str(status)


def test_an_answer_without_end_is_cut_off(ledger: sa.Engine, clock: FixedClock) -> None:
    """30 MB in answer to a message: read to the bound, and it is an answer."""
    with listening(answering(200, {}, b"x" * 30_000_000)) as server:
        sending = delivery(ledger, clock, server.server_address[1])
        walk(ledger, "c0", "dispatched")
        assert sending.once()["delivered"] == 1


def test_who_answers_too_slowly_did_not_answer(
    ledger: sa.Engine, clock: FixedClock, tmp_path: Path
) -> None:
    """An attempt ends after its time; what was kept all the same is kept once."""
    with case_system(tmp_path / "cases", slow_seconds=0.4) as slow:
        sending = delivery(ledger, clock, slow.server_address[1], seconds=0.2)
        walk(ledger, "c0", "dispatched")
        assert sending.once() == {"delivered": 0, "failed": 1, "dead": 0}
        assert listed(ledger, ["waiting"])[0]["said"] == "TimeoutError"
        sending = delivery(ledger, clock, slow.server_address[1], seconds=5)
        clock.moment += timedelta(hours=1)
        assert sending.once()["delivered"] == 1
        require_in_order(slow.store, 1)


def test_an_unsigned_or_changed_message_is_not_taken(tmp_path: Path) -> None:
    """By the stand-in, as any receiver should: 401, and nothing kept."""
    body = b'{"id": "m1"}'
    good = signed_headers([KEY], "m1", int(time.time()), body)
    with case_system(tmp_path / "cases") as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/events"
        for headers, content in (
            ({}, body),
            (good, body + b" "),
            ({**good, "webhook-id": "x"}, body),
        ):
            assert httpx.post(url, content=content, headers=headers).status_code == 401
        assert server.store.messages() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://cases.example/events", "ftp://cases.example", "https://a:b@cases.example/",
        "https://cases.example/#x", "//cases.example", "https://", "file:///etc/passwd",
        "http://127.0.0.1.cases.example/", "http://localhost/", "https://cases.example/a b",
        "https://cases.example/\n",
    ],
)  # fmt: skip
def test_an_unsafe_address_is_refused_when_it_is_declared(url: str) -> None:
    """TLS, or this machine; nobody's password."""
    with pytest.raises(ValueError, match="url"):
        Destination(name="cases", url=url)
    assert Destination(name="cases", url="https://cases.example/events?a=1").parallel == 4


def test_the_worker_reads_destinations_and_keys_of_the_home(
    tmp_path: Path, clock: FixedClock
) -> None:
    """None declared, no key, twice the same name: told; else what happens from now on is sent."""
    import hamlet

    home = Home.create(tmp_path / "home", load_jurisdiction(hamlet.write_hamlet(tmp_path / "h")))
    with pytest.raises(NotReady, match=r"exchange\.yaml"):
        deliver_once(home, clock)
    key = declare(home, 1)
    text = (home.jurisdiction.folder / "exchange.yaml").read_text()
    (home.jurisdiction.folder / "exchange.yaml").write_text(text + text[text.index("  - ") :])
    with pytest.raises(Refused, match="each name once"):
        load_exchange(home)
    ledger = open_ledger(home.ledger_url)
    stand(ledger, ["a"])
    with listening(answering(204, {}, b"")) as server:
        declare(home, server.server_address[1])
        key.rename(key.with_suffix(".away"))
        with pytest.raises(NotReady, match="clues webhook-key cases"):
            deliver_once(home, clock)
        key.with_suffix(".away").rename(key)
        deliver_once(home, clock)
        walk(ledger, "a", "dispatched")
        told = deliver_once(home, clock)
        assert (told["delivered"], told["destinations"]["cases"]["delivered"]) == (1, 1)
        with only_worker(ledger), pytest.raises(Conflict):
            deliver_once(home, clock)


def test_one_worker_at_a_time_on_either_database(either_ledger: sa.Engine) -> None:
    """The second is told; after the first another may."""
    with only_worker(either_ledger), pytest.raises(Conflict), only_worker(either_ledger):
        pass
    with only_worker(either_ledger):
        assert counts(either_ledger, Ticking().now()) == {}
