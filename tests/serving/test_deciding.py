"""The scorer pages: two persons decide there as they do over HTTP, and a champion is taken back."""

from __future__ import annotations

import json

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


def tell_figures(served: Served, digest: str, auc: float, *tests: tuple[str, str, int]) -> None:
    """What a training keeps beside its report: figures, and the tests they are of."""
    report = served.home.reports / f"drawn-{digest[:12]}"
    report.mkdir(parents=True, exist_ok=True)
    splits = [
        {"test_from": f"{start} 00:00:00", "test_until": f"{end} 00:00:00", "test_clues": clues,
         "test_cases": 7}
        for start, end, clues in tests
    ]  # fmt: skip
    told = {"metrics": {"auc": auc}, "splits": splits}
    (report / "figures.json").write_text(json.dumps(told), "utf-8")


def test_figures_of_two_tests_are_not_compared_and_each_says_what_it_was_judged_on(
    served: Served, better: str
) -> None:
    """Another month, or one clue more, is another test; the same test is compared."""
    first, li = champion(served), Person(served, "Li")
    spring, autumn = ("2024-03-01", "2024-05-01", 90), ("2024-09-01", "2024-11-01", 80)
    tell_figures(served, better, 0.9, autumn)
    for theirs, compared in (((spring, autumn), False), ((autumn,), True), ((spring,), False)):
        tell_figures(served, first, 0.8, *theirs)
        page = li.page(better)
        assert ("different tests" in page, "▲ better" in page) == (not compared, compared)
        clues = sum(each[2] for each in theirs)
        assert "2024-09-01 – 2024-11-01" in page
        assert f"{theirs[0][0]} – {theirs[-1][1]}" in page
        assert f"{clues} with an outcome" in page
    listed = served.client.get("/console/scorers?language=en", headers=li.shown).text
    assert "2024-03-01 – 2024-05-01" in listed
    assert "2024-09-01 – 2024-11-01" in listed
    told = served.client.get("/v1/scorers", headers=served.key("auditor")).json()["scorers"]
    assert {each["scorer"]: each["judged_on"]["clues"] for each in told} == {better: 80, first: 90}
    report = served.home.reports / f"drawn-{first[:12]}" / "figures.json"
    for odd in ('{"splits": 3}', '{"splits": [{"test_from": "x"}]}', '{"splits": []}', "{}"):
        report.write_text(odd, "utf-8")
        assert li.page(better).startswith("<!doctype html>")


def test_what_was_weighed_on_the_same_clues_is_compared(served: Served, better: str) -> None:
    """Beside the champion that it was weighed beside; once another serves, it says so no more."""
    first, li = champion(served), Person(served, "Li")
    path = served.home.proposals / f"{better}.json"
    note = json.loads(path.read_text("utf-8"))
    rows = {"labelled": 61, "cases": 9, "from": "2024-09-03T00:00:00", "until": "2024-10-28"}
    figures = {"rows": rows, "challenger": {"auc": 0.71}, "champion": {"auc": 0.74}}
    path.write_text(json.dumps({**note, "figures": figures}), "utf-8")
    page = li.page(better)
    assert "on the same clues" in page
    assert "2024-09-03 – 2024-10-28" in page
    assert "61 with an outcome" in page
    assert "▼ worse" in page
    for odd in ({"champion": "0" * 64}, {"champion": first, "figures": {"rows": rows}}):
        path.write_text(json.dumps({**note, "figures": figures, **odd}), "utf-8")
        assert "on the same clues" not in li.page(better)
