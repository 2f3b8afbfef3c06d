"""Showing a page: the template, the words of its language, and headers that let nothing else in."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from base.bilingual import Language
from base.errors import CluesError
from serving.access import RULES, NoKey, known_query, service_of
from serving.console.forms import form_token
from serving.console.words import FACTS, FUNCTIONS, MOVES, ROLES, STATES, in_language, words_of
from serving.console.words_of_reasons import bound_in, reason_in
from serving.console.words_of_records import CLASSES, TYPES
from serving.principal import Principal
from serving.refusals import status_of

FOLDER = Path(__file__).parent / "pages"


class Pages(Environment):
    """Most of what a page asks is a key of a plain dict: it is looked for there first."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


TEMPLATES = Pages(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,  # they are part of the program
)
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    # Elsewhere nothing is told; our own forms must say where they come from.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
DAY, MINUTE = 10, 16
# What the head of a page leads to, in this order, as far as the visitor's role may open it.
LEADS = {
    "command": "/console/command",
    "queue": "/console/queue",
    "scorers_page": "/console/scorers",
    "monitoring": "/console/monitoring",
    "records_page": "/console/records",
    "account": "/console/account",
}


def leads_of(role: str | None) -> dict[str, str]:
    """Name -> address of the pages that a role (None: nobody is signed in) may open."""
    return {name: path for name, path in LEADS.items() if role in RULES[f"GET {path}"].roles}


def first_page(role: str) -> str:
    """Where somebody begins who has just signed in; who may open nothing is told so there."""
    return next(iter(leads_of(role).values()), LEADS["queue"])


def page(
    request: Request,
    name: str,
    language: Language,
    status: int = 200,
    here: str | None = None,
    **values: Any,
) -> HTMLResponse:
    """A template filled in. `here`: the address that the other language is shown at, if another
    than the one asked for."""
    text = filled_in(request, name, language, here, **values)
    return HTMLResponse(text, status_code=status, headers=HEADERS)


def filled_in(
    request: Request, name: str, language: Language, here: str | None = None, **values: Any
) -> str:
    """The text of the same."""
    told = told_to_every_page(request, language, here)
    return TEMPLATES.get_template(name).render(told, **values)


def part(name: str, language: Language, **values: Any) -> Markup:
    """A part of a page that tells nothing of who asks beside what `values` do."""
    told = TEMPLATES.get_template(name).render(said_in(language), language=language, **values)
    return Markup(told)  # noqa: S704 - the template escaped every text in it


def told_to_every_page(request: Request, language: Language, here: str | None) -> dict[str, Any]:
    """What each template may rely on."""
    other = "en" if language == "zh" else "zh"
    asked = {} if here else dict(request.query_params)
    path = here or request.url.path
    joined = "&" if "?" in path else "?"
    visitor: Principal | None = getattr(request.state, "visitor", None)
    return {
        "language": language,
        "other_language": f"{path}{joined}{urlencode({**asked, 'language': other})}",
        "current": path.split("?")[0],
        **said_in(language),
        "jurisdiction": service_of(request).home.jurisdiction,
        "data_until": service_of(request).data_until,
        "token": form_token(request),
        "here": path,
        "leads": leads_of(visitor.role if visitor else None),
        "reason_in": lambda text: reason_in(str(text or ""), language),
        "bound_in": lambda text: bound_in(str(text), language),
        "day": lambda moment: _cut(moment, DAY),
        "minute": lambda moment: _cut(moment, MINUTE),
    }


@lru_cache
def said_in(language: Language) -> dict[str, dict[str, str]]:
    """Every word of the pages in one language, by what it is about."""
    return {
        "words": words_of(language),
        "states": in_language(STATES, language),
        "moves": in_language(MOVES, language),
        "fact_words": in_language(FACTS, language),
        "functions": in_language(FUNCTIONS, language),
        "roles": in_language(ROLES, language),
        "types": in_language(TYPES, language),
        "classes": in_language(CLASSES, language),
    }


def _cut(moment: Any, length: int) -> str:
    return str(moment or "").replace("T", " ")[:length]


def refused(request: Request, language: Language, error: CluesError) -> Response:
    """A page that says what cannot be shown; without a key in force, the form for one."""
    if isinstance(error, NoKey):
        return RedirectResponse(f"/console?language={language}", 303)
    stray = error.where == "query"
    return page(
        request,
        "refused.html",
        language,
        status=status_of(error),
        here="/console/queue",
        cure=words_of(language)["unknown_query"] if stray else error.faults[0].cure,
        known=known_query(request) if stray else (),
    )
