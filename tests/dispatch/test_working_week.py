"""The command centre's commands on the small province, beside its own clock."""

from __future__ import annotations

import shutil
from datetime import datetime

import pytest

from base.errors import NotFound, Refused
from base.moment import FixedClock
from dispatch.what_if import what_if
from dispatch.working_week import WorkingWeek, open_week
from governance.home import Home

MONDAY = datetime(2026, 1, 5, 9)


@pytest.fixture(scope="module")
def week(province: Home, tmp_path_factory: pytest.TempPathFactory) -> WorkingWeek:
    """A copy of the province's home: these tests write."""
    path = tmp_path_factory.mktemp("week") / "home"
    shutil.copytree(province.path, path, ignore=shutil.ignore_patterns("replay", "mlflow*"))
    return open_week(path, FixedClock(MONDAY))


def busiest(week: WorkingWeek) -> str:
    return max(week.ways.offices.by_id, key=lambda office: len(week.of(office).queue))


def test_it_proposes_what_the_office_has_hands_for_and_dispatches_nothing(
    week: WorkingWeek,
) -> None:
    """Until somebody confirms, in his name."""
    office = busiest(week)
    told = week.dispatch(office, confirmed=False, by="", only=[])
    at_office = week.of(office)
    assert len(told["proposed"]) == min(at_office.places, len(at_office.queue)) > 0
    assert told["dispatched"] == []
    with pytest.raises(Refused, match="who confirms"):
        week.dispatch(office, confirmed=True, by=" ", only=[])
    with pytest.raises(NotFound):
        week.dispatch(office, confirmed=True, by="Li", only=["no such clue"])


def test_more_hands_expect_more_cases_and_all_hands_all_of_them(week: WorkingWeek) -> None:
    """Where clues wait that nobody has hands for."""
    office = busiest(week)
    at_office = week.of(office)
    few = what_if(
        at_office.queue,
        at_office.probability,
        office_id=office,
        capacity=1,
        more=2,
        rules=week.ways.rules,
    )
    assert few.as_json()["more_cases"] > 0
    assert few.cases_expected_then <= sum(at_office.probability.values()) + 1e-9


def test_a_confirmed_clue_leaves_the_queue_and_later_is_overdue(week: WorkingWeek) -> None:
    """One of those proposed; its office has a place fewer this week."""
    office = busiest(week)
    before = week.of(office)
    first = week.dispatch(office, confirmed=False, by="", only=[])["proposed"][0]["clue_id"]
    told = week.dispatch(office, confirmed=True, by="Li", only=[first])
    assert [each["clue_id"] for each in told["dispatched"]] == [first]
    after = week.of(office)
    assert first not in after.rows
    assert after.places == before.places - 1
    later = open_week(week.home.path, FixedClock(datetime(2026, 1, 20)))
    assert [each["clue_id"] for each in later.overdue(office, escalated=False)["overdue"]] == [
        first
    ]
    # Eleven days late: the city and the province.
    assert later.overdue(None, escalated=True)["escalated"] == 2
