"""Access: who may ask for what. One table; a route that is not in it is not served.

`RULES` is the whole of it. Every request is judged by its route's line before anything of it is
read: who asks (serving/credentials.py), how often (serving/rates.py), in which role. Which clues of
an answer an office may see is `Principal.sees`, and nothing else. docs/access.md prints the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request
from starlette.concurrency import run_in_threadpool

from base.errors import Fault, nearest
from serving.credentials import NoKey, WrongKey, find_principal
from serving.principal import Principal, Role
from serving.refusals import UnfitMessage
from serving.service import Service
from serving.sessions import find_visitor, looks_like_a_session

__all__ = [
    "COOKIE", "RULES", "NoKey", "Rule", "WrongKey", "authorised", "find_principal", "principal_of",
    "require_declared", "service_of", "visitor_of",
]  # fmt: skip
COOKIE = "clues_key"
STRAYS_TOLD = 5

Door = Literal["public", "bearer", "console", "signed"]
Offices = Literal["own", "every", "-"]


@dataclass(frozen=True)
class Rule:
    """Who may come in. `offices`: `own` answers about the caller's offices only, `every` wants a
    principal that covers all of them, `-` is about no office."""

    door: Door
    roles: tuple[Role, ...]
    offices: Offices
    does: str


def _public(does: str) -> Rule:
    return Rule("public", (), "-", does)


READERS: tuple[Role, ...] = ("reviewer", "dispatcher")
CENTRE: tuple[Role, ...] = ("dispatcher",)
MACHINE: tuple[Role, ...] = ("case_system",)
SCIENCE: tuple[Role, ...] = ("data_scientist", "auditor")
STEWARDS: tuple[Role, ...] = ("steward", "auditor")
PERSONS: tuple[Role, ...] = (*READERS, *SCIENCE, "steward", "administrator")
RULES: dict[str, Rule] = {
    "POST /v1/scores": Rule(
        "bearer", ("case_system", "data_scientist"), "own", "scores clues without making them work"
    ),
    "POST /v1/clues": Rule("bearer", MACHINE, "own", "admits clues and puts them in the queue"),
    "GET /v1/clues/{clue_id}": Rule("bearer", READERS, "own", "one clue"),
    "GET /v1/clues/{clue_id}/reasons": Rule("bearer", READERS, "own", "why it has its score"),
    "GET /v1/clues/{clue_id}/evidence/{feature}": Rule(
        "bearer", READERS, "own", "the records behind a reason"
    ),
    "GET /v1/clues/{clue_id}/similar": Rule("bearer", READERS, "own", "what happened to its like"),
    "GET /v1/clues/{clue_id}/next-checks": Rule("bearer", READERS, "own", "what to check next"),
    "GET /v1/clues/{clue_id}/history": Rule("bearer", READERS, "own", "what was done with it"),
    "POST /v1/clues/{clue_id}/transitions": Rule(
        "bearer", (*MACHINE, *READERS), "own", "moves it along its life cycle"
    ),
    "GET /v1/queue": Rule("bearer", READERS, "own", "the ranked open clues"),
    "GET /v1/proposals": Rule("bearer", CENTRE, "own", "what the ranking proposes for a week"),
    "POST /v1/orders": Rule("bearer", CENTRE, "own", "dispatches proposals, one or many"),
    "GET /v1/workload": Rule("bearer", CENTRE, "own", "what offices have on their tables"),
    "GET /v1/overdue": Rule("bearer", READERS, "own", "clues past their deadline"),
    "POST /v1/escalations": Rule(
        "bearer", CENTRE, "own", "brings overdue ones before offices above"
    ),
    "GET /v1/watches": Rule("bearer", READERS, "own", "what offices above look on at"),
    "POST /v1/clues/{clue_id}/reassignment": Rule(
        "bearer", CENTRE, "own", "gives it to another office"
    ),
    "POST /v1/clues/{clue_id}/supervision": Rule(
        "bearer", CENTRE, "own", "lets an office above supervise its handling, or ends that"
    ),
    "POST /v1/outcomes": Rule("bearer", MACHINE, "own", "brings outcomes back"),
    "POST /v1/events/{source}": Rule(
        "signed", MACHINE, "own", "brings outcomes back, signed by a source of exchange.yaml"
    ),
    "GET /v1/scorers": Rule("bearer", SCIENCE, "-", "every scorer of this home"),
    "GET /v1/scorers/{digest}": Rule("bearer", SCIENCE, "-", "one scorer: manifest, figures, card"),
    "POST /v1/scorers/{digest}/promotion": Rule(
        "bearer", ("data_scientist",), "every", "proposes a champion or a roll back, or approves it"
    ),
    "GET /v1/monitoring": Rule("bearer", SCIENCE, "own", "drift, calibration, outcomes"),
    "GET /v1/audit": Rule("bearer", ("auditor",), "every", "the audit trail"),
    "GET /live": _public("the process answers"),
    "GET /livez": _public("the same"),
    "GET /ready": _public("whether it can answer, and with what"),
    "GET /readyz": _public("the same"),
    "GET /metrics": _public("figures for Prometheus"),
    "GET /openapi.json": _public("the shapes of everything"),
    "GET /docs": _public("the same, to read"),
    "GET /": _public("leads to the console"),
    "GET /console": _public("a form for login and password, or a key"),
    "POST /console": _public("signs in"),
    "POST /console/out": _public("signs out"),
    "GET /console/style.css": _public("the style sheet"),
    "GET /console/queue": Rule("console", READERS, "own", "the queue as a page"),
    "GET /console/clues/{clue_id}": Rule("console", READERS, "own", "a clue as a page"),
    "GET /console/clues/{clue_id}/evidence/{feature}": Rule(
        "console", READERS, "own", "the records behind a reason as a page"
    ),
    "GET /console/clues/{clue_id}/further": Rule(
        "console", READERS, "own", "what to check next and similar clues as a page"
    ),
    "GET /console/clues/{clue_id}/sheet": Rule(
        "console", READERS, "own", "a clue as a sheet to print for the file"
    ),
    "GET /console/clues/{clue_id}/split": Rule(
        "console", CENTRE, "own", "what it becomes when it is split, as a form"
    ),
    "POST /console/clues/{clue_id}/transitions": Rule(
        "console", READERS, "own", "moves it, by a form of its page"
    ),
    "GET /console/command": Rule("console", CENTRE, "own", "the command centre's page"),
    "POST /console/command/dispatch": Rule(
        "console", CENTRE, "own", "dispatches what is proposed, by a form of its page"
    ),
    "POST /console/command/supervise": Rule(
        "console", CENTRE, "own", "has a clue supervised from above, by a form of its page"
    ),
    "GET /console/scorers": Rule("console", SCIENCE, "-", "every scorer as a page"),
    "GET /console/scorers/{digest}": Rule(
        "console", SCIENCE, "-", "one scorer as a page: figures, calibration, card, proposals"
    ),
    "POST /console/scorers/{digest}/promotion": Rule(
        "console", ("data_scientist",), "every", "proposes, approves, withdraws or rolls back"
    ),
    "GET /console/monitoring": Rule(
        "console", SCIENCE, "own", "drift, calibration, outcomes as a page"
    ),
    "GET /console/records": Rule(
        "console", STEWARDS, "every", "the catalogue of record sets as a page"
    ),
    "GET /console/records/{record_set}": Rule(
        "console", STEWARDS, "every", "a record set: batches, and what was put aside and why"
    ),
    "GET /console/first": Rule("console", PERSONS, "-", "leads to where the role begins"),
    "GET /console/account": Rule("console", PERSONS, "-", "one's own account"),
    "POST /console/account": Rule("console", PERSONS, "-", "changes one's own password"),
}


def service_of(request: Request) -> Service:
    """The service the application was made with."""
    service: Service = request.app.state.service
    return service


def rule_of(request: Request) -> Rule:
    """The line of the route that was matched. `create_app` made sure that there is one."""
    return RULES[f"{request.method} {request.scope['route'].path}"]


def principal_of(request: Request, route: str | None = None) -> Principal:
    """Who asks, in a role that `route` (default: the one matched) lets in, within his rate.

    Raises NoKey, WrongKey, NotAllowed, TooFast. Judged once for a request.
    """
    known: Principal | None = getattr(request.state, "principal", None)
    if known is not None:
        return known
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    shown = shown.strip() if scheme.lower() == "bearer" else ""
    rule = RULES[route] if route else rule_of(request)
    request.state.principal = who = _admitted(request, shown, rule)
    return who


def visitor_of(request: Request, route: str | None = None) -> Principal:
    """The same for a page of the console, by its cookie: a session's, or a key."""
    known: Principal | None = getattr(request.state, "principal", None)
    if known is not None:
        return known
    rule = RULES[route] if route else rule_of(request)
    request.state.principal = who = _admitted(request, request.cookies.get(COOKIE, ""), rule)
    return who


def _admitted(request: Request, shown: str, rule: Rule) -> Principal:
    service = service_of(request)
    session = rule.door == "console" and looks_like_a_session(shown)
    who = find_visitor(service, shown) if session else find_principal(service, shown)
    # Pages lead to what this role may open, also one that says that it may not open this.
    request.state.visitor = who
    service.rates.spend(who)
    who.require(*rule.roles)
    if rule.offices == "every":
        who.require_every_office()
    return who


async def authorised(request: Request) -> None:
    """Before every route: what comes by bearer key is judged before anything else is looked at."""
    if rule_of(request).door == "bearer":
        await run_in_threadpool(principal_of, request)
        require_known_query(request)


def known_query(request: Request) -> list[str]:
    """The query parameters that the matched route knows."""
    return [each.alias for each in request.scope["route"].dependant.query_params]


def require_known_query(request: Request) -> None:
    """A parameter that the route does not know would be passed by, and all be answered where a part
    was asked for. Raises UnfitMessage, once for each; a name that was sent is not quoted."""
    known = known_query(request)
    strays = sorted(set(request.query_params) - set(known))
    if strays:
        raise UnfitMessage.gather(
            Fault(
                "a query parameter of this route",
                "an unknown one",
                nearest(each, known) if known else "leave it out: this route takes none",
                "query",
            )
            for each in strays[:STRAYS_TOLD]
        )


def every_route(served: FastAPI | APIRouter) -> Iterator[str]:
    """`METHOD path` of each route that is served (HEAD goes with GET)."""
    waiting: list[Any] = list(served.routes)
    while waiting:
        route = waiting.pop(0)
        inner = getattr(route, "original_router", None)
        if inner is not None:
            waiting = [*inner.routes, *waiting]
            continue
        for method in sorted(getattr(route, "methods", None) or {"ANY"}):
            if method != "HEAD":
                yield f"{method} {route.path}"


def require_declared(app: FastAPI) -> None:
    """Default deny: an application with a route that no rule names is not made."""
    strays = [route for route in every_route(app) if route not in RULES]
    if strays:
        raise LookupError(f"no rule in serving/access.py for: {', '.join(strays)}")


def printed_rules() -> str:
    """The table as Markdown, for docs/access.md (`make schema` writes it there)."""
    lines = ["| route | roles | offices | |", "|---|---|---|---|"]
    for route, rule in RULES.items():
        roles = ", ".join(rule.roles) or "everybody"
        by_cookie = {"console": " (by cookie)", "signed": " (signed)"}.get(rule.door, "")
        lines.append(f"| `{route}` | {roles}{by_cookie} | {rule.offices} | {rule.does} |")
    return "\n".join(lines) + "\n"
