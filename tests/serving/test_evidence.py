"""The records behind a value: those of the score's moment, page by page, masked by role."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import hamlet
import pytest
from fastapi.testclient import TestClient
from told_hamlet import NOON, Asking, told_hamlet

from base.moment import FixedClock
from features.classified import classifications
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction
from scoring.audit import entries_after
from scoring.ledger import latest_score
from serving.evidence import OWN_OFFICES

COUNT = "own_payments__count_all"
SHARE = "model_conversion__ratio_all"


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Asking:
    folder: Path = tmp_path_factory.mktemp("told")
    return Asking(told_hamlet(folder))


def ask(asking: Asking, path: str, role: str = "reviewer", office: str | None = "A") -> Any:
    return asking.client.get(path, headers=asking.key(role, office))


def test_the_records_behind_a_count_are_as_many_and_come_page_by_page(asking: Asking) -> None:
    """Five payments, two at a time, in order of happening, each once."""
    path = f"/v1/clues/{asking.clue_of('p4')}/evidence/{COUNT}?limit=2&after="
    pages, after = [], 0
    while after is not None:
        page = ask(asking, f"{path}{after}").json()
        pages.append(page)
        after = page["next_after"]
    rows = [row for page in pages for row in page["records"]]
    assert [len(page["records"]) for page in pages] == [2, 2, 1]
    assert {page["total"] for page in pages} == {pages[0]["value"]} == {5}
    assert [row["paid_on"] for row in rows] == sorted(row["paid_on"] for row in rows)
    assert len({row["record_no"] for row in rows}) == 5
    assert {row["amount_cents"] for row in rows} == {50_000}


def test_identity_numbers_are_masked_by_role(asking: Asking) -> None:
    """A reviewer reads none, a dispatcher all; the page says which column is masked."""
    path = f"/v1/clues/{asking.clue_of('p4')}/evidence/{COUNT}"
    for role, number in (("reviewer", "****"), ("dispatcher", "p4")):
        page = ask(asking, path, role).json()
        assert {row["person_id"] for row in page["records"]} == {number}
        masked = {column["name"] for column in page["columns"] if column["masked"]}
        assert masked == ({"person_id"} if role == "reviewer" else set())
    clue = f"/v1/clues/{asking.clue_of('p4')}"
    assert ask(asking, clue).json()["subject_id"] == "****"
    assert ask(asking, clue, "dispatcher").json()["subject_id"] == "p4"


def test_who_reads_what_others_see_masked_is_told_in_the_audit(asking: Asking) -> None:
    """By a dispatcher, once for each page with records on it; a reviewer saw masks only."""
    clue, feature = asking.clue_of("p4"), COUNT

    def told() -> list[tuple[str, Any]]:
        rows = entries_after(asking.service.ledger, 0, 10_000)
        return [(row["about"], row["body"]["what"]) for row in rows if row["kind"] == "read"]

    before = told()
    assert ask(asking, f"/v1/clues/{clue}/evidence/{feature}").status_code == 200
    assert told() == before
    path = f"/v1/clues/{clue}/evidence/{feature}"
    assert ask(asking, path, "dispatcher").json()["records"]
    assert ask(asking, f"{path}?after=100000", "dispatcher").json()["records"] == []
    assert told() == [*before, (clue, f"evidence {feature}")]


def test_a_masked_feature_is_told_in_the_sum_only(asking: Asking) -> None:
    """The amount is restricted: no reason, no evidence, the same answer as for no feature."""
    clue = asking.clue_of("p4")
    told = {
        role: ask(asking, f"/v1/clues/{clue}/reasons?reasons=9", role).json()
        for role in ("reviewer", "dispatcher")
    }
    seen, whole = told["reviewer"], told["dispatcher"]
    assert seen["masked_features"] == 1
    assert len(whole["reasons"]) == len(seen["reasons"]) + 1
    for each in (seen, whole):
        total = each["base"] + sum(r["contribution"] for r in each["reasons"]) + each["other"]
        assert total == pytest.approx(each["margin"], abs=1e-9)
    assert "amount" not in str(seen)
    hidden = ask(asking, f"/v1/clues/{clue}/evidence/amount_cents")
    absent = ask(asking, f"/v1/clues/{clue}/evidence/nothing")
    assert hidden.status_code == absent.status_code == 404
    assert hidden.content == absent.content


def test_a_share_tells_two_lists_of_records(asking: Asking) -> None:
    """Three ended clues of A's agency, two of them cases; reasons name the same records."""
    clue = asking.clue_of("p4")
    page = ask(asking, f"/v1/clues/{clue}/evidence/{SHARE}").json()
    hits = [row["record_no"] for row in page["records"] if row["hit"]]
    assert (page["record_set"], page["total"], len(hits)) == ("outcomes", 3, 2)
    shrunk_twice = (2 + 4 * (2 + 4 * (2 + 4 * 0.1) / 7) / 7) / 7
    assert page["value"] == pytest.approx(shrunk_twice)
    assert (page["hits"], page["total"]) == (2, 3)
    assert "an estimate" in ask(asking, f"/v1/clues/{clue}/evidence/{SHARE}?language=en").text
    assert ask(asking, f"/v1/clues/{clue}/evidence/{COUNT}").json()["hits"] is None
    reasons = ask(asking, f"/v1/clues/{clue}/reasons?reasons=9&evidence=2").json()["reasons"]
    told = {each["feature"]: each["evidence"] for each in reasons}
    assert told[SHARE]["record_nos"] == [row["record_no"] for row in page["records"]][:2]
    assert set(told[SHARE]["hits"]) <= set(hits)
    assert told[SHARE]["more"]
    assert told["supervision_model"] is None


def test_records_about_other_offices_clues_are_neither_shown_nor_counted(asking: Asking) -> None:
    """A's outcomes stand behind B's share: B sees none of them, the province all."""
    clue = asking.clue_of("p1")
    for office, total in (("B", 0), ("P", 3)):
        page = ask(asking, f"/v1/clues/{clue}/evidence/{SHARE}", office=office).json()
        assert (page["total"], len(page["records"])) == (total, total)
        assert page["hits"] == (2 if total else 0)


def test_who_reads_own_offices_only_is_told_so_whatever_is_hidden(asking: Asking) -> None:
    """The same sentence where nothing is hidden (A's clue) and where all is (B's); none of a value
    in the clue itself, and none to who sees all offices."""
    here, there = asking.clue_of("p4"), asking.clue_of("p1")
    for language, told in (("en", OWN_OFFICES.en), ("zh", OWN_OFFICES.zh)):
        for clue, office in ((here, "A"), (there, "B")):
            path = f"/v1/clues/{clue}/evidence/{SHARE}?language={language}"
            assert ask(asking, path, office=office).json()["note"] == told
    plain = ask(asking, f"/v1/clues/{here}/evidence/supervision_model").json()
    assert plain["note"] is None
    whole = ask(asking, f"/v1/clues/{here}/evidence/{SHARE}", office=None).json()
    assert (whole["note"], whole["total"]) == (None, 3)


def test_a_page_of_records_tells_a_reviewer_of_one_office_so(asking: Asking) -> None:
    """The same words as over HTTP, in the page's language."""
    browser = TestClient(asking.client.app, base_url="https://testserver")
    key = asking.key("reviewer", "B")["authorization"].split()[1]
    browser.post("/console", data={"key": key})
    path = f"/console/clues/{asking.clue_of('p1')}/evidence/{SHARE}"
    assert OWN_OFFICES.en in browser.get(f"{path}?language=en").text
    assert OWN_OFFICES.zh in browser.get(f"{path}?language=zh").text


def test_a_plain_value_stands_in_the_clue_itself(asking: Asking) -> None:
    """No record set, no records."""
    path = f"/v1/clues/{asking.clue_of('p4')}/evidence/supervision_model"
    page = ask(asking, path).json()
    assert (page["record_set"], page["records"], page["total"]) == (None, [], 0)


def test_absent_and_forbidden_clues_answer_the_same(asking: Asking) -> None:
    """P-10: another office's clue, one that never was, and one nobody scored."""
    paths = [
        f"/v1/clues/{clue}/evidence/{COUNT}"
        for clue in (asking.clue_of("p1"), "0" * 16, asking.clue_of("p0"))
    ]
    forbidden, absent, unscored = (ask(asking, path) for path in paths)
    assert forbidden.status_code == absent.status_code == unscored.status_code == 404
    assert forbidden.content == absent.content


def test_evidence_is_of_the_scores_moment_and_versions(asking: Asking) -> None:
    """P-5: a payment that arrives later, whenever it happened, changes no byte."""
    clue = asking.clue_of("p8")
    before = ask(asking, f"/v1/clues/{clue}/evidence/{COUNT}")
    late = hamlet.payment("late", 8, date(2024, 3, 3))
    admit_table(asking.home, "payments", late, FixedClock(NOON))
    assert ask(asking, f"/v1/clues/{clue}/evidence/{COUNT}").content == before.content
    assert latest_score(asking.service.ledger, clue).versions["payments"] >= 0


def test_a_feature_shows_what_it_adds_up_and_filters_by_not_its_key(asking: Asking) -> None:
    """Counting payments by a restricted number tells no number; the amount itself is restricted."""
    definitions, jurisdiction = asking.service.definitions, asking.service.home.jurisdiction
    shown = {each.name: classifications(each, jurisdiction) for each in definitions.features}
    assert shown[COUNT] == frozenset()
    assert shown["amount_cents"] == {"restricted"}
    assert shown[SHARE] == {"internal"}


def test_a_clue_column_is_classified_as_in_the_records_it_comes_from() -> None:
    """anhui's contracts restrict identity and telephone numbers: so are those of its clues."""
    classified = load_jurisdiction("anhui").clue_classifications
    assert classified["subject_id"] == classified["phone_id"] == "restricted"
    assert classified["amount_cents"] == "internal"
