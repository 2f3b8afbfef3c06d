"""The quick way answers as the whole way does, and leaves to it whatever is not plain."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

import hamlet
import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from hamlet_scorer import write_hamlet_bundle
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from base.moment import FixedClock
from governance.intake import admit_table
from scoring.champion import write_challenger
from scoring.ledger import shadow_scores
from scoring.ledger.scores import given_of
from scoring.ledger.tables import scores_given
from serving.app import create_app
from serving.keys import revoke
from serving.messages import parse_message, scores_request
from serving.recognised import Recogniser

WHOLE = {
    "clue_id": "new",
    "supervision_model": "paid_after_death",
    "subject_id": "p1",
    "raised_at": "2024-07-01T00:00:00",
    "amount_cents": 120_000,
    "agency_id": "x",
}
FUZZ = settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(["2024-07-01", "2024-07-01T00:00:00", "2024-W27-1", "2024-02-30T00:00:00"]),
    st.sampled_from(["2024-07-01T00:00:00Z", "2024-07-01T24:00:00", "zh", "en", "", "a:b"]),
)
names = st.sampled_from([*WHOLE, "office_id", "ground_key", "moment", "stray"])
# Two keys may be the same, as JSON allows and nobody means.
pairs = st.lists(st.tuples(names, scalars), max_size=2)
HOSTILE = [
    '{"clues":[]}', "[]", "null", "", "{", '{"clues":[null]}', '{"clues":[{}]}', '{"clues":{}}',
    '{"clues":[{"clue_id":NaN}]}', '\ufeff{"clues":[]}', '{"clues":[[]]}', "[" * 5_000,
]  # fmt: skip


def text_of(clue: list[tuple[str, Any]], rest: list[tuple[str, Any]]) -> str:
    """JSON in which a key may stand twice."""

    def told(pairs: list[tuple[str, Any]]) -> str:
        return ",".join(
            f"{json.dumps(name, ensure_ascii=False)}:{json.dumps(value, ensure_ascii=False)}"
            for name, value in pairs
        )

    after = f",{told(rest)}" if rest else ""
    return f'{{"clues":[{{{told(clue)}}}]{after}}}'


def unusual(body: dict[str, Any]) -> str:
    """The same message, written so that only the whole way reads it."""
    return json.dumps(body).replace('"clue_id": "n', '"clue_id": "\\u006e')


@pytest.fixture
def recogniser(standing: Any) -> Recogniser:
    return Recogniser(standing.home.jurisdiction, standing.service.supervision_models)


def require_no_wider(served: Any, recogniser: Recogniser, text: str) -> bool:
    """What is recognised the whole way accepts, and reads alike. Returns whether it was."""
    try:
        body = text.encode()
    except UnicodeEncodeError:
        return False
    found = recogniser.read(body)
    if found is None:
        return False
    asked = parse_message(scores_request(served.home.jurisdiction), body)
    assert (found.reasons, found.language, found.moment) == (
        asked.reasons, asked.language, asked.moment,
    )  # fmt: skip
    for clue, whole in zip(found.clues, asked.clues, strict=True):
        for name, value in whole.model_dump().items():
            assert clue[name] == value
            assert type(clue[name]) in (type(value), int)
    return True


@FUZZ
@given(spoilt=pairs, rest=pairs, dropped=st.sampled_from([None, *WHOLE]))
def test_nothing_is_recognised_that_the_whole_way_would_refuse_or_read_otherwise(
    standing: Any, recogniser: Recogniser, spoilt: Any, rest: Any, dropped: str | None
) -> None:
    """P-11, P-13: clues near to right ones, keys given twice, numbers and times of every form."""
    clue = [(name, value) for name, value in WHOLE.items() if name != dropped]
    require_no_wider(standing, recogniser, text_of([*clue, *spoilt], []))
    require_no_wider(standing, recogniser, text_of(clue, rest))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_messages_are_left_to_the_whole_way(recogniser: Recogniser, text: str) -> None:
    """Which refuses them (test_limits.py)."""
    assert recogniser.read(text.encode()) is None


def test_keys_given_twice_and_numbers_too_long_are_not_recognised(
    standing: Any, recogniser: Recogniser
) -> None:
    """JSON readers keep the last of two, and round long numbers, without a word."""
    clue = list(WHOLE.items())
    assert require_no_wider(standing, recogniser, text_of(clue, []))
    twice = [*clue, ("subject_id", "p2")]
    long = [*clue[:-2], ("amount_cents", 10**17)]
    for each in (
        text_of(twice, []),
        text_of(clue, [("reasons", 1), ("reasons", 2)]),
        text_of(long, []),
    ):
        assert recogniser.read(each.encode()) is None


@pytest.mark.parametrize(
    "rest", [{}, {"reasons": 2, "language": "en"}, {"moment": "2024-08-01T00:00:00"}]
)
def test_both_ways_give_the_same_reply(
    standing: Any, rest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores, reasons, flags and their order; the quick way without the whole one's help."""
    headers = standing.key("case_system")
    body = {"clues": [WHOLE, {**WHOLE, "clue_id": "n2", "agency_id": "?"}], **rest}
    whole = standing.client.post("/v1/scores", content=unusual(body), headers=headers)
    monkeypatch.setattr("serving.routes.scores.score_rows", None)
    quick = standing.client.post("/v1/scores", content=json.dumps(body), headers=headers)
    assert whole.status_code == quick.status_code == 200
    assert quick.json() == whole.json()
    assert (
        standing.client.post("/v1/scores", content=unusual(body), headers=headers).status_code
        == 500
    )


def test_requests_that_come_together_are_answered_as_if_alone(standing: Any) -> None:
    """P-5: forty at once, each with its own amount, three of them refused."""
    headers = standing.key("case_system")
    bodies = [
        {"clues": [{**WHOLE, "clue_id": f"n{at}", "amount_cents": 1_000 * at}], "reasons": 3}
        for at in range(40)
    ]
    for at in (5, 17, 30):
        bodies[at]["clues"][0]["supervision_model"] = "unheard of"
    alone = [standing.client.post("/v1/scores", json=body, headers=headers) for body in bodies]

    async def together() -> list[httpx.Response]:
        transport = httpx.ASGITransport(create_app(standing.home))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            asked = [client.post("/v1/scores", json=body, headers=headers) for body in bodies]
            return await asyncio.gather(*asked)

    for one, other in zip(alone, asyncio.run(together()), strict=True):
        assert (one.status_code, one.json()) == (other.status_code, other.json())
    assert [each.status_code for each in alone].count(422) == 3


def test_a_revoked_key_is_refused_at_the_very_next_request(
    standing: Any, clock: FixedClock
) -> None:
    """Known or not: the ledger is asked each time."""
    headers = standing.key("case_system")
    for status in (200, 200):
        reply = standing.client.post("/v1/scores", json={"clues": [WHOLE]}, headers=headers)
        assert reply.status_code == status
    key_id = headers["authorization"].split(".")[1]
    revoke(standing.service.ledger, key_id, clock=clock)
    reply = standing.client.post("/v1/scores", json={"clues": [WHOLE]}, headers=headers)
    assert reply.status_code == 401


def test_records_that_came_since_are_taken_in_before_the_next_score(served: Any) -> None:
    """The quick way never answers from a store that is behind: the whole way brings it on."""
    headers = served.key("case_system")
    body = {"clues": [{**WHOLE, "subject_id": "p1"}], "moment": "2024-12-01T00:00:00"}
    before = served.client.post("/v1/scores", json=body, headers=headers).json()
    admit_table(
        served.home,
        "payments",
        hamlet.payment("late", 1, datetime(2024, 10, 1).date()),
        FixedClock(datetime(2024, 11, 1)),
    )
    after = served.client.post("/v1/scores", json=body, headers=headers).json()
    told = [
        {reason["feature"]: reason["value"] for reason in each["scores"][0]["reasons"]}
        for each in (before, after)
    ]
    count = "own_payments__count_all"
    assert told[1][count] == told[0][count] + 1


def test_what_the_quick_way_scored_is_shadowed_too(served: Any, clock: FixedClock) -> None:
    """The challenger's margin of a clue is the same, whichever way the clue took."""
    headers = served.key("case_system")
    digest = write_hamlet_bundle(served.home, seed=2)
    write_challenger(served.home.scorers, digest, by="retrain", at=clock.now(), passed=True)
    body = {"clues": [WHOLE, {**WHOLE, "clue_id": "n2", "agency_id": "?", "amount_cents": None}]}
    for text in (json.dumps(body), unusual(body)):
        reply = served.client.post("/v1/scores", content=text, headers=headers)
        assert reply.status_code == 200
        assert served.service.shadow.settle(30)
    query = sa.select(shadow_scores).order_by(shadow_scores.c.shadow_id)
    with served.service.ledger.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    assert len(rows) == 4
    for quick, whole in zip(rows[:2], rows[2:], strict=True):
        for name in ("clue_id", "moment", "champion_margin", "challenger_margin"):
            assert quick[name] == whole[name]


def test_every_score_told_is_kept_whichever_way_it_took(standing: Any) -> None:
    """P-5: clue, moment, scorer, inputs and contributions; not as work, so no queue shows it."""
    headers = standing.key("case_system")
    body = {"clues": [{**WHOLE, "clue_id": "n-kept"}], "reasons": 100}
    for text in (json.dumps(body), unusual(body)):
        reply = standing.client.post("/v1/scores", content=text, headers=headers)
        assert reply.status_code == 200
    line = reply.json()["scores"][0]
    query = sa.select(scores_given).where(scores_given.c.clue_id == "n-kept")
    with standing.service.ledger.connect() as connection:
        quick, whole = (given_of(dict(row)) for row in connection.execute(query).mappings())
    assert {quick.purpose, whole.purpose} == {"asked"}
    for name in ("moment", "scorer", "versions", "margin", "probability", "base", "flags"):
        assert getattr(quick, name) == getattr(whole, name)
    assert quick.feature_values == whole.feature_values
    assert np.array_equal(quick.contributions, whole.contributions)
    assert quick.given_clue["subject_id"] == "p1"
    assert quick.given_clue == {k: v for k, v in whole.given_clue.items() if k in quick.given_clue}
    assert quick.margin == line["margin"]
    told = {reason["feature"]: reason["contribution"] for reason in line["reasons"]}
    assert sorted(told.values()) == sorted(quick.contributions.tolist())


def test_a_score_that_cannot_be_kept_is_not_told(
    standing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 or 500 as the ledger's fault is, by both ways; nothing is answered as if it were kept."""
    headers = standing.key("case_system")

    def full(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("INSERT", {}, Exception("disk full"))

    monkeypatch.setattr("scoring.ledger.writer.keep_scores", full)
    reply = standing.client.post("/v1/scores", json={"clues": [WHOLE]}, headers=headers)
    assert reply.status_code == 503
