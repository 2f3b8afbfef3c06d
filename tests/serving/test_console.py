"""The console: plain pages in two languages, nothing from elsewhere, nothing unescaped."""

from __future__ import annotations

import re
from typing import Any

import pytest

from clues.register import read_clues
from serving.console.evidence import Cell, EvidenceTable


@pytest.fixture
def visitor(served: Any) -> Any:
    """A reviewer of office A, signed in."""
    key = served.key("reviewer", "A")["authorization"].split()[1]
    reply = served.client.post("/console", data={"key": key}, follow_redirects=False)
    assert reply.status_code == 303
    cookie = reply.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    return served


def first(served: Any, office: str = "A") -> str:
    rows = read_clues(served.home).to_pylist()
    return next(row["clue_id"] for row in rows if row["office_id"] == office)


def test_the_queue_page_leads_to_a_clue_with_reasons_and_records(visitor: Any) -> None:
    """Every link of the queue opens; the clue page shows its sum and the death record."""
    page = visitor.client.get("/console/queue?language=zh").text
    links = re.findall(r'href="(/console/clues/[^"]+)"', page)
    assert len(links) == 6
    for link in links:
        clue = visitor.client.get(link)
        assert clue.status_code == 200
        assert "成案概率" in clue.text
        assert "deaths" in clue.text
        assert "不是证据" in clue.text
        assert "虚构" in clue.text


def test_both_languages_have_every_word(visitor: Any) -> None:
    """The English page has no Chinese but the link to the other language and titles."""
    page = visitor.client.get("/console/queue?language=en").text
    assert "Queue of clues" in page
    assert "not evidence" in page
    assert re.findall(r"[一-鿿]+", page) == ["中文"]


def test_pages_load_nothing_from_elsewhere(visitor: Any) -> None:
    """A strict policy, no script, no inline style, one style sheet of our own."""
    reply = visitor.client.get("/console/queue")
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    for outside in ("http://", "https://", "<script", "style=", "@import"):
        assert outside not in reply.text
    assert visitor.client.get("/console/style.css").headers["content-type"].startswith("text/css")


def test_crafted_text_in_a_record_is_shown_not_run(
    visitor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filing that holds markup is escaped (records are written by subjects too)."""
    table = EvidenceTable("<b>", ["<i>"], [[Cell("<i>", "<script>alert(1)</script>")]])
    monkeypatch.setattr("serving.console.clue.evidence_tables", lambda *_: [table])
    text = visitor.client.get(f"/console/clues/{first(visitor)}").text
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_without_a_key_every_page_leads_to_signing_in(served: Any) -> None:
    """And a wrong key is told, not quoted."""
    for path in ("/console/queue", "/console/clues/0000000000000000"):
        reply = served.client.get(path, follow_redirects=False)
        assert (reply.status_code, reply.headers["location"][:8]) == (303, "/console")
    wrong = served.client.post("/console", data={"key": "SECRET"})
    assert wrong.status_code == 401
    assert "SECRET" not in wrong.text


def test_another_offices_clue_is_shown_as_absent(visitor: Any) -> None:
    """The same page as for a clue that never was."""
    rows = read_clues(visitor.home).to_pylist()
    theirs = next(row["clue_id"] for row in rows if row["office_id"] == "B")
    forbidden = visitor.client.get(f"/console/clues/{theirs}")
    absent = visitor.client.get("/console/clues/0000000000000000")
    assert forbidden.status_code == absent.status_code == 404
    assert forbidden.text.replace(theirs, "") == absent.text.replace("0000000000000000", "")


def test_an_administrator_neither_scores_nor_reads_clues(served: Any) -> None:
    """The role is for users and keys."""
    key = served.key("administrator")["authorization"].split()[1]
    served.client.post("/console", data={"key": key})
    assert served.client.get("/console/queue").status_code == 403


def test_a_reason_leads_to_its_records_and_to_what_to_do_next(visitor: Any) -> None:
    """The link on a reason's sentence opens its records; the further page opens too."""
    page = visitor.client.get("/console/queue?language=en").text
    link = re.findall(r'href="(/console/clues/[^"]+)"', page)[0]
    clue = visitor.client.get(link).text
    reasons = re.findall(r'href="(/console/clues/[^"]+/evidence/[^"]+)"', clue)
    assert reasons
    for reason in reasons:
        records = visitor.client.get(reason)
        assert records.status_code == 200
        assert "records" in records.text or "stands in the clue itself" in records.text
    further = re.findall(r'href="(/console/clues/[^"]+/further[^"]*)"', clue)
    told = visitor.client.get(further[0])
    assert told.status_code == 200
    assert "Nothing is worth looking up" in told.text
    assert "No clue like this one has ended yet" in told.text


@pytest.mark.parametrize("query", ["bogus=1", "state=done", "view=waiting&office=&x=1"])
def test_the_work_list_refuses_a_parameter_that_it_does_not_know(visitor: Any, query: str) -> None:
    """As the API does: passed by, it would show all where a part was asked for. The page names
    those that it knows, and nothing that was sent."""
    for language, said in (("en", "The address has a parameter"), ("zh", "本页不认识的参数")):
        reply = visitor.client.get(f"/console/queue?{query}&language={language}")
        assert reply.status_code == 422
        assert said in reply.text
        assert '<span class="id">view</span>' in reply.text
        assert "bogus" not in reply.text
    visitor.client.cookies.clear()
    away = visitor.client.get(f"/console/queue?{query}", follow_redirects=False)
    assert away.status_code == 303
