"""A reviewer's day in a real browser, in both languages: from signing in to the printed sheet."""

from __future__ import annotations

import re
from typing import Any

import pytest
from console_visits import Console, require_accessible, sign_in, sign_in_by_name
from playwright.sync_api import BrowserContext, Page, expect

# 180 mm at 96 dots an inch.
A4_WITHIN_MARGINS = 680
WIDEN = """() => document.querySelectorAll("section .wide tr").forEach(row => {
    for (const cell of [...row.cells, ...row.cells, ...row.cells].map(one => one.cloneNode(true))) {
        if (cell.tagName === "TD") cell.textContent = "340123199001011234";
        row.append(cell);
    }
})"""
SAID: dict[str, dict[str, str]] = {
    "zh": {
        "accept": "受理", "verify": "开始核查", "file": "立案", "accepted": "已受理",
        "verifying": "核查中", "filed": "已立案", "not_evidence": "不是证据", "out": "退出",
        "further": "下一步核查建议与相似线索", "sheet": "打印办理单", "case": "成案",
        "lang": "zh-CN",
    },
    "en": {
        "accept": "Accept", "verify": "Verify", "file": "File a case", "accepted": "accepted",
        "verifying": "being verified", "filed": "case filed", "not_evidence": "not evidence",
        "out": "Sign out", "further": "What to check next, and similar clues",
        "sheet": "Sheet to print", "case": "became a case", "lang": "en",
    },
}  # fmt: skip


def points_of(page: Page) -> list[float]:
    """The figures of the waterfall: base, reasons, others, probability."""
    told = page.locator(".waterfall").first.locator("tbody td.number").all_inner_texts()
    return [float(re.sub(r"[^0-9.−-]", "", each).replace("−", "-")) for each in told]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_reviewer_signs_in_reads_accepts_verifies_files_and_prints(
    console: Console, visit: BrowserContext, language: str
) -> None:
    """Queue, reasons, records, similar clues, three moves, the sheet; accessible on every page."""
    said, clue_id = SAID[language], console.dispatched()
    page = visit.new_page()
    sign_in_by_name(page, console, console.account("reviewer-a", "reviewer", "A"), language)
    expect(page.locator("html")).to_have_attribute("lang", said["lang"])
    expect(page.locator("tr.line")).to_have_count(1)
    require_accessible(page)
    page.select_option("#view", "dispatched")
    page.keyboard.press("Enter")
    page.locator(".filters button").click()
    page.get_by_role("link", name=clue_id).click()
    read_the_clue(page, said)
    decide(page, said)
    print_it(page, said)
    history = console.stands(clue_id)
    assert history["state"] == "case_filed"
    assert history["events"][-1]["facts"] == {
        "case_number": "甲检〔2026〕1号", "filed_on": "2026-01-02",
    }  # fmt: skip


def read_the_clue(page: Page, said: dict[str, str]) -> None:
    """Its score adds up, a reason opens its records, clues like it say what became of them."""
    base, *moves, probability = points_of(page)
    assert base + sum(moves) == pytest.approx(probability, abs=1e-6)
    expect(page.locator(".notice")).to_contain_text(said["not_evidence"])
    require_accessible(page)
    page.locator(".waterfall a", has_text=re.compile("笔|payments")).first.click()
    assert page.locator("tbody tr").count() == 5
    require_accessible(page)
    page.go_back()
    page.get_by_role("link", name=said["further"]).click()
    expect(page.get_by_text(said["case"], exact=True).first).to_be_visible()
    require_accessible(page)
    page.go_back()


def decide(page: Page, said: dict[str, str]) -> None:
    """Accepted and verified by keyboard; a case wants its number and date before it is sent."""
    for move, state in (("accept", "accepted"), ("verify", "verifying")):
        page.get_by_role("button", name=said[move], exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text(said[state])
    page.locator("summary", has_text=re.compile(f"^{said['file']}$")).click()
    number = page.locator("#case_filed-case_number")
    page.get_by_role("button", name=said["file"], exact=True).click()
    assert number.evaluate("field => field.validity.valueMissing")
    require_accessible(page)
    number.fill("甲检〔2026〕1号")
    page.locator("#case_filed-filed_on").fill("2026-01-02")
    page.get_by_role("button", name=said["file"], exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(said["filed"])
    expect(page.locator(".events")).to_contain_text("甲检〔2026〕1号")


def print_it(page: Page, said: dict[str, str]) -> None:
    """The sheet prints without what cannot be pressed on paper; then nobody is signed in."""
    page.get_by_role("link", name=said["sheet"]).click()
    require_accessible(page)
    page.emulate_media(media="print")
    expect(page.locator("nav")).to_be_hidden()
    expect(page.locator(".sheet .notice")).to_be_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
    require_fits_a4(page)
    page.emulate_media(media="screen")
    page.get_by_role("button", name=said["out"]).click()
    expect(page.locator("#login")).to_be_visible()
    assert [each["name"] for each in page.context.cookies()] == []


def require_fits_a4(page: Page) -> None:
    """Nothing is cut off at the right of A4 within its margins, also of a record set with four
    times the columns and numbers as long as an identity card's."""
    screen = page.viewport_size
    page.set_viewport_size({"width": A4_WITHIN_MARGINS, "height": 1_000})
    page.evaluate(WIDEN)
    assert page.locator("section .wide td").count() > 12
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_WITHIN_MARGINS
    page.set_viewport_size(screen or {"width": 1_280, "height": 720})


def test_a_keyboard_comes_to_the_page_and_to_the_first_clue(
    console: Console, visit: BrowserContext
) -> None:
    """The first Tab offers to skip the head; every clue of the queue can be reached by Tab."""
    page = visit.new_page()
    sign_in(page, console, console.key())
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(8):
        page.keyboard.press("Tab")
        at: Any = page.evaluate("document.activeElement.className")
        if at == "id":
            break
    assert page.evaluate("document.activeElement.getAttribute('href')").startswith("/console/clues")


def test_the_queue_shows_what_was_asked_for(console: Console, visit: BrowserContext) -> None:
    """By state, supervision model and function; what is chosen stays chosen in both languages."""
    in_hand = console.dispatched("accepted")
    page = visit.new_page()
    sign_in(page, console, console.key(), "en")
    assert in_hand not in page.content()
    page.goto(f"{console.url}/console/queue?view=accepted&language=en")
    assert [each.strip() for each in page.locator("a.id").all_inner_texts()] == [in_hand]
    page.get_by_role("link", name="中文").click()
    expect(page.locator("#view")).to_have_value("accepted")
    page.goto(f"{console.url}/console/queue?view=overdue&language=en")
    assert page.locator("a.id").count() == 0
    page.goto(f"{console.url}/console/queue?function=public_interest&model=paid_after_death")
    expect(page.locator("a.id").first).to_be_visible()
    for wrong in ("function=criminal", "model=none", "view=none", "office=B"):
        reply = page.goto(f"{console.url}/console/queue?{wrong}")
        assert reply is not None
        assert reply.status == 422, wrong
        require_accessible(page)
