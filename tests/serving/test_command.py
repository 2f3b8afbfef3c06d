"""The command page: proposals confirmed once, by those whose offices they are, and nothing else."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from served_hamlet import NOON, Served

from base.moment import FixedClock
from clues.register import read_clues
from dispatch.office_loads import Load
from dispatch.oversight import watched
from serving.console.command import verdict_on
from serving.watching import too_few

PAGE = "/console/command?language=en"


@pytest.fixture
def centre(served: Served) -> Served:
    """A dispatcher of the province, signed in, on the second of January."""
    served.service.clock = FixedClock(NOON)
    enter(served.client, served, "dispatcher", None)
    return served


def enter(client: TestClient, served: Served, role: str, office: str | None) -> None:
    key = served.key(role, office)["authorization"].split()[1]
    client.cookies.clear()
    assert client.post("/console", data={"key": key}, follow_redirects=False).status_code == 303


def form_of(page: str) -> dict[str, str]:
    """Token, office and every box of the proposals."""
    fields = dict(re.findall(r'name="(clue-[0-9a-f]+)" value="(\d+)"', page))
    token = re.findall(r'name="token" value="([0-9a-f]{64})"', page)[0]
    office = re.findall(r'name="office" value="(\w+)"', page)[0]
    return {**fields, "token": token, "office": office}


def boxes(form: dict[str, str]) -> list[str]:
    return sorted(name.removeprefix("clue-") for name in form if name.startswith("clue-"))


def post(client: TestClient, form: dict[str, str], where: str = "dispatch") -> Any:
    return client.post(f"/console/command/{where}?language=en", data=form, follow_redirects=False)


def state(served: Served, clue_id: str) -> str:
    path = f"/v1/clues/{clue_id}/history"
    told: str = served.client.get(path, headers=served.kept_key("dispatcher")).json()["state"]
    return told


def test_the_batch_is_dispatched_once_however_often_the_form_is_sent(centre: Served) -> None:
    """Two places of office A; afterwards nothing is left to propose this week."""
    form = form_of(centre.client.get(f"{PAGE}&office=A").text)
    chosen = boxes(form)
    assert len(chosen) == 2
    first, second = post(centre.client, form), post(centre.client, form)
    assert first.status_code == second.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    assert "office=A&done=2" in first.headers["location"]
    assert {state(centre, each) for each in chosen} == {"dispatched"}
    page = centre.client.get(first.headers["location"]).text
    assert "Nothing to propose this week." in page
    assert "Clues dispatched: 2" in page


def test_one_is_dispatched_by_its_own_button_and_the_others_stay(centre: Served) -> None:
    """Whatever boxes are ticked beside it."""
    form = form_of(centre.client.get(f"{PAGE}&office=A").text)
    one, other = boxes(form)
    assert post(centre.client, {**form, "only": f"{one}:{form['clue-' + one]}"}).status_code == 303
    assert (state(centre, one), state(centre, other)) == ("dispatched", "scored")


def test_what_moved_since_it_was_looked_at_stops_the_whole_batch(centre: Served) -> None:
    """The page comes back as it is now and says that nothing was recorded."""
    form = form_of(centre.client.get(f"{PAGE}&office=A").text)
    one, other = boxes(form)
    for wrong in ({"clue-" + one: "0"}, {"clue-" + "0" * 16: "1"}, {"clue-" + one: "x"}):
        reply = post(centre.client, {**form, **wrong})
        assert (reply.status_code, 'role="alert"' in reply.text) == (409, True)
    assert {state(centre, each) for each in (one, other)} == {"scored"}
    none = post(centre.client, {"token": form["token"], "office": "A"})
    assert (none.status_code, "Choose at least one clue." in none.text) == (422, True)
    assert post(centre.client, {**form, "token": "0" * 64}).status_code == 422
    assert post(centre.client, {**form, "office": "Z"}).status_code == 422


def test_an_office_neither_sees_nor_dispatches_anothers_clues(centre: Served) -> None:
    """A's dispatcher finds B on no page, and B's proposals cannot be sent from there."""
    theirs = form_of(centre.client.get(f"{PAGE}&office=B").text)
    assert boxes(theirs)
    enter(centre.client, centre, "dispatcher", "A")
    page = centre.client.get(PAGE).text
    rows = read_clues(centre.home).to_pylist()
    for row in rows:
        if row["office_id"] == "B":
            assert row["clue_id"] not in page
    assert "County B" not in page
    assert "Province" not in page
    mine = form_of(page)
    for office, status in (("A", 409), ("B", 422), ("P", 422)):
        sent = {**theirs, "token": mine["token"], "office": office}
        assert post(centre.client, sent).status_code == status
    assert {state(centre, each) for each in boxes(theirs)} == {"scored"}


def test_an_overdue_clue_is_supervised_from_the_province_with_a_reason(centre: Served) -> None:
    """Not without one, not twice, not a clue of nobody; the page then says so."""
    form = form_of(centre.client.get(f"{PAGE}&office=A").text)
    late = boxes(form)[0]
    post(centre.client, form)
    centre.service.clock = FixedClock(NOON + timedelta(days=20))
    page = centre.client.get(PAGE).text
    assert f"why-{late}" in page
    asked = {"token": form["token"], "office": "P", "clue": late, "reason": "拖延已久"}
    for wrong, status in (({"reason": " "}, 422), ({"clue": "0" * 16}, 404), ({"token": ""}, 422)):
        assert post(centre.client, {**asked, **wrong}, "supervise").status_code == status
    assert post(centre.client, asked, "supervise").status_code == 303
    assert post(centre.client, asked, "supervise").status_code == 409
    (kept,) = watched(centre.service.ledger, {"P"})
    assert (kept["clue_id"], kept["kind"], kept["reason"]) == (late, "supervised", "拖延已久")
    page = centre.client.get(PAGE).text
    assert f"why-{late}" not in page
    assert "supervised" in page


def test_what_if_tells_more_places_and_never_fewer_cases(centre: Served) -> None:
    """More people find at least as many; absurd numbers are refused."""
    page = centre.client.get(f"{PAGE}&office=A&more=2").text
    then = re.findall(r"Difference</th><td[^>]*>([^<]+)</td><td[^>]*>([^<]+)<", page)[0]
    assert then[0] == "+2"
    assert float(then[1]) > 0
    assert centre.client.get(f"{PAGE}&office=A&more=1000").status_code == 422


@pytest.mark.parametrize(
    ("cases", "verdict"), [(0, "below_chance"), (10, "as_chance"), (25, "above_chance")]
)
def test_cases_are_judged_against_what_chance_allows(cases: int, verdict: str) -> None:
    """A hundred clues of which ten are expected."""
    assert verdict_on(Load(cleared=100, expected=10.0, cases=cases)) == verdict


@pytest.mark.parametrize(
    ("cleared", "expected", "few"),
    [(0, 0.0, True), (2, 0.3, True), (29, 20.0, True), (30, 5.0, False), (400, 4.9, True)],
)
def test_of_too_few_ended_clues_no_verdict_is_given(
    cleared: int, expected: float, few: bool
) -> None:
    """Two of two are no proof that probabilities are too low; nor are all of 29."""
    assert (verdict_on(Load(cleared=cleared, expected=expected, cases=cleared)) == "too_few") == few
    assert too_few(cleared, expected) == few


def test_the_year_is_the_same_on_the_monitoring_page_and_on_this_one(centre: Served) -> None:
    """Twelve months up to the newest clue, whatever day it is: the hamlet's clues are of July
    2024, and 2026 has come. Both pages say from when on they count."""
    told = centre.client.get("/v1/monitoring", headers=centre.key("auditor")).json()
    assert told["since"] == "2023-08-01T00:00:00"
    page = centre.client.get(PAGE).text
    assert page.count("Counted since 2023-08-01") == 1
    clues = re.findall(r"Paid after death.*?<td class=\"number\">(\d+)</td>", page, re.DOTALL)
    assert int(clues[-1]) == told["clues"] == read_clues(centre.home).num_rows
    enter(centre.client, centre, "auditor", None)
    assert "Counted since 2023-08-01" in centre.client.get("/console/monitoring?language=en").text


@pytest.mark.parametrize(
    ("language", "register", "scored"),
    [
        ("en", "every clue of the register, scored or not", "clues that have a score"),
        ("zh", "线索登记中的全部线索，不论是否评分", "有评分的线索"),
    ],
)
def test_each_page_says_which_clues_it_counts(
    centre: Served, language: str, register: str, scored: str
) -> None:
    """The command page those of the register, the monitoring page those that have a score."""
    assert register in centre.client.get(f"/console/command?language={language}").text
    enter(centre.client, centre, "auditor", None)
    assert scored in centre.client.get(f"/console/monitoring?language={language}").text


def test_the_year_of_a_demo_is_that_of_its_data_whatever_is_brought_in(centre: Served) -> None:
    """A clue raised today is tried out on data that ended in July 2024: both pages still tell of
    the year up to then, and drift does not look at it."""
    auditor = centre.key("auditor")
    before = centre.client.get("/v1/monitoring", headers=auditor).json()
    sent = {"clue_id": "today", "supervision_model": "paid_after_death", "subject_id": "new",
            "office_id": "A", "raised_at": NOON.isoformat(), "amount_cents": 500}  # fmt: skip
    key = {**centre.key("case_system"), "idempotency-key": "one"}
    assert centre.client.post("/v1/clues", json={"clues": [sent]}, headers=key).status_code == 200
    moved = centre.client.get("/v1/monitoring", headers=auditor).json()["since"]
    assert moved > before["since"]
    centre.home.note_data_until(datetime(2024, 7, 31))
    centre.service.__dict__.pop("data_until", None)
    told = centre.client.get("/v1/monitoring", headers=auditor).json()
    assert told["since"] == before["since"] == "2023-08-01T00:00:00"
    assert told["drift"]["scores"] == before["drift"]["scores"]
    assert "Counted since 2023-08-01" in centre.client.get(PAGE).text


def test_a_demo_says_where_its_data_ends(centre: Served) -> None:
    """And tells the age of records as of that day; any other home says nothing of the kind."""
    enter(centre.client, centre, "steward", None)
    said = "The data of this demo ends here"
    assert said not in centre.client.get("/console/records?language=en").text
    centre.home.note_data_until(NOON - timedelta(days=300))
    centre.service.__dict__.pop("data_until", None)
    page = centre.client.get("/console/records?language=en").text
    assert f"{said}; silence and age are told as of that day: 2025-03-08" in page
