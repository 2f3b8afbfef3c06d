"""Crafted text and pages of others do nothing in a real browser."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import quote

import httpx
import pytest
from console_visits import Console, require_accessible, sign_in
from hostile_strings import REFUSED, SHOWN
from playwright.sync_api import BrowserContext, Page

from serving.access import RULES

ALIVE = (
    "script, iframe, object, embed, base, meta[http-equiv], img, video, math, style,"
    " link:not([href='/console/style.css'])"
)
PARAMETERS = {
    "reviewer": (
        "/console/queue?view={}",
        "/console/queue?model={}",
        "/console/queue?cursor={}",
        "/console/queue?language={}",
        "/console/clues/{}",
    ),
    "dispatcher": ("/console/command?office={}",),
    "data_scientist": ("/console/scorers/{}",),
    "steward": ("/console/records/{}",),
}
HANDLERS = """[...document.querySelectorAll('*')].filter(each => [...each.attributes].some(
    held => held.name.startsWith('on') || held.value.trim().startsWith('javascript:'))).length"""


def signed_in(console: Console, role: str = "reviewer", office: str | None = "A") -> httpx.Client:
    """A client with a cookie of that role."""
    cookies = {"clues_key": console.key(role, office)}
    return httpx.Client(base_url=console.url, cookies=cookies, timeout=60)


def form_of(client: httpx.Client, clue_id: str, to: str) -> dict[str, str]:
    """The hidden fields of a move, as the clue's page has them."""
    page = client.get(f"/console/clues/{clue_id}").text
    hidden = dict(re.findall(r'<input type="hidden" name="(token|expects)" value="([^"]*)">', page))
    return {**hidden, "to": to}


def require_harmless(page: Page) -> None:
    assert page.locator(f"main :is({ALIVE})").count() == 0
    assert page.locator("head").locator(ALIVE).count() == 0
    assert page.evaluate(HANDLERS) == 0
    assert "taken" not in page.title()


def test_a_hundred_hostile_reasons_are_shown_letter_by_letter(
    console: Console, visit: BrowserContext
) -> None:
    """Each is said as the reason of a move and stands in the history as it was typed."""
    clue_id = console.dispatched("accepted", "verifying")
    client = signed_in(console)
    form, states = form_of(client, clue_id, ""), ("supplement", "verifying")
    version = int(form["expects"])
    for at, text in enumerate(SHOWN):
        sent = {**form, "to": states[at % 2], "expects": str(version + at), "reason": text}
        reply = client.post(f"/console/clues/{clue_id}/transitions", data=sent)
        assert (reply.status_code, reply.headers["location"][:9]) == (303, "/console/"), text
    page = visit.new_page()
    sign_in(page, console, console.key())
    for path in (f"/console/clues/{clue_id}", f"/console/clues/{clue_id}/sheet"):
        page.goto(f"{console.url}{path}")
        require_harmless(page)
        said = page.locator(".events .said").evaluate_all("all => all.map(e => e.textContent)")
        assert said == [text.strip() for text in SHOWN]
    require_accessible(page)


def test_hostile_facts_are_shown_and_what_no_person_writes_is_refused(
    console: Console, visit: BrowserContext
) -> None:
    """Authority, reply and reason of a transfer, the number of a case; refused ones change nothing
    and the form comes back with what was typed."""
    client = signed_in(console)
    clue_id = console.dispatched("accepted", "verifying")
    form = form_of(client, clue_id, "transferred")
    address = f"/console/clues/{clue_id}/transitions"
    for text in REFUSED:
        for sent in (
            {"reason": text, "authority": "公安局"},
            {"reason": "x", "authority": text},
            {"reason": "x", "authority": "公安局", "reply": text if text.strip() else "\x00"},
        ):
            reply = client.post(address, data={**form, **sent})
            assert reply.status_code == 422, (text[:20], sent.keys())
            assert 'role="alert"' in reply.text
    assert console.stands(clue_id)["version"] == int(form["expects"])
    page = visit.new_page()
    sign_in(page, console, console.key(), "en")
    page.goto(f"{console.url}/console/clues/{clue_id}?language=en")
    page.locator("summary", has_text="Transfer").click()
    hostile = SHOWN[:3]
    for name, text in zip(("authority", "reply", "reason"), hostile, strict=True):
        page.fill(f"#transferred-{name}", text)
    page.get_by_role("button", name="Transfer").click()
    assert page.locator(".badge.state").inner_text() == "transferred"
    require_harmless(page)
    for text in hostile:
        assert text in page.locator(".events").inner_text()


def test_hostile_addresses_and_keys_are_not_repeated(
    console: Console, visit: BrowserContext
) -> None:
    """Each parameter of a page, and the field of the key: a page without anything alive."""
    page = visit.new_page()
    for fields in (("#key",), ("#login", "#password")):
        page.goto(f"{console.url}/console")
        page.click("summary")
        for field in fields:
            page.fill(field, SHOWN[0])
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=alert]")
        assert SHOWN[0] not in page.content()
        require_harmless(page)
    sign_in(page, console, console.key())
    for role, paths in PARAMETERS.items():
        client = signed_in(console, role, "A" if role == "reviewer" else None)
        for path in paths:
            for text in SHOWN:
                reply = client.get(path.format(quote(text, safe="")))
                assert 400 <= reply.status_code < 500, (path, text)
                assert reply.status_code != 403, (path, text)
                for alive in ("<script", "<img", "<iframe", "onerror=", "onload="):
                    assert alive not in reply.text, (path, text)
    page.goto(f"{console.url}/console/queue?view={quote(SHOWN[0], safe='')}")
    require_harmless(page)


@contextmanager
def another_site(page: str) -> Iterator[str]:
    """A page of somebody else, on this machine too: the strictest cookie comes along."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_form_of_another_site_moves_nothing_and_signs_nobody_out(
    console: Console, visit: BrowserContext
) -> None:
    """Even with the visitor's own token in it, and although his cookie is sent."""
    clue_id = console.dispatched()
    form = form_of(signed_in(console), clue_id, "accepted")
    fields = "".join(f'<input name="{name}" value="{value}">' for name, value in form.items())
    page = visit.new_page()
    sign_in(page, console, console.key())
    digest = console.served.service.champion().digest
    posts = [route.removeprefix("POST ") for route in RULES if route.startswith("POST /console")]
    assert len(posts) >= 7
    for path in (each.format(clue_id=clue_id, digest=digest) for each in posts):
        html = f'<form method="post" action="{console.url}{path}">{fields}<button>b</button></form>'
        with another_site(html) as address:
            page.goto(address)
            with page.expect_navigation() as turned:
                page.click("button")
            assert turned.value.status == 403, path
            sent = turned.value.request.all_headers()
            assert "clues_key" in sent["cookie"]
    assert console.stands(clue_id)["state"] == "dispatched"
    page.goto(f"{console.url}/console/queue")
    assert page.locator("#view").count() == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://[", "sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({}, 422),
    ],
)
def test_a_form_without_its_token_or_of_another_origin_is_refused(
    console: Console, headers: dict[str, str], status: int
) -> None:
    """Where no browser says where it comes from, the token alone decides."""
    clue_id = console.waiting[0]
    client = signed_in(console)
    for token in ("", "0" * 64, "é"):
        reply = client.post(
            f"/console/clues/{clue_id}/transitions",
            data={"to": "accepted", "expects": "1", "token": token},
            headers=headers,
        )
        assert reply.status_code == status
    assert client.post("/console/out", headers=headers).status_code == status
