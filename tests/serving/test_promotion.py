"""Promotion over HTTP: one proposes, another approves, and nothing goes into use otherwise."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import sqlalchemy as sa
from hamlet_scorer import write_hamlet_bundle
from served_hamlet import NOON, Served

from scoring.champion import read_champion, write_champion
from scoring.ledger.tables import audit

APPROVE = {"step": "approve"}


def weigh(served: Served, digest: str, *, passed: bool = True) -> None:
    """What `clues weigh` keeps, with one rule met or not."""
    champion = read_champion(served.home.scorers).scorer
    reason = {
        "rule": "ece_at_most",
        "passed": passed,
        "wanted": {"zh": "至多0.05", "en": "at most 0.05"},
        "got": {"zh": "0.09", "en": "0.09"},
    }
    note = {"scorer": digest, "champion": champion, "passed": passed, "reasons": [reason]}
    served.home.proposals.mkdir(exist_ok=True)
    (served.home.proposals / f"{digest}.json").write_text(json.dumps(note), "utf-8")


def post(served: Served, digest: str, headers: dict[str, str], body: Any = None) -> Any:
    content = b"" if body is None else json.dumps(body)
    path = f"/v1/scorers/{digest}/promotion"
    return served.client.post(path, content=content, headers=headers)


def serving(served: Served) -> str:
    return read_champion(served.home.scorers).scorer


@pytest.fixture
def better(served: Served) -> str:
    digest = write_hamlet_bundle(served.home, seed=2)
    weigh(served, digest)
    return digest


def test_one_proposes_another_approves_and_the_next_request_is_answered_by_it(
    served: Served, better: str
) -> None:
    """Both names stand beside the champion, as the command line would write them."""
    li = served.key("data_scientist", holder="Li")
    wang = served.key("data_scientist", holder="Wang")
    first = post(served, better, li)
    assert first.status_code == 200
    assert (first.json()["proposal"]["state"], first.json()["champion"]) != ("open", better)
    assert post(served, better, li).json() == first.json()
    assert post(served, better, wang).status_code == 409
    done = post(served, better, wang, APPROVE).json()
    assert (done["champion"], done["proposal"]["state"]) == (better, "approved")
    champion = read_champion(served.home.scorers)
    assert (champion.by, champion.approved_by) == ("Li", "Wang")
    assert served.service.champion().digest == better
    query = sa.select(audit.c.body).where(audit.c.kind == "promotion").order_by(audit.c.seq)
    with served.service.ledger.connect() as connection:
        states = [json.loads(body)["state"] for body in connection.execute(query).scalars()]
    assert states == ["open", "approved"]
    told = served.client.get(f"/v1/scorers/{better}", headers=li).json()
    assert told["served"][0]["approved_by"] == "Wang"
    assert told["proposals"][0]["decided_by"] == "Wang"


def test_nobody_approves_what_he_proposed(served: Served, better: str) -> None:
    """Not with the same key, nor with another key of the same holder."""
    before = serving(served)
    key = served.key("data_scientist")
    post(served, better, key)
    assert post(served, better, key, APPROVE).status_code == 403
    post(served, better, key, {"step": "withdraw"})
    first, second = (served.key("data_scientist", holder=name) for name in ("Li Ming", "li ming "))
    assert post(served, better, first).status_code == 200
    assert post(served, better, second, APPROVE).status_code == 403
    assert serving(served) == before


def test_nothing_is_approved_that_nobody_proposed(served: Served, better: str) -> None:
    """409, and the same for what was withdrawn."""
    before = serving(served)
    li, wang = served.key("data_scientist"), served.key("data_scientist")
    assert post(served, better, wang, APPROVE).status_code == 409
    post(served, better, li)
    assert post(served, better, li, {"step": "withdraw"}).status_code == 200
    assert post(served, better, wang, APPROVE).status_code == 409
    assert serving(served) == before


def test_a_scorer_that_failed_the_rule_wants_a_reason_which_is_kept(
    served: Served, better: str
) -> None:
    """422 tells the rule and what was got; with a reason it may be proposed."""
    weigh(served, better, passed=False)
    li, wang = served.key("data_scientist"), served.key("data_scientist")
    refused = post(served, better, li)
    assert refused.status_code == 422
    assert refused.json()["faults"][0]["where"] == "ece_at_most"
    assert post(served, better, li, {"despite": "the old one knows no shells"}).status_code == 200
    post(served, better, wang, APPROVE)
    champion = read_champion(served.home.scorers)
    assert (champion.why, champion.failed) == ("the old one knows no shells", ("ece_at_most",))


def test_what_was_not_weighed_beside_the_champion_in_use_is_not_taken(
    served: Served, better: str
) -> None:
    """Never weighed; and weighed, proposed, but overtaken by another promotion."""
    third = write_hamlet_bundle(served.home, seed=3)
    li, wang = served.key("data_scientist"), served.key("data_scientist")
    assert post(served, third, li).status_code == 409
    assert post(served, better, li).status_code == 200
    write_champion(served.home.scorers, third, by="Li", approved_by="Wang", at=NOON)
    overtaken = post(served, better, wang, APPROVE)
    assert overtaken.status_code == 409
    assert "clues weigh" in overtaken.json()["faults"][0]["cure"]
    assert serving(served) == third
    assert post(served, third, li).status_code == 409


def test_a_spoilt_bundle_is_neither_proposed_nor_approved(served: Served, better: str) -> None:
    """P-7: its digest is checked at each step, before anything of it is read."""
    before = serving(served)
    li, wang = served.key("data_scientist"), served.key("data_scientist")
    post(served, better, li)
    model = served.home.scorers / better / "model.txt"
    model.write_text(model.read_text("utf-8").replace("leaf", "laef", 1), "utf-8")
    assert post(served, better, wang, APPROVE).status_code == 422
    assert served.client.get(f"/v1/scorers/{better}", headers=li).status_code == 422
    listed = served.client.get("/v1/scorers", headers=li).json()["scorers"]
    assert {each["scorer"]: each["spoilt"] for each in listed} == {before: False, better: True}
    assert serving(served) == before


def test_of_many_who_approve_at_once_one_does(served: Served, better: str) -> None:
    """The others are told that nothing waits any more."""
    post(served, better, served.key("data_scientist"))
    keys = [served.key("data_scientist") for _ in range(6)]
    told: list[int] = []
    threads = [
        threading.Thread(
            target=lambda key=key: told.append(post(served, better, key, APPROVE).status_code)
        )
        for key in keys
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [200, 409, 409, 409, 409, 409]


def test_scorers_are_told_without_rows_of_clues(served: Served, better: str) -> None:
    """Manifest, figures and card; golden rows stay in the bundle; odd digests are unknown."""
    headers = served.key("auditor")
    listed = served.client.get("/v1/scorers", headers=headers).json()
    assert {each["scorer"] for each in listed["scorers"]} == {better, serving(served)}
    assert listed["champion"]["scorer"] == serving(served)
    report = served.home.reports / f"drawn-{better[:12]}"
    report.mkdir(parents=True)
    (report / "figures.json").write_text('{"metrics": {"auc": 0.8, "ece": NaN}}', "utf-8")
    (report / "card.md").write_text("# 评分器", "utf-8")
    told = served.client.get(f"/v1/scorers/{better}", headers=headers).json()
    assert told["figures"] == {"metrics": {"auc": 0.8, "ece": None}}
    assert told["card"] == "# 评分器"
    assert "golden" not in told["manifest"]
    assert told["manifest"]["features"]
    for odd in ("0" * 64, "..", "champion.json", better[:12]):
        assert served.client.get(f"/v1/scorers/{odd}", headers=headers).status_code == 404
