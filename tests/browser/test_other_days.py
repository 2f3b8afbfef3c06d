"""A dispatcher's, a scientist's and a steward's day in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console_visits import Console, require_accessible, sign_in_by_name
from hostile_strings import SHOWN
from playwright.sync_api import BrowserContext, Page, expect

from governance.intake import admit
from scoring.champion import read_champion

SAID = {
    "zh": {
        "b": "乙县院", "one": "分派此条", "done": "已分派线索：1", "supervise": "督办",
        "ask": "测算", "watched": "督办中", "none": "本周没有可建议的线索",
    },
    "en": {
        "b": "County B", "one": "This one", "done": "Clues dispatched: 1",
        "supervise": "Supervise", "ask": "Ask", "watched": "supervised",
        "none": "Nothing to propose",
    },
}  # fmt: skip
# A scorer is tried in a process of its own before it serves.
TRIAL_MS = 60_000
HEAD = "payment_no,person_id,agency_id,office_id,paid_on,amount_cents\n"


def button(page: Page, name: str) -> None:
    """Pressed by keyboard."""
    page.get_by_role("button", name=name).first.focus()
    page.keyboard.press("Enter")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_dispatcher_looks_round_dispatches_asks_what_if_and_supervises(
    console: Console, visit: BrowserContext, language: str
) -> None:
    """From the province down to an office whose clue is late; a proposal confirmed by keyboard."""
    said, late = SAID[language], console.overdue()
    page = visit.new_page()
    sign_in_by_name(page, console, console.account("centre", "dispatcher"), language)
    expect(page.locator("h1")).to_have_text("省院" if language == "zh" else "Province")
    require_accessible(page)
    page.get_by_role("link", name=said["b"]).click()
    expect(page.locator(".way a")).to_have_count(1)
    require_accessible(page)
    proposed = page.locator("#proposals ~ form a.id")
    if language == "zh":
        clue_id = proposed.first.inner_text()
        button(page, f"{said['one']} {clue_id}")
        expect(page.get_by_role("status")).to_contain_text(said["done"])
        assert console.stands(clue_id, "B")["state"] == "dispatched"
        console.of_b.remove(clue_id)
    expect(page.locator("#proposals ~ p")).to_contain_text(said["none"])
    page.goto(f"{console.url}/console/clues/{late}/split?language={language}")
    require_accessible(page)
    page.go_back()
    page.select_option("#more", "2")
    button(page, said["ask"])
    expect(page.locator("tr.sum td").first).to_have_text("+2")
    row = page.locator("tr", has_text=late)
    row.locator("summary").click()
    row.locator("textarea").fill("拖延已久")
    row.get_by_role("button", name=said["supervise"]).click()
    expect(page.locator("tr", has_text=late)).to_contain_text(said["watched"])
    expect(page.locator("tr", has_text=late)).to_contain_text("拖延已久")


def test_an_offices_dispatcher_sees_no_other_office_on_any_page(
    console: Console, visit: BrowserContext
) -> None:
    """Neither its name nor a clue of it, in both languages; asking for it by address is refused."""
    page = visit.new_page()
    sign_in_by_name(page, console, console.account("centre-a", "dispatcher", "A"))
    for language in ("zh", "en"):
        for path in ("command?", "queue?", "queue?view=in_hand&", "queue?view=overdue&"):
            page.goto(f"{console.url}/console/{path}language={language}")
            text = page.content()
            for theirs in ("乙县院", "County B", "省院", "Province", *console.of_b):
                assert theirs not in text, path
    for path in ("command?office=B", "command?office=P", "queue?office=B"):
        reply = page.goto(f"{console.url}/console/{path}")
        assert reply is not None
        assert reply.status == 422, path


def test_two_scientists_promote_a_scorer_and_take_it_back(
    console: Console, visit: BrowserContext
) -> None:
    """Read, propose, approve as another, look at the monitoring, roll back likewise."""
    first = read_champion(console.served.home.scorers).scorer
    better = console.another_scorer()
    people = [console.account(each, "data_scientist") for each in ("li", "wang")]
    page = visit.new_page()

    def as_(login: str, digest: str) -> None:
        visit.clear_cookies()
        sign_in_by_name(page, console, login, "en")
        page.get_by_role("link", name=digest[:12]).first.click()

    as_(people[0], better)
    require_accessible(page)
    button(page, "Propose it")
    expect(page.get_by_role("status")).to_contain_text("waits for a second person")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    as_(people[1], better)
    button(page, "Approve, and put it in use")
    expect(page.get_by_role("status")).to_contain_text("it serves now", timeout=TRIAL_MS)
    expect(page.locator(".badge.state")).to_have_text("champion")
    page.get_by_role("link", name="Scorers").first.click()
    require_accessible(page)
    page.get_by_role("link", name="Monitoring").click()
    require_accessible(page)
    as_(people[1], first)
    page.fill("#why-roll_back", "worse since Monday")
    button(page, "Propose to roll back")
    expect(page.get_by_role("status")).to_contain_text("waits for a second person")
    as_(people[0], first)
    button(page, "Approve, and put it in use")
    expect(page.get_by_role("status")).to_contain_text("it serves now", timeout=TRIAL_MS)
    assert read_champion(console.served.home.scorers).scorer == first


def test_a_steward_finds_what_was_put_aside_and_why(
    console: Console, visit: BrowserContext, tmp_path: Path
) -> None:
    """A hundred hostile rows are refused and shown letter by letter; the sets are accessible."""
    rows = [f"h{at},p1,x,A,{quoted(text)},1\n" for at, text in enumerate(SHOWN)]
    (tmp_path / "hostile.csv").write_text(HEAD + "".join(rows), "utf-8", newline="")
    receipt = admit(console.served.home, "payments", [tmp_path / "hostile.csv"], console.clock)
    assert receipt.quarantined == len(SHOWN)
    page = visit.new_page()
    sign_in_by_name(page, console, console.account("steward", "steward"))
    require_accessible(page)
    page.get_by_role("link", name="payments").click()
    require_accessible(page)
    page.locator("#why ~ div a").first.click()
    seen = shown_rows(page)
    page.get_by_role("link", name="下一页").click()
    seen += shown_rows(page)
    assert len(seen) == len(SHOWN)
    assert {" ".join(each.split()) for each in SHOWN} == {" ".join(each.split()) for each in seen}
    assert (
        page.locator("main :is(script, img, iframe, style, form, a[href^=javascript])").count() == 0
    )
    page.goto(f"{console.url}/console/queue")
    expect(page.locator("h1")).to_have_text("无法显示")
    require_accessible(page)


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def shown_rows(page: Page) -> list[str]:
    """What stands in the faulty column of each row."""
    told: list[str] = page.locator(".raw .faulty").evaluate_all(
        "all => all.map(e => e.textContent)"
    )
    return [re.sub(r"^paid_on=", "", each) for each in told]


def test_everybody_finds_his_account_and_a_key_has_no_password(
    console: Console, visit: BrowserContext
) -> None:
    """Signing in, the account's page and a wrong password are accessible."""
    page = visit.new_page()
    page.goto(f"{console.url}/console?language=en")
    require_accessible(page)
    page.fill("#login", "nobody")
    page.fill("#password", "wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    require_accessible(page)
    sign_in_by_name(page, console, console.account("admin", "administrator"), "en")
    expect(page.locator("h1")).to_have_text("My account")
    require_accessible(page)
    page.fill("#old", "not it")
    page.fill("#new", "long enough for one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Your password now")
