"""The scorer pages: two persons decide there as they do over HTTP, and a champion is taken back."""

from __future__ import annotations

import pytest
from deciding_persons import Person, weigh
from hamlet_scorer import write_hamlet_bundle
from served_hamlet import NOON, Served

from base.moment import FixedClock
from scoring.champion import read_champion
from serving.console.card import sections_of

CARD = """# 标题 · Title

## 用途 · Intended use

- 只排先后。 · Orders work \\*only\\*.

| 指标 · figure | 值 |
| --- | --- |
| a\\|b | <script> |
"""


@pytest.fixture
def better(served: Served, monkeypatch: pytest.MonkeyPatch) -> str:
    """A second scorer, which the rule lets through. The trial in a process of its own is that of
    test_promotion and of the browser's tests."""
    monkeypatch.setattr("serving.promotion.try_bundle", lambda *_: None)
    served.service.clock = FixedClock(NOON)
    digest = write_hamlet_bundle(served.home, seed=2)
    weigh(served, digest, passed=True)
    return digest


def champion(served: Served) -> str:
    return read_champion(served.home.scorers).scorer


def test_one_proposes_by_the_page_another_approves_and_both_can_take_it_back(
    served: Served, better: str
) -> None:
    """The whole way and back: each step by one of two persons, none by the same twice."""
    first = champion(served)
    li, wang = Person(served, "Li"), Person(served, "Wang")
    assert 'value="propose"' in li.page(better)
    assert li.send(better, "propose").status_code == 303
    assert 'value="approve"' not in li.page(better)
    own = li.send(better, "approve")
    assert (own.status_code, "Nobody approves what he proposed" in own.text) == (403, True)
    assert 'value="approve"' in wang.page(better)
    assert wang.send(better, "approve").status_code == 303
    assert champion(served) == better
    assert wang.send(first, "roll_back").status_code == 422, "a reason is wanted"
    assert wang.send(first, "roll_back", "worse since Monday").status_code == 303
    assert champion(served) == better
    assert wang.send(first, "approve").status_code == 403
    assert li.send(first, "approve").status_code == 303
    now = read_champion(served.home.scorers)
    assert (now.scorer, now.change, now.by, now.approved_by, now.why) == (
        first, "rolled_back", "Wang", "Li", "worse since Monday",
    )  # fmt: skip
    listed = served.client.get("/console/scorers?language=en", headers=li.shown).text
    assert "worse since Monday" in listed


def test_what_the_rule_does_not_let_through_wants_a_reason(served: Served, better: str) -> None:
    """Which is kept with the rule that was not met; the second person reads both."""
    weigh(served, better, passed=False)
    li, wang = Person(served, "Li"), Person(served, "Wang")
    refused = li.send(better, "propose")
    assert (refused.status_code, "The rule is not met" in refused.text) == (422, True)
    assert li.send(better, "propose", "<b>the law changed</b>").status_code == 303
    page = wang.page(better)
    assert "&lt;b&gt;the law changed" in page
    assert "rules not met: calibration" in page
    assert wang.send(better, "withdraw").status_code == 303
    assert champion(served) != better


def test_a_form_that_cannot_be_taken_changes_nothing(served: Served, better: str) -> None:
    """Another token, another step, a scorer that is none, a roll back to what never served."""
    li = Person(served, "Li")
    assert li.send(better, "propose", token="0" * 64).status_code == 422
    assert li.send(better, "crown").status_code == 422
    assert li.send(better, "roll_back", "why not").status_code == 409
    assert li.send(better, "approve").status_code == 409
    assert champion(served) != better
    for digest in ("0" * 64, "..%2F..", "<b>"):
        reply = served.client.get(f"/console/scorers/{digest}", headers=li.shown)
        assert reply.status_code == 404


def test_who_is_kept_to_an_office_reads_but_does_not_decide(served: Served, better: str) -> None:
    """No form is offered to him, and one that he makes himself is refused."""
    kept = Person(served, "Zhao", office="A")
    assert 'name="step"' not in kept.page(better)
    assert kept.send(better, "propose").status_code == 403
    auditor = served.key("auditor")["authorization"].split()[1]
    shown = {"cookie": f"clues_key={auditor}"}
    for path in ("/console/scorers", f"/console/scorers/{better}", "/console/monitoring"):
        assert served.client.get(path, headers=shown).status_code == 200


def test_a_card_is_shown_in_one_language_and_runs_nothing(served: Served, better: str) -> None:
    """Headings, sentences and tables as they were written, before they were escaped."""
    (section,) = sections_of(CARD, "en")
    assert section.title == "Intended use"
    assert section.words == ["Orders work *only*."]
    assert section.rows == [["figure", "值"], ["a|b", "<script>"]]
    assert sections_of(CARD, "zh")[0].words == ["只排先后。"]
    report = served.home.reports / f"drawn-{better[:12]}"
    report.mkdir(parents=True)
    (report / "card.md").write_text(CARD, "utf-8")
    page = Person(served, "Li").page(better)
    assert "Orders work *only*." in page
    assert "<script>" not in page
