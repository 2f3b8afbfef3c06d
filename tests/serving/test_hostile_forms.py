"""A hundred hostile strings in each text field of the new pages: shown as typed, or refused."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from deciding_persons import Person, weigh
from hamlet_scorer import write_hamlet_bundle
from hostile_strings import REFUSED, SHOWN
from served_hamlet import NOON, Served

from base.moment import FixedClock
from clues.register import read_clues
from dispatch.oversight import end_supervision
from dispatch.transition import move
from scoring.ledger.tables import audit_head
from serving.console import sign_in

SAID = re.compile(r'<p class="said">(.*?)</p>', re.DOTALL)
ALIVE = re.compile(r"<(script|img|iframe|object|embed|svg onload|base|meta http|style)", re.I)


def said(page: str) -> list[str]:
    """What stands in a page as somebody's words."""
    return [html.unescape(each) for each in SAID.findall(page)]


def require_dead(page: str) -> None:
    assert ALIVE.search(page) is None


def test_sign_in_repeats_nothing_and_lets_nobody_in(
    standing: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Login, password and key: always the same page."""
    monkeypatch.setattr(sign_in, "FAILURE_SECONDS", 0)
    pages = set()
    for at, text in enumerate((*SHOWN, *REFUSED)):
        sent = {"key": text} if at % 3 == 0 else {"login": text, "password": text}
        reply = standing.client.post("/console", data=sent)
        assert reply.status_code in (401, 413), text
        pages.add(reply.content if reply.status_code == 401 else b"")
    assert len(pages - {b""}) == 1


def test_a_reason_of_a_proposal_is_shown_letter_by_letter(served: Served) -> None:
    """Each proposed against the rule with it, and withdrawn; then all stand on the page."""
    served.service.clock = FixedClock(NOON)
    digest = write_hamlet_bundle(served.home, seed=2)
    weigh(served, digest, passed=False)
    li = Person(served, "Li")
    for text in SHOWN:
        assert li.send(digest, "propose", text).status_code == 303, text
        assert li.send(digest, "withdraw").status_code == 303
    page = li.page(digest)
    require_dead(page)
    assert said(page) == [text.strip() for text in reversed(SHOWN)]
    for text in REFUSED:
        assert li.send(digest, "propose", text).status_code == 422, text[:9]


def test_a_reason_of_supervision_is_shown_letter_by_letter(served: Served) -> None:
    """Each said of the same overdue clue, one after the other."""
    rows = read_clues(served.home).to_pylist()
    clue_id = next(row["clue_id"] for row in rows if row["office_id"] == "B")
    ledger = served.service.ledger
    for to in ("triaged", "dispatched"):
        move(
            ledger, clue_id, to, by="k", role="dispatcher", offices=None, expects=None,
            clock=FixedClock(NOON),
        )  # fmt: skip
    clock = served.service.clock = FixedClock(NOON + timedelta(days=20))
    key = served.key("dispatcher")["authorization"].split()[1]
    served.client.post("/console", data={"key": key})
    page = served.client.get("/console/command?office=B").text
    token = re.findall(r'name="token" value="([0-9a-f]{64})"', page)[0]
    sent = {"token": token, "office": "B", "clue": clue_id}
    address = "/console/command/supervise"
    for text in REFUSED:
        assert served.client.post(address, data={**sent, "reason": text}).status_code == 422
    for at, text in enumerate(SHOWN):
        reply = served.client.post(address, data={**sent, "reason": text}, follow_redirects=False)
        assert reply.status_code == 303, text
        page = served.client.get("/console/command?office=B").text
        assert said(page) == [text.strip()]
        require_dead(page)
        clock.moment += timedelta(minutes=1 + at)
        end_supervision(ledger, clue_id, office_id="P", clock=clock, by="k")


@pytest.mark.parametrize(
    ("role", "path"),
    [
        ("reviewer", "/console/clues/{clue}/transitions"),
        ("dispatcher", "/console/command/dispatch"),
        ("dispatcher", "/console/command/supervise"),
        ("data_scientist", "/console/scorers/{scorer}/promotion"),
    ],
)
def test_what_is_no_form_is_refused_and_does_nothing(
    standing: Served, role: str, path: str
) -> None:
    """Bytes that are no text, too many fields, too long a body; another site's; a form without a
    token, or with another's; and from nobody, who is led to sign in."""
    where = path.format(
        clue=read_clues(standing.home)["clue_id"][0].as_py(),
        scorer=standing.service.champion().digest,
    )
    head = {"content-type": "application/x-www-form-urlencoded"}

    def send(body: bytes, **more: str) -> int:
        client = standing.client
        reply = client.post(where, content=body, headers=head | more, follow_redirects=False)
        require_dead(reply.text)
        return reply.status_code

    standing.client.cookies.clear()
    assert send(b"to=triaged") == 303
    key = standing.kept_key(role)["authorization"].split()[1]
    standing.client.cookies.set("clues_key", key, path="/console")
    before = audit_rows(standing)
    assert send(b"\xff\xfe") == 422
    assert send(b"&".join(b"f%d=1" % at for at in range(600))) == 422
    assert send(b"a=" + b"b" * 70_000) == 413
    assert send(b"to=triaged", origin="https://elsewhere.example") == 403
    for body in (b"to=triaged&chosen=1&step=propose", b"to=triaged&token=0"):
        assert send(body) == 422
    standing.client.cookies.clear()
    assert audit_rows(standing) == before


def audit_rows(served: Served) -> int:
    with served.service.ledger.connect() as connection:
        return int(connection.execute(sa.select(audit_head.c.seq)).scalar_one())
