"""What `clues worker` does by the clock: monitoring, retraining, and the registry told later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.jobs import Jobs

CATCH_UP = "*/10 * * * *"
MONTHS = 12


def by_the_clock(jobs: Jobs) -> Iterator[str]:
    """Give the worker what `schedule` of monitoring.yaml declares; tells what, and when."""
    from scoring.watch_rules import load_watch_rules
    from training.experiment import find_experiment

    schedule = load_watch_rules(jobs.home.jurisdiction.folder).schedule
    experiments = jobs.home.jurisdiction.folder / "experiments"
    named = {each.experiment for each in schedule.retrain} | {schedule.on_alarm} - {None}
    for name in sorted(str(each) for each in named):
        find_experiment(experiments, name)  # now, and not at night
    jobs.every("registry", CATCH_UP, lambda: told_later(jobs))
    if schedule.monitor is not None:
        jobs.every("monitor", schedule.monitor, lambda: watch(jobs, schedule.on_alarm))
        yield f"monitoring at {schedule.monitor}"
    for at, each in enumerate(schedule.retrain):
        experiment = each.experiment
        jobs.every(f"retrain {at}", each.at, lambda name=experiment: jobs.retrain_later(name))  # type: ignore[misc]
        yield f"retraining {experiment} at {each.at}"


def watch(jobs: Jobs, on_alarm: str | None, months: int = MONTHS) -> dict[str, Any]:
    """What `clues monitor` does: alarms kept for /metrics, a retraining asked for where one is
    about the scorer and `on_alarm` names an experiment."""
    from serving.alarms import OF_THE_SCORER, keep_alarms, monitor_home

    told = monitor_home(jobs.home, months)
    keep_alarms(jobs.home, told)
    queued = None
    if on_alarm is not None and any(each["alarm"] in OF_THE_SCORER for each in told["alarms"]):
        queued = jobs.retrain_later(on_alarm)
    return {"alarms": told["alarms"], "retraining": queued}


def told_later(jobs: Jobs) -> str | None:
    """MLflow told of the champion where it is behind; it is not even loaded where it is not."""
    from scoring.alias import is_behind

    if not is_behind(jobs.home):
        return None
    from scoring.registry import catch_up

    return catch_up(jobs.home)
