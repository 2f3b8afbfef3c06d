"""The queue's quick way tells what the whole way tells, and its rows are a template's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from jinja2 import DictLoader

from clues.register import read_clues
from dispatch.in_hand import InHand
from dispatch.queue_reading import Shown
from dispatch.transition import move
from serving.access import COOKIE
from serving.accounts import create
from serving.console.page import TEMPLATES, Pages, said_in
from serving.console.queue_rows import in_hand_rows, waiting_rows
from serving.console.work_list import VIEWS
from serving.sessions import sign_in

VISITORS = (
    ("reviewer", "A"), ("reviewer", "P"), ("reviewer", None), ("dispatcher", "B"),
    ("dispatcher", None), ("auditor", None), ("administrator", None),
)  # fmt: skip
USUAL = (
    *(f"?view={view}" for view in VIEWS), "?language=zh", "?language=en", "?office=A",
    "?view=in_hand&start=007&language=en", "?function=public_interest", "?model=&function=",
)  # fmt: skip
UNUSUAL = (
    "?language=fr", "?language=", "?language=zh&language=en", "?start=-1", "?start=", "?start=٣",
    "?start=1000001", "?view=nothing", "?model=<b>", "?office=Z", "?cursor=", "?cursor=xyz",
    f"?view={'x' * 65}", f"?cursor={'x' * 401}", "?stray=1", "?start=%2B7", "?office=%ff",
)  # fmt: skip


def cookies(served: Any) -> list[str]:
    """Keys of all roles, a session, and what lets nobody in."""
    service = served.service
    keys = [served.key(*each)["authorization"].split()[1] for each in VISITORS]
    made = create(service.ledger, "zhang", role="reviewer", office_id="A", clock=service.clock)
    session, _ = sign_in(service.ledger, "zhang", made["password"], service.clock)
    return [*keys, session, "session.nobody", "clues.nobody.x", ""]


def told(served: Any, path: str, cookie: str) -> tuple[Any, ...]:
    """Status, headers but the request's id, and the bytes."""
    headers = {"cookie": f"{COOKIE}={cookie}"} if cookie else {}
    reply = served.client.get(path, headers=headers, follow_redirects=False)
    kept = {name: value for name, value in reply.headers.items() if name != "x-request-id"}
    assert len(reply.headers["x-request-id"]) == 16
    return reply.status_code, kept, reply.content


def test_both_ways_give_the_same_reply(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks, whatever is asked; and the usual is answered by the quick way alone."""
    whole: list[str] = []
    quick = served.client.app.quick
    application = quick.app.app

    async def handed_on(scope: Any, receive: Any, send: Any) -> None:
        whole.append(scope["path"])
        await application(scope, receive, send)

    monkeypatch.setattr(quick.app, "app", handed_on)
    visitors = cookies(served)
    assert told(served, "/console/queue", visitors[4])[0] == 200  # all offices ranked
    for cookie in visitors:
        for query in ("", *USUAL, *UNUSUAL):
            path = f"/console/queue{query}"
            whole.clear()
            found = told(served, path, cookie)
            assert bool(whole) == (found[0] != 200 or query in UNUSUAL), (path, found[0])
            monkeypatch.setattr(served.client.app, "quick", None)
            assert told(served, path, cookie) == found, path
            monkeypatch.setattr(served.client.app, "quick", quick)


def test_a_ranking_that_is_old_is_made_again_in_the_whole_way(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quick threads never wait for it; the page that comes of it is true."""
    key = served.key("dispatcher")["authorization"].split()[1]
    assert told(served, "/console/queue", key)[0] == 200
    clue_id = read_clues(served.home)["clue_id"][0].as_py()
    for to in ("triaged", "dispatched"):
        move(
            served.service.ledger, clue_id, to, by="x", role="dispatcher", offices=None,
            expects=None, clock=served.service.clock,
        )  # fmt: skip
    quick = served.client.app.quick.app
    scope = {
        "type": "http", "method": "GET", "path": "/console/queue", "query_string": b"",
        "headers": [(b"cookie", f"{COOKIE}={key}".encode())], "state": {},
    }  # fmt: skip
    assert quick._page(scope) is None
    assert f">{clue_id}</a>".encode() not in told(served, "/console/queue", key)[2]
    assert quick._page(scope) is not None


def test_a_request_is_counted_once(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answered or handed on: one of what its visitor may ask for."""
    key, spent = served.key("reviewer", "A")["authorization"].split()[1], []
    monkeypatch.setattr(served.service.rates, "spend", spent.append)
    for query, status in (("", 200), ("?office=Z", 422), ("?stray=1", 422), ("?start=-1", 422)):
        spent.clear()
        assert told(served, f"/console/queue{query}", key)[0] == status
        assert len(spent) == (query != "?start=-1")


# The rows as a template writes them, each value looked up and escaped by itself.
ROWS = """\
{% for each in rows %}
{% if waiting and each.below and (loop.previtem.below == 0 if loop.previtem is defined else after_within) %}
<tr class="line"><td colspan="7">{{ words.line }}</td></tr>
{% endif %}
<tr class="{{ 'within' if waiting and not each.below else 'below' }}">
{% if waiting %}<td class="number">{{ each.rank }}</td>{% endif %}
<td><a class="id" href="/console/clues/{{ each.clue_id }}?language={{ language }}">{{ each.clue_id }}</a></td>
<td>{{ models[each.supervision_model][language] if each.supervision_model in models else each.supervision_model }}</td>
<td>{{ offices[each.office_id][language] if each.office_id in offices else each.office_id or '—' }}</td>
<td class="day">{{ (each.raised_at | string)[:10] }}</td>
<td>{{ states.get(each.state, each.state) }}
{% if waiting and each.floor %}<span class="badge lot">{{ words.floor }}</span>{% elif waiting and each.exploration %}<span class="badge lot">{{ words.exploration }}</span>{% elif waiting and not each.below %}<span class="badge">{{ words.within }}</span>{% endif %}</td>
{% if not waiting %}<td class="day">{{ (each.due | string)[:10] if each.due else '—' }}{% if each.due and each.due < now %} <span class="badge late">{{ words.overdue }}</span>{% endif %}</td>{% endif %}
<td class="number">{% if each.probability is none %}—{% else %}{{ '%.1f' | format(each.probability * 100) }} %{% endif %}</td>
</tr>
{% endfor %}
"""  # noqa: E501
NASTY = ("0123456789abcdef", "<b>&\"'", "线索", "a b", "")
NOW = datetime(2026, 1, 2, 12)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("after_within", [True, False])
def test_rows_are_those_of_a_template(standing: Any, language: Any, after_within: bool) -> None:
    """Ids, names and states with markup in them, unknown ones, none at all; lots and the line."""
    service = standing.service
    models, offices = service.model_titles, service.office_titles
    oracle = Pages(
        loader=DictLoader({"rows": ROWS}), autoescape=True, undefined=TEMPLATES.undefined,
        trim_blocks=True, lstrip_blocks=True,
    ).get_template("rows")  # fmt: skip
    known = (*models, *NASTY, None)
    places = (*offices, *NASTY, None)
    waiting = [
        Shown(
            NASTY[at % 5], at % 7 // 4, -0.5, at, places[at % len(places)] or "",
            known[at % len(known)], NOW + timedelta(days=at), at / 97, at % 3 == 0, at % 5 == 0,
            ("scored", "<i>", "triaged")[at % 3],
        )
        for at in range(60)
    ]  # fmt: skip
    in_hand = [
        InHand(
            NASTY[at % 5], places[at % len(places)], known[at % len(known)], NOW,
            ("accepted", "<i>")[at % 2], None if at % 4 == 0 else at / 61,
            None if at % 3 == 0 else NOW + timedelta(hours=at - 20),
        )
        for at in range(60)
    ]  # fmt: skip
    told = {
        "models": models, "offices": offices, "language": language, "now": NOW,
        "after_within": after_within, **said_in(language),
    }  # fmt: skip
    assert waiting_rows(service, waiting, language, after_within) == oracle.render(
        told, rows=waiting, waiting=True
    )
    assert in_hand_rows(service, in_hand, language, NOW) == oracle.render(
        told, rows=in_hand, waiting=False
    )
    assert waiting_rows(service, [], language, after_within) == ""
