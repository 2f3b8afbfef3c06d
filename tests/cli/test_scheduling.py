"""What the worker does by the clock: as declared, and nothing that is not."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from base.errors import NotFound, Refused
from base.moment import FixedClock
from cli.scheduling import by_the_clock, watch
from governance.home import Home
from governance.jurisdiction import load_jurisdiction
from scoring.watch_rules import load_watch_rules
from training.jobs import Jobs

NIGHT = datetime(2026, 1, 1, 2, 40)
SCHEDULE = """
schedule:
  monitor: "10 2 * * *"
  on_alarm: became_case
  retrain: [{experiment: became_case, at: "40 2 1 * *"}]
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder = shutil.copytree(load_jurisdiction("anhui").folder, tmp_path / "anhui")
    return Home.create(tmp_path / "home", load_jurisdiction(folder))


def declare(home: Home, text: str) -> None:
    (home.jurisdiction.folder / "monitoring.yaml").write_text(text, "utf-8")


def due(jobs: Jobs) -> list[str]:
    return sorted(task.name for task in jobs.queue.read_periodic(None))


def test_nothing_is_done_by_the_clock_unless_it_is_declared(home: Home) -> None:
    """But for the registry, which is told of a champion that it did not hear of."""
    jobs = Jobs(home, FixedClock(NIGHT))
    assert list(by_the_clock(jobs)) == []
    assert due(jobs) == ["registry"]


def test_what_is_declared_is_done_at_its_time(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told when the worker starts; an alarm about the scorer asks for a retraining, another for
    none; both are kept for /metrics."""
    declare(home, SCHEDULE)
    clock = FixedClock(NIGHT)
    jobs = Jobs(home, clock)
    assert list(by_the_clock(jobs)) == [
        "monitoring at 10 2 * * *",
        "retraining became_case at 40 2 1 * *",
    ]
    assert due(jobs) == ["registry", "retrain 0"]
    clock.moment = datetime(2026, 1, 2, 2, 10)
    assert due(jobs) == ["monitor", "registry"]

    def found(kind: str) -> dict[str, Any]:
        alarm = {"alarm": kind, "at": "all", "got": 1, "bound": 0}
        monkeypatch.setattr(
            "serving.alarms.monitor_home",
            lambda *_: {"alarms": [alarm], "at": clock.now().isoformat()},
        )
        return watch(jobs, "became_case")

    assert found("outbox_dead")["retraining"] is None
    assert found("calibration")["retraining"]["experiment"] == "became_case"
    assert [job.experiment for job in jobs.all()] == ["became_case"]
    note = json.loads((home.path / "monitoring.json").read_text("utf-8"))
    assert note["alarms"]["calibration"] == 1


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("schedule: {monitor: every night}", Refused),
        ("schedule: {monitor: '61 2 * * *'}", Refused),
        ("schedule: {on_alarm: became_case}", Refused),
        ("schedule: {retrain: [{experiment: no_such, at: '1 2 * * *'}]}", NotFound),
    ],
)
def test_what_cannot_be_is_refused_when_the_worker_starts(
    home: Home, text: str, error: type[Exception]
) -> None:
    """And not at night."""
    declare(home, text)
    with pytest.raises(error):
        list(by_the_clock(Jobs(home, FixedClock(NIGHT))))


def test_each_part_of_a_crontab_line_is_told_with_what_it_may_be(home: Home) -> None:
    """All that is wrong with a line, in our own words."""
    declare(home, "schedule: {monitor: '61 2 * * mon'}")
    with pytest.raises(Refused) as refusal:
        list(by_the_clock(Jobs(home, FixedClock(NIGHT))))
    assert [(fault.wanted, fault.got) for fault in refusal.value.faults] == [
        ("minute 0-59", "'61'"),
        ("day_of_week 0-6 (0: Sunday)", "'mon'"),
    ]
    assert refusal.value.where.endswith(": schedule.monitor")


def test_the_shipped_jurisdictions_schedule_nothing() -> None:
    """Off by default."""
    for name in ("anhui", "chicago"):
        schedule = load_watch_rules(load_jurisdiction(name).folder).schedule
        assert (schedule.monitor, schedule.retrain) == (None, ())
