"""POST /v1/scores: from the promoted bundle, adding up, bounded, and quoting nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hamlet_scorer import write_hamlet_bundle

from base.moment import FixedClock
from clues.register import read_clues
from scoring.champion import write_champion

WHOLE = {
    "clue_id": "new",
    "supervision_model": "paid_after_death",
    "subject_id": "p1",
    "raised_at": "2024-07-01T00:00:00",
    "amount_cents": 120_000,
    "agency_id": "x",
}


def ids(served: Any) -> list[str]:
    return sorted(read_clues(served.home)["clue_id"].to_pylist())


def post(served: Any, body: Any, role: str = "case_system") -> Any:
    content = body if isinstance(body, (str, bytes)) else json.dumps(body)
    return served.client.post("/v1/scores", content=content, headers=served.key(role))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_scores_add_up_and_name_one_scorer(served: Any, language: str) -> None:
    """base + contributions + other = margin within 1e-9 for each clue, in both languages."""
    clues = [{"clue_id": each} for each in ids(served)[:5]]
    reply = post(served, {"clues": clues, "reasons": 2, "language": language})
    assert reply.status_code == 200
    told = reply.json()
    assert told["scorer"] == served.service.champion().digest
    assert [each["clue_id"] for each in told["scores"]] == [each["clue_id"] for each in clues]
    for each in told["scores"]:
        parts = sum(reason["contribution"] for reason in each["reasons"])
        assert abs(each["base"] + parts + each["other"] - each["margin"]) <= 1e-9
        assert len(each["reasons"]) == 2
        assert 0 < each["probability"] < 1


def test_a_stored_clue_and_the_same_clue_sent_whole_score_alike(served: Any) -> None:
    """One definition of each feature, whoever brings the columns."""
    row = next(r for r in read_clues(served.home).to_pylist() if r["subject_id"] == "p1")
    whole = {**WHOLE, "amount_cents": row["amount_cents"], "agency_id": row["agency_id"]}
    told = post(served, {"clues": [{"clue_id": row["clue_id"]}, whole]}).json()["scores"]
    assert told[0]["margin"] == told[1]["margin"]
    assert told[0]["reasons"] == told[1]["reasons"]
    assert {each["moment"] for each in told[:1]} == {row["raised_at"].isoformat()}
    later = {"clues": [{"clue_id": row["clue_id"]}], "moment": "2024-12-01"}
    assert post(served, later).json()["scores"][0]["moment"] == "2024-12-01T00:00:00"


def test_what_is_missing_is_named(served: Any) -> None:
    """P-11: a clue without its amount is scored, and the reply says what was not there."""
    whole = {key: value for key, value in WHOLE.items() if key != "amount_cents"}
    told = post(served, {"clues": [whole]}).json()["scores"][0]
    assert "missing:amount_cents" in told["flags"]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"clues": [{**WHOLE, "persn_secret": 1}]}, "clues.0"),
        ({"clues": [{**WHOLE, "amount_cents": "SECRET"}]}, "clues.0.amount_cents"),
        ({"clues": [{**WHOLE, "amount_cents": "120000"}]}, "clues.0.amount_cents"),
        ({"clues": [{**WHOLE, "amount_cents": True}]}, "clues.0.amount_cents"),
        ({"clues": [{**WHOLE, "supervision_model": "SECRET"}]}, "clues.0.supervision_model"),
        ({"clues": [{**WHOLE, "raised_at": "SECRET"}]}, "clues.0.raised_at"),
        ({"clues": [{**WHOLE, "raised_at": "2024-07-01T00:00:00+08:00"}]}, "clues.0.raised_at"),
        ({"clues": [{"clue_id": "SECRET"}]}, "clues.0"),
        ({"clues": [{"clue_id": "a", "amount_cents": 1}]}, "clues.0.supervision_model"),
        ({"clues": []}, "clues"),
        ({"clues": [WHOLE], "language": "SECRET"}, "language"),
        ("{SECRET", "body"),
        ('{"clues": [{"clue_id": "a", "amount_cents": NaN}]}', "clues.0.amount_cents"),
        (b'{"clues": [{"clue_id": "\xff\xfe"}]}', "body"),
        ("[" * 100_000, "body"),
    ],
)
def test_an_unfit_message_is_refused_with_its_place_and_never_quoted(
    served: Any, body: Any, where: str
) -> None:
    """422 problem+json: wanted, got (a kind), cure, where; no value of the sender's."""
    reply = post(served, body)
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    faults = reply.json()["faults"]
    assert where in {fault["where"] for fault in faults}
    assert all({"wanted", "got", "cure"} <= set(fault) for fault in faults)
    assert "SECRET" not in reply.text
    assert "persn_secret" not in reply.text


def test_more_than_one_request_may_carry_is_413(served: Any) -> None:
    """By bytes, with or without a declared length, and by clues."""
    headers = served.key("case_system")
    large = b" " * 1_000_001
    assert served.client.post("/v1/scores", content=large, headers=headers).status_code == 413

    def chunks() -> Any:
        for _ in range(300):
            yield b" " * 4_096

    assert served.client.post("/v1/scores", content=chunks(), headers=headers).status_code == 413
    many = {"clues": [{"clue_id": "a"}] * 1_001}
    assert post(served, many).status_code == 413


def test_only_the_case_system_and_data_scientists_score(served: Any) -> None:
    """401 without a key in force, 403 for another role."""
    body = {"clues": [WHOLE]}
    assert served.client.post("/v1/scores", json=body).status_code == 401
    wrong = {"authorization": "Bearer clues.0.nonsense"}
    assert served.client.post("/v1/scores", json=body, headers=wrong).status_code == 401
    for role in ("reviewer", "administrator", "auditor"):
        assert post(served, body, role).status_code == 403
    assert post(served, body, "data_scientist").status_code == 200


def test_a_promotion_is_seen_without_a_restart_and_a_bad_one_is_not_taken(
    served: Any, clock: FixedClock
) -> None:
    """P-7, P-8: once tried, the new champion answers; a broken bundle leaves it serving."""
    body = {"clues": [WHOLE]}
    first = post(served, body).json()["scorer"]
    second = write_hamlet_bundle(served.home, seed=2)
    write_champion(served.home.scorers, second, by="Li", approved_by="Wang", at=clock.now())
    assert served.service.champions.settle(60)
    assert post(served, body).json()["scorer"] == second != first
    write_champion(served.home.scorers, first, by="Li", approved_by="Wang", at=clock.now())
    model = served.home.scorers / first / "model.txt"
    model.write_text(model.read_text("utf-8").replace("tree", "tr33", 1), "utf-8")
    assert served.service.champions.settle(60)
    assert post(served, body).json()["scorer"] == second
    ready = served.client.get("/ready").json()
    assert ready["scorer"] == second
    assert "digest" in ready["refused_champion"]


def test_a_fault_of_our_own_is_a_500_that_quotes_nothing(
    served: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither the reply nor the log has the text of the fault."""

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("SECRET")

    monkeypatch.setattr("serving.routes.scores.score_rows", broken)
    monkeypatch.setattr("scoring.rows.RowScorer.score", broken)
    reply = post(served, {"clues": [WHOLE]})
    assert reply.status_code == 500
    assert reply.json()["title"] == "Internal Server Error"
    told = capsys.readouterr()
    assert "SECRET" not in reply.text + told.out + told.err
    assert "RuntimeError" in told.out + told.err


def test_a_number_beyond_its_bound_is_told_by_the_bound(served: Any) -> None:
    """Neither the number nor a word of a library's."""
    (fault,) = post(served, {"clues": [WHOLE], "reasons": -3}).json()["faults"]
    assert (fault["wanted"], fault["got"]) == ("a number of at least 0", "a number below 0")
