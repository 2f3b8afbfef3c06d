"""Access: every route times every role times every office, from the one table of rules."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from fastapi import FastAPI
from served_hamlet import NOON, Served

from base.moment import FixedClock
from clues.register import read_clues
from serving.access import RULES, Rule, every_route, printed_rules, require_declared
from serving.app import ROOMS
from serving.keys import revoke
from serving.principal import Role

ROLES = get_args(Role)
OFFICES = (None, "P", "A", "B")
SERVED = {route for room in ROOMS for route in every_route(room.router)}
BEARER = sorted(route for route in SERVED if RULES[route].door == "bearer")
CONSOLE = sorted(route for route in SERVED if RULES[route].door == "console")


def address_of(served: Served, route: str, office: str = "A") -> tuple[str, str]:
    """Method and path, with a clue of `office` where the route names one."""
    method, path = route.split(" ")
    rows = read_clues(served.home).to_pylist()
    clue = next(row["clue_id"] for row in rows if row["office_id"] == office)
    digest = served.service.champion().digest
    values = {
        "clue_id": clue, "feature": "amount_cents", "digest": digest, "record_set": "payments",
    }  # fmt: skip
    return method, path.format_map(values)


def ask(served: Served, route: str, headers: dict[str, str], office: str = "A") -> Any:
    """The route with an empty body: whoever may come in is told what was wanted in it."""
    method, path = address_of(served, route, office)
    return served.client.request(method, path, headers=headers)


def standing_by() -> str:
    return "here"


def lets_in(rule: Rule, role: str, office: str | None) -> bool:
    return role in rule.roles and (rule.offices != "every" or office is None)


def test_every_route_has_a_rule_and_none_is_served_without() -> None:
    """Default deny: an application with a route that the table does not name is not made."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/v1/forgotten", standing_by, methods=["GET"])
    with pytest.raises(LookupError, match="GET /v1/forgotten"):
        require_declared(app)


@pytest.mark.parametrize("route", BEARER)
def test_a_route_lets_in_the_roles_of_its_rule_and_no_other(standing: Served, route: str) -> None:
    """Role x office on this route: 403 for whom the table does not name, and only for them."""
    for role in ROLES:
        for office in OFFICES:
            reply = ask(standing, route, standing.kept_key(role, office))
            assert (reply.status_code == 403) != lets_in(RULES[route], role, office), (role, office)
            assert reply.status_code not in (401, 500), (role, office, reply.text)


@pytest.mark.parametrize("route", BEARER)
def test_without_a_key_in_force_no_route_answers(standing: Served, route: str) -> None:
    """No key, and one that is wrong, revoked or expired: told apart, and nothing more."""
    role = RULES[route].roles[0]
    none = ask(standing, route, {})
    assert none.status_code == 401
    assert none.headers["www-authenticate"] == "Bearer"
    revoked, expired = standing.key(role), standing.key(role, expires_at=NOON + timedelta(days=1))
    revoke(standing.service.ledger, revoked["authorization"].split(".")[1], clock=FixedClock(NOON))
    wrong = {"authorization": "Bearer clues.0000000000000000.nonsense"}
    told = [ask(standing, route, headers) for headers in (wrong, revoked, expired)]
    assert {reply.status_code for reply in told} == {401}
    assert len({reply.content for reply in told}) == 1
    assert told[0].headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert told[0].content != none.content


@pytest.mark.parametrize("route", [route for route in BEARER if "{clue_id}" in route])
def test_a_clue_of_another_office_answers_as_one_that_never_was(
    standing: Served, route: str
) -> None:
    """P-10: the same status and the same bytes, for every role that the route lets in."""
    method, path = address_of(standing, route, "B")
    theirs = address_of(standing, route, "B")[1].split("/")[3]
    headers = {role: standing.kept_key(role, "A") for role in RULES[route].roles}
    for role, shown in headers.items():
        forbidden = standing.client.request(method, path, headers=shown)
        absent = standing.client.request(method, path.replace(theirs, "0" * 16), headers=shown)
        assert forbidden.status_code == absent.status_code, role
        assert forbidden.status_code in (404, 422), role
        assert forbidden.content == absent.content, role


@pytest.mark.parametrize("route", CONSOLE)
def test_a_page_opens_for_the_roles_of_its_rule_and_no_other(standing: Served, route: str) -> None:
    """Without a cookie in force a page leads to the form."""
    method, path = address_of(standing, route)
    for role in ROLES:
        key = standing.kept_key(role)["authorization"].split()[1]
        headers = {"cookie": f"clues_key={key}"}
        reply = standing.client.request(method, path, headers=headers, follow_redirects=False)
        assert (reply.status_code == 403) != (role in RULES[route].roles), role
    for cookie in ({}, {"cookie": "clues_key=clues.0.nonsense"}):
        reply = standing.client.request(method, path, headers=cookie, follow_redirects=False)
        assert reply.status_code == 303
        assert reply.headers["location"].startswith("/console?")


def test_an_administrator_neither_scores_nor_decides() -> None:
    """A rule lets an administrator in to his own account alone: keys, accounts, roles and offices
    are the command line's."""
    assert [route for route, rule in RULES.items() if "administrator" in rule.roles] == [
        "GET /console/first", "GET /console/account", "POST /console/account",
    ]  # fmt: skip


def test_a_key_is_judged_before_its_message(standing: Served) -> None:
    """An address of the wrong shape tells nothing to somebody without a key."""
    assert standing.client.get("/v1/queue?limit=SECRET").status_code == 401
    reply = standing.client.get("/v1/queue?limit=SECRET", headers=standing.kept_key("reviewer"))
    assert reply.status_code == 422
    assert "SECRET" not in reply.text


def test_the_table_of_rules_is_in_the_documents() -> None:
    """docs/access.md prints it as it is (`make schema` writes it there)."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "access.md").read_text("utf-8")
    assert printed_rules() in text
