"""The queue, a clue and its reasons: each office sees its own, and cannot tell what else is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from clues.register import read_clues
from scoring.ledger import latest_score, writing
from scoring.ledger.tables import clue_states


def all_clues(served: Any) -> list[dict[str, Any]]:
    return read_clues(served.home).to_pylist()


def test_an_office_sees_its_own_subtree_and_nothing_else(served: Any) -> None:
    """P-10: the province sees both counties, each county its own six."""
    for office, seen in (("P", {"A", "B"}), ("A", {"A"}), ("B", {"B"}), (None, {"A", "B"})):
        queue = served.client.get("/v1/queue", headers=served.key("reviewer", office)).json()
        assert {each["office_id"] for each in queue["clues"]} == seen
        assert queue["total"] == 6 * len(seen)


def test_absent_and_forbidden_answer_the_same(served: Any) -> None:
    """Byte for byte, for the clue and its reasons."""
    headers = served.key("reviewer", "A")
    theirs = next(row["clue_id"] for row in all_clues(served) if row["office_id"] == "B")
    for path in ("/v1/clues/{}", "/v1/clues/{}/reasons"):
        forbidden = served.client.get(path.format(theirs), headers=headers)
        absent = served.client.get(path.format("0" * 16), headers=headers)
        assert forbidden.status_code == absent.status_code == 404
        assert forbidden.content == absent.content
    other = served.client.get("/v1/queue?office=B", headers=headers)
    unknown = served.client.get("/v1/queue?office=Z", headers=headers)
    assert other.status_code == 422
    assert other.content == unknown.content


def test_a_clue_handed_on_is_seen_where_it_stands_and_nowhere_else(served: Any) -> None:
    """P-10: raised for B and handed to A, it is A's; B reads of it as of one that never was."""
    handed = next(row["clue_id"] for row in all_clues(served) if row["office_id"] == "B")
    change = sa.update(clue_states).where(clue_states.c.clue_id == handed).values(office_id="A")
    with writing(served.service.ledger) as connection:
        connection.execute(change)
    for path in ("/v1/clues/{}", "/v1/clues/{}/reasons", "/v1/clues/{}/history"):
        here = served.client.get(path.format(handed), headers=served.key("reviewer", "A"))
        gone = served.client.get(path.format(handed), headers=served.key("reviewer", "B"))
        absent = served.client.get(path.format("0" * 16), headers=served.key("reviewer", "B"))
        assert here.status_code == 200
        assert gone.status_code == absent.status_code == 404
        assert gone.content == absent.content
    seen = served.client.get(f"/v1/clues/{handed}", headers=served.key("reviewer", "A")).json()
    assert seen["office_id"] == "A"


def test_the_capacity_line_and_the_lot_are_marked(served: Any) -> None:
    """Two places at A, one at B; ranks count within the office, best margin first."""
    queue = served.client.get("/v1/queue", headers=served.key("dispatcher")).json()
    assert queue["capacity"] == 3
    within = [each for each in queue["clues"] if each["within_capacity"]]
    assert sorted(each["office_id"] for each in within) == ["A", "A", "B"]
    of_a = [each for each in queue["clues"] if each["office_id"] == "A"]
    ranked = sorted(of_a, key=lambda each: each["rank"])
    assert [each["rank"] for each in ranked] == [1, 2, 3, 4, 5, 6]
    margins = [each["margin"] for each in ranked]
    assert margins == sorted(margins, reverse=True)


def test_pages_follow_each_other_without_gap_or_repeat(served: Any) -> None:
    """Five at a time: the same twelve as in one page; a made-up cursor is refused."""
    headers = served.key("dispatcher")
    whole = served.client.get("/v1/queue", headers=headers).json()
    seen, cursor = [], ""
    while cursor is not None:
        page = served.client.get(f"/v1/queue?limit=5{cursor}", headers=headers).json()
        seen += [each["clue_id"] for each in page["clues"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert seen == [each["clue_id"] for each in whole["clues"]]
    assert served.client.get("/v1/queue?cursor=zzzz", headers=headers).status_code == 422


def test_the_queue_of_a_supervision_model_or_function_is_that_part_of_the_whole(
    standing: Any,
) -> None:
    """In the same order, with the whole's counts; one that there is not is refused."""
    headers = standing.key("dispatcher")
    whole = standing.client.get("/v1/queue", headers=headers).json()
    for name, column in (("supervision_model", "supervision_model"), ("function", "function")):
        for value in {each[column] for each in whole["clues"]}:
            part = standing.client.get(f"/v1/queue?{name}={value}", headers=headers).json()
            assert part["clues"] == [each for each in whole["clues"] if each[column] == value]
            assert (part["total"], part["capacity"]) == (whole["total"], whole["capacity"])
        reply = standing.client.get(f"/v1/queue?{name}=nonesuch", headers=headers)
        assert reply.status_code == 422
        assert reply.json()["faults"][0]["where"] == name


def test_a_query_parameter_that_a_route_does_not_know_is_refused(standing: Any) -> None:
    """Told with the nearest that it knows, not by its name; a route that takes none says so."""
    reader = standing.key("reviewer")
    reply = standing.client.get("/v1/queue?limitt=5&limit=2&secret=1", headers=reader)
    assert reply.status_code == 422
    first, second = reply.json()["faults"]
    assert (first["got"], first["cure"]) == ("an unknown one", "write 'limit'")
    assert "supervision_model" in second["cure"]
    assert "limitt" not in reply.text
    assert "secret" not in reply.text
    scientist = standing.key("data_scientist")
    reply = standing.client.get("/v1/scorers?page=2", headers=scientist)
    assert reply.status_code == 422
    assert reply.json()["faults"][0]["cure"].startswith("leave it out")
    # Who may not come in is not told what there is.
    assert standing.client.get("/v1/queue?limitt=5").status_code == 401


def test_reasons_are_those_of_the_score_that_was_given(served: Any) -> None:
    """From the ledger: margin and contributions as they were, sentences in both languages."""
    clue = all_clues(served)[0]
    headers = served.key("reviewer", clue["office_id"])
    given = latest_score(served.service.ledger, clue["clue_id"])
    sentences = set()
    for language in ("zh", "en"):
        path = f"/v1/clues/{clue['clue_id']}/reasons?language={language}&reasons=9"
        told = served.client.get(path, headers=headers).json()
        assert told["margin"] == given.margin
        assert told["moment"] == datetime(2024, 8, 1).isoformat()
        assert sorted(each["contribution"] for each in told["reasons"]) == sorted(
            given.contributions.tolist()
        )
        sentences.add(told["reasons"][0]["sentence"])
    assert len(sentences) == 2


def test_health_is_open_and_names_what_an_operator_needs(served: Any) -> None:
    """/live always; /ready with scorer, ledger settings and registry, 503 without a champion."""
    assert served.client.get("/live").json() == {"status": "live"}
    ready = served.client.get("/ready")
    assert ready.status_code == 200
    assert ready.json()["ledger"] == {"database": "sqlite", "journal": "wal", "synchronous": "2"}
    # P-9: this home never had a registry, and serves all the same.
    assert ready.json()["registry"].startswith("away")


def test_not_ready_before_the_first_promotion(served: Any) -> None:
    """503 with the cure; the queue is not harmed."""
    (served.home.scorers / "champion.json").unlink()
    served.service._scorer = None
    reply = served.client.get("/ready")
    assert reply.status_code == 503
    assert "clues promote" in reply.json()["cure"]


def test_a_revoked_key_is_refused_from_the_next_request_on(served: Any) -> None:
    """And the ledger never held the key itself."""
    from serving.keys import revoke

    headers = served.key("reviewer", "A")
    key = headers["authorization"].split()[1]
    assert served.client.get("/v1/queue", headers=headers).status_code == 200
    revoke(served.service.ledger, key.split(".")[1], clock=served.service.clock)
    assert served.client.get("/v1/queue", headers=headers).status_code == 401
    secret = key.rsplit(".", 1)[1].encode()
    files = [path.read_bytes() for path in served.home.path.glob("ledger.db*")]
    assert files
    assert not any(secret in data for data in files)
