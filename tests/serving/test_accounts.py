"""Local accounts: who is let in, how often one may guess, and when a session ends."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from served_hamlet import Served

from base.errors import CluesError, Conflict, Refused
from scoring.audit import verify
from scoring.ledger.tables import accounts, console_sessions
from serving import accounts as local
from serving import passwords, sessions
from serving.console import sign_in as console

NOW = datetime(2026, 1, 5, 9)


class Standing:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.moment = NOW

    def now(self) -> datetime:
        return self.moment

    def wait(self, **time: float) -> None:
        self.moment += timedelta(**time)


@pytest.fixture
def clock() -> Standing:
    return Standing()


def enter(ledger: sa.Engine, login: str, password: str, clock: Standing) -> str | None:
    """What the cookie would hold; None: not let in."""
    try:
        return sessions.sign_in(ledger, login, password, clock)[0]
    except sessions.WrongPassword:
        return None


def test_a_password_lets_in_the_one_it_was_made_for(
    either_ledger: sa.Engine, clock: Standing
) -> None:
    """However the name is written; a name is taken once; the ledger keeps neither password nor
    cookie; each sign-in stands in the audit."""
    made = local.create(
        either_ledger, " Li.Ming ", role="reviewer", office_id="A", clock=clock, holder="李明"
    )
    assert made["login"] == "li.ming"
    token = enter(either_ledger, "ＬＩ．ming", made["password"], clock)
    assert token is not None
    for login, password in (("li.ming", made["password"] + "x"), ("li", made["password"])):
        assert enter(either_ledger, login, password, clock) is None
    with pytest.raises(Conflict):
        local.create(either_ledger, "LI.MING", role="reviewer", office_id=None, clock=clock)
    with either_ledger.connect() as connection:
        kept = connection.execute(sa.select(accounts)).mappings().one()
        session = connection.execute(sa.select(console_sessions)).mappings().one()
    assert kept["password"].startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert made["password"] not in str(dict(kept))
    assert token not in str(dict(session))
    assert verify(either_ledger).rows == 2


@pytest.mark.parametrize("fault", [{"login": "a"}, {"login": "a b"}, {"role": "king"}])
def test_an_account_wants_a_plain_name_and_a_role_of_ours(
    either_ledger: sa.Engine, clock: Standing, fault: dict[str, str]
) -> None:
    """Nothing is kept of one that is refused."""
    asked = {"login": "wang", "role": "steward", **fault}
    with pytest.raises(Refused):
        local.create(either_ledger, asked["login"], role=asked["role"], office_id=None, clock=clock)
    assert local.list_accounts(either_ledger, clock) == []


def test_five_failures_lock_a_name_for_a_while_also_when_they_come_at_once(
    either_ledger: sa.Engine, clock: Standing
) -> None:
    """Of twenty guesses at once five are tried; then even the right password waits."""
    right = local.create(either_ledger, "wang", role="steward", office_id=None, clock=clock)
    tried: list[bool] = []
    counting = local.counted

    def noted(*asked: Any) -> Any:
        told = counting(*asked)
        tried.append(told[1])
        return told

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(8) as pool:
        patch.setattr(sessions, "counted", noted)
        guesses = [pool.submit(enter, either_ledger, "wang", "x" * 14, clock) for _ in range(20)]
        assert [each.result() for each in guesses] == [None] * 20
    assert sum(tried) == local.FAILURES
    assert enter(either_ledger, "wang", right["password"], clock) is None
    assert local.list_accounts(either_ledger, clock)[0]["locked"]
    clock.wait(minutes=local.LOCKED_MINUTES)
    assert enter(either_ledger, "wang", right["password"], clock) is not None
    assert enter(either_ledger, "wang", "x" * 14, clock) is None
    assert not local.list_accounts(either_ledger, clock)[0]["locked"]


def test_an_unknown_name_costs_the_work_of_a_known_one(
    either_ledger: sa.Engine, clock: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same hash is computed whether the name is known, locked, disabled or nobody's."""
    local.create(either_ledger, "wang", role="steward", office_id=None, clock=clock)
    local.create(either_ledger, "gone", role="steward", office_id=None, clock=clock)
    local.disable(either_ledger, "gone", clock=clock)
    hashed: list[str] = []
    real = passwords._hasher

    class Counting:
        def hash(self, password: str) -> str:
            return real.hash(password)

        def verify(self, kept: str, password: str) -> bool:
            hashed.append(kept[:30])
            return real.verify(kept, password)

    monkeypatch.setattr(passwords, "_hasher", Counting())
    for login in ("wang", "gone", "nobody", "\x00", "x" * 10_000):
        assert enter(either_ledger, login, "no password of theirs", clock) is None
    assert hashed == ["$argon2id$v=19$m=19456,t=2,p=1"] * 5


@pytest.fixture
def entered(served: Served) -> tuple[Served, Standing, str]:
    """A service, its clock, and the password of `wang`, a steward."""
    clock = Standing()
    served.service.clock = clock
    made = local.create(served.service.ledger, "wang", role="steward", office_id=None, clock=clock)
    return served, clock, made["password"]


def status(served: Served) -> int:
    reply = served.client.get("/console/account", follow_redirects=False)
    assert reply.status_code in (200, 303)
    return reply.status_code


def test_a_session_ends_with_time_by_signing_out_and_with_its_account(
    entered: tuple[Served, Standing, str],
) -> None:
    """After an hour away, after ten hours, when the visitor leaves, when the account is disabled:
    the same cookie opens nothing any more."""
    served, clock, password = entered
    ledger = served.service.ledger

    def begin() -> None:
        sent = {"login": "wang", "password": password}
        reply = served.client.post("/console", data=sent, follow_redirects=False)
        assert reply.status_code == 303
        assert "samesite=strict" in reply.headers["set-cookie"].lower()
        assert "httponly" in reply.headers["set-cookie"].lower()
        assert status(served) == 200

    begin()
    for _ in range(11):
        clock.wait(minutes=50)
        assert status(served) == 200
    clock.wait(minutes=51)
    assert status(served) == 303, "ten hours are over"
    begin()
    clock.wait(minutes=61)
    assert status(served) == 303, "an hour away"
    begin()
    held = served.client.cookies["clues_key"]
    token = served.client.get("/console/account").text.split('name="token" value="')[1][:64]
    served.client.post("/console/out", data={"token": token})
    served.client.cookies.set("clues_key", held, path="/console")
    assert status(served) == 303, "signed out"
    served.client.cookies.clear()
    begin()
    local.disable(ledger, "wang", clock=clock)
    assert status(served) == 303, "disabled"
    password = local.reset(ledger, "wang", clock=clock)["password"]
    begin()


def test_a_person_changes_his_own_password_and_every_session_of_it_ends(
    entered: tuple[Served, Standing, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not without the old one, not to a short one, not by a form of another visit."""
    served, _, password = entered
    monkeypatch.setattr(console, "FAILURE_SECONDS", 0)
    served.client.post("/console", data={"login": "wang", "password": password})
    page = served.client.get("/console/account?language=en").text
    token = page.split('name="token" value="')[1][:64]
    new = "a longer sentence"
    for sent in (
        {"old": "not it", "new": new, "token": token},
        {"old": password, "new": "short", "token": token},
        {"old": password, "new": new, "token": "0" * 64},
    ):
        reply = served.client.post("/console/account", data=sent)
        assert (reply.status_code, 'role="alert"' in reply.text) == (422, True)
    sent = {"old": password, "new": new, "token": token}
    assert (
        served.client.post("/console/account", data=sent, follow_redirects=False).status_code == 303
    )
    assert status(served) == 303
    old = served.client.post("/console", data={"login": "wang", "password": password})
    assert old.status_code == 401
    served.client.post("/console", data={"login": "wang", "password": new})
    assert status(served) == 200


def test_wrong_names_and_passwords_are_answered_alike(
    entered: tuple[Served, Standing, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes; a session's cookie is no bearer key."""
    served, _, password = entered
    monkeypatch.setattr(console, "FAILURE_SECONDS", 0)
    told = {
        served.client.post("/console", data={"login": login, "password": word}).content
        for login, word in (("wang", "no"), ("nobody", "no"), ("", ""), ("wang", ""), ("<b>", "é"))
    }
    assert len(told) == 1
    served.client.post("/console", data={"login": "wang", "password": password})
    shown = {"authorization": f"Bearer {served.client.cookies['clues_key']}"}
    assert served.client.get("/v1/queue", headers=shown).status_code == 401


def test_a_role_begins_where_its_work_is(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head of a page leads to what the role may open, and to nothing else."""
    clock = Standing()
    served.service.clock = clock
    for role in ("reviewer", "administrator"):
        made = local.create(served.service.ledger, role, role=role, office_id=None, clock=clock)
        sent = {"login": role, "password": made["password"]}
        page = served.client.post("/console", data=sent).text
        assert ("/console/queue?" in page.split("</nav>")[0]) == (role == "reviewer")
        assert "/console/account?" in page.split("</nav>")[0]
    with pytest.raises(CluesError):
        local.disable(served.service.ledger, "nobody", clock=clock)
