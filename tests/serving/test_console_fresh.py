"""Nothing on a page is old: what changed before it was asked for is on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from clues.register import read_clues
from dispatch.transition import move
from governance.home import Home
from governance.retention import enforce
from scoring.ledger import latest_score, record_scores
from serving.console.page import TEMPLATES


@pytest.fixture
def visitor(served: Any) -> Any:
    """A dispatcher of every office, signed in; he reads what is identifying, too."""
    key = served.key("dispatcher")["authorization"].split()[1]
    served.client.post("/console", data={"key": key}, follow_redirects=False)
    return served


def pages(visitor: Any, clue_id: str) -> tuple[str, str]:
    """The clue's page and the queue's, in English."""
    paths = (f"/console/clues/{clue_id}", "/console/queue")
    replies = [visitor.client.get(path, params={"language": "en"}) for path in paths]
    assert [reply.status_code for reply in replies] == [200, 200]
    return replies[0].text, replies[1].text


def row_of(queue: str, clue_id: str) -> str:
    [row] = [part for part in queue.split("<tr") if f">{clue_id}</a>" in part]
    return row


def test_a_move_is_on_both_pages_at_once(visitor: Any) -> None:
    """Made by another process: the state, the event, what may be done next, and the queue's line;
    a clue that is dispatched has left the queue."""
    service, clue_id = visitor.service, read_clues(visitor.home)["clue_id"][0].as_py()
    clue, queue = pages(visitor, clue_id)
    assert "triaged" not in row_of(queue, clue_id).lower()
    for to in ("triaged", "dispatched"):
        move(
            service.ledger, clue_id, to, by="somebody else", role="dispatcher", offices=None,
            expects=None, clock=service.clock,
        )  # fmt: skip
        before, (clue, queue) = clue, pages(visitor, clue_id)
        assert clue.count("somebody else") == before.count("somebody else") + 1
        if to == "triaged":
            assert "triaged" in row_of(queue, clue_id).lower()
    assert f">{clue_id}</a>" not in queue
    in_hand = visitor.client.get("/console/queue", params={"view": "in_hand"}).text
    assert f">{clue_id}</a>" in in_hand


def test_a_new_score_is_on_the_page_at_once(visitor: Any) -> None:
    """The newest for work, not one that was only asked for."""
    service, clue_id = visitor.service, read_clues(visitor.home)["clue_id"][0].as_py()
    given = latest_score(service.ledger, clue_id)
    values = vars(given)
    record_scores(service.ledger, [type(given)(**{**values, "probability": 0.8765})])
    asked = {**values, "probability": 0.1234, "purpose": "asked"}
    record_scores(service.ledger, [type(given)(**asked)])
    clue, _ = pages(visitor, clue_id)
    assert "87.6 %" in clue or "87.7 %" in clue
    assert "12.3 %" not in clue


def test_a_record_that_left_by_retention_is_on_no_page(visitor: Any) -> None:
    """Though it was shown, and laid down to be shown, a moment before."""
    clue_id = read_clues(visitor.home)["clue_id"][0].as_py()
    reported_on = "<td>2024-06-10</td>"
    assert reported_on in pages(visitor, clue_id)[0]
    declared = Path(visitor.home.jurisdiction.folder) / "records" / "deaths.odcs.yaml"
    kept = "slaProperties: [{property: retention, value: 1, unit: d}]\n"
    declared.write_text(declared.read_text("utf-8").partition("slaProperties")[0] + kept, "utf-8")
    assert sum(each.records for each in enforce(Home(visitor.home.path), visitor.service.clock)) > 0
    assert reported_on not in pages(visitor, clue_id)[0]


def test_a_page_of_a_clue_reads_the_ledger_as_of_one_instant(visitor: Any) -> None:
    """Where it stands, its score and its events in one transaction; the key is read in none."""
    begun = []
    sa.event.listen(visitor.service.ledger, "begin", lambda _: begun.append(1))
    clue_id = read_clues(visitor.home)["clue_id"][0].as_py()
    visitor.client.get(f"/console/clues/{clue_id}")
    assert len(begun) == 1


def test_a_key_of_a_dict_is_what_a_page_shows_even_if_methods_are_called_so() -> None:
    """And its methods are still there."""
    page = TEMPLATES.from_string("{{ it.items }} {{ it.get('b', 2) }} {{ it.keys() | list }}")
    assert page.render(it={"items": 1}) == "1 2 [&#39;items&#39;]"
