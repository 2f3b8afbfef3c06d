"""What tests of the console do in a browser: a hamlet to visit, signing in, looking with axe."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from deciding_persons import weigh
from hamlet_scorer import write_hamlet_bundle
from playwright.sync_api import Page
from served_hamlet import Served

from base.moment import Clock, FixedClock
from dispatch.transition import move
from serving.accounts import create

SERIOUS = ("serious", "critical")


@dataclass
class Console:
    """The hamlet at `url`; `waiting` are clues of office A that nobody has touched yet, `of_b`
    those of B."""

    served: Served
    url: str
    waiting: list[str]
    of_b: list[str]
    passwords: dict[str, str] = field(default_factory=dict)

    def account(self, login: str, role: str, office: str | None = None) -> str:
        """Make an account, once; returns its login."""
        if login not in self.passwords:
            service = self.served.service
            made = create(service.ledger, login, role=role, office_id=office, clock=service.clock)
            self.passwords[login] = made["password"]
        return login

    def password(self, login: str) -> str:
        return self.passwords[login]

    def key(self, role: str = "reviewer", office: str | None = "A") -> str:
        return self.served.kept_key(role, office)["authorization"].split()[1]

    def dispatched(self, *further: str) -> str:
        """A clue that the command centre gave office A, moved on by a reviewer where asked."""
        clue_id = self.waiting.pop()
        for role, to in [("dispatcher", "triaged"), ("dispatcher", "dispatched")] + [
            ("reviewer", state) for state in further
        ]:
            self.move(clue_id, role, to)
        return clue_id

    def overdue(self) -> str:
        """A clue of office B that was dispatched a month ago and never accepted."""
        clue_id, clock = self.of_b.pop(), FixedClock(self.served.service.clock.now())
        clock.moment -= timedelta(days=30)
        for to in ("triaged", "dispatched"):
            move(
                self.served.service.ledger, clue_id, to, by="k", role="dispatcher", offices=None,
                expects=None, clock=clock,
            )  # fmt: skip
        return clue_id

    def another_scorer(self) -> str:
        """A second scorer, weighed beside the champion as `clues weigh` would keep it."""
        digest = write_hamlet_bundle(self.served.home, seed=2)
        weigh(self.served, digest, passed=True)
        return digest

    def move(self, clue_id: str, role: str, to: str) -> None:
        body = {"to": to, "expects": self.stands(clue_id)["version"]}
        reply = self.served.client.post(
            f"/v1/clues/{clue_id}/transitions",
            content=json.dumps(body),
            headers=self.served.kept_key(role, "A"),
        )
        assert reply.status_code == 200, reply.text

    @property
    def clock(self) -> Clock:
        return self.served.service.clock

    def stands(self, clue_id: str, office: str = "A") -> dict[str, Any]:
        path = f"/v1/clues/{clue_id}/history"
        found: dict[str, Any] = self.served.client.get(
            path, headers=self.served.kept_key("reviewer", office)
        ).json()
        return found


def sign_in(page: Page, console: Console, key: str, language: str = "zh") -> None:
    """With a key, by its form, as somebody who has only a keyboard."""
    page.goto(f"{console.url}/console?language={language}")
    page.focus("summary")
    page.keyboard.press("Enter")
    page.focus("#key")
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/queue**")


def sign_in_by_name(page: Page, console: Console, login: str, language: str = "zh") -> None:
    """With login and password, by keyboard."""
    page.goto(f"{console.url}/console?language={language}")
    page.focus("#login")
    page.keyboard.type(login)
    page.keyboard.press("Tab")
    page.keyboard.type(console.password(login))
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/console/" in url)


def require_accessible(page: Page) -> None:
    """axe finds nothing serious on the page as it stands."""
    found = Axe().run(page).response["violations"]
    told = [
        (each["id"], each["nodes"][0]["html"][:120]) for each in found if each["impact"] in SERIOUS
    ]
    assert told == [], page.url
