"""Is all well: drift, ripening outcomes, feedback, the outbox; alarms, and what they set off."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers, tell


@answers
def monitor(
    months: Annotated[int, typer.Option(min=1, max=120, help="Months of clues looked at.")] = 12,
    retrain: Annotated[
        str | None,
        typer.Option(help="On an alarm about the scorer, leave this retraining to `clues worker`."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """What GET /v1/monitoring tells, over all offices; exit 2 where there is an alarm.

    Its alarms are figures of /metrics until the next run.
    """
    from base.moment import WallClock
    from governance.home import Home
    from serving.alarms import OF_THE_SCORER, keep_alarms, monitor_home

    opened = Home.open(home)
    told = monitor_home(opened, months)
    keep_alarms(opened, told)
    for alarm in told["alarms"]:
        tell(f"{alarm['alarm']}: {alarm['at']}: {alarm['got']} (bound {alarm['bound']})")
    queued = None
    if retrain is not None and any(each["alarm"] in OF_THE_SCORER for each in told["alarms"]):
        from training.jobs import Jobs

        clock = WallClock(opened.jurisdiction.timezone)
        queued = Jobs(opened, clock).retrain_later(retrain)
    told["retraining"] = queued
    if as_json:
        return told
    names = ("ok", "scorer", "clues", "alarms", "feedback", "destinations", "retraining")
    return {name: told[name] for name in names}
