"""What is watched, and from when on it is an alarm: `monitoring.yaml`, optional key by key."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from base.declared import Unfit, load_declared
from base.errors import Fault

FILE = "monitoring.yaml"
CRON = ("minute", "hour", "day", "month", "day_of_week")
SPANS = dict(zip(CRON, ("0-59", "0-23", "1-31", "1-12", "0-6 (0: Sunday)"), strict=True))
FlagKind = Literal["bulk", "one_author", "against_chance"]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Alarms(Declared):
    """Bounds; beyond one of them there is an alarm."""

    feature_psi: Annotated[float, Field(gt=0, description="Stability index of a feature.")] = 0.25
    features_left_out: Annotated[
        tuple[str, ...],
        Field(description="Names or patterns of features that move by their nature: no alarm."),
    ] = ()
    score_psi: Annotated[float, Field(gt=0, description="The same of the scores.")] = 0.25
    calibration_error: Share = 0.05
    outcomes_at_least: Annotated[
        Count, Field(description="Calibration is judged from so many outcomes on.")
    ] = 200
    chance: Annotated[
        float,
        Field(gt=0, lt=0.5, description="Cases of a month as far from what is expected as this."),
    ] = 0.001
    silent_days: Annotated[
        float, Field(gt=0, description="Since an outcome was last reported.")
    ] = 30.0
    outbox_hours: Annotated[float, Field(gt=0, description="The oldest message waits.")] = 24.0


class Bulk(Declared):
    """So many endings by one person within so many seconds: nobody verifies that fast."""

    endings: Annotated[int, Field(ge=2)] = 10
    seconds: Annotated[float, Field(gt=0)] = 60.0


class OneAuthor(Declared):
    """One person wrote this share of an office's endings although others work there too."""

    share: Share = 0.9
    endings: Count = 20


class AgainstChance(Declared):
    """One author's cases are fewer, or more, than others' on the same supervision models, beyond
    what happens with this chance."""

    chance: Annotated[float, Field(gt=0, lt=0.5)] = 0.0001
    endings: Count = 20


class Feedback(Declared):
    """When endings look careless or hostile. `hold_out`: flags whose clues do not teach."""

    days: Count = 365
    bulk: Bulk = Bulk()
    one_author: OneAuthor = OneAuthor()
    against_chance: AgainstChance = AgainstChance()
    hold_out: tuple[FlagKind, ...] = ()


def is_due(cron: str) -> Callable[[datetime], bool]:
    """Whether a wall time (to the minute) is one that a line of crontab names: minute, hour, day,
    month, day of the week. Raises ValueError for what is no such line."""
    from huey import crontab

    fields = cron.split()
    if len(fields) != len(CRON):
        names = ", ".join(CRON)
        cure = "write them with spaces between, * for any"
        raise Unfit(Fault(f"five fields ({names})", f"{len(fields)}", cure))
    faults = [
        Fault(f"{name} {SPANS[name]}", repr(field), "write numbers, a-b, a,b, *, or */n")
        for name, field in zip(CRON, fields, strict=True)
        if not _known_field(crontab, name, field)
    ]
    if faults:
        raise Unfit(*faults)
    due: Callable[[datetime], bool] = crontab(**dict(zip(CRON, fields, strict=True)), strict=True)
    return due


def _known_field(crontab: Callable[..., Any], name: str, field: str) -> bool:
    try:
        crontab(**{name: field}, strict=True)
    except ValueError:
        return False
    return True


def _cron(value: str) -> str:
    is_due(value)
    return value


Cron = Annotated[
    str,
    AfterValidator(_cron),
    Field(description="As in a crontab: minute hour day month weekday; the home's wall time."),
]


class Retraining(Declared):
    """Which experiment is trained again, and when."""

    experiment: str
    at: Cron


class Schedule(Declared):
    """What `clues worker` does by the clock; nothing unless it is declared. `on_alarm`: the
    experiment that is trained again where `monitor` finds an alarm about the scorer."""

    monitor: Cron | None = None
    on_alarm: str | None = None
    retrain: tuple[Retraining, ...] = ()

    @model_validator(mode="after")
    def _heard(self) -> Schedule:
        if self.on_alarm is not None and self.monitor is None:
            raise ValueError("on_alarm wants monitor: nobody would look for alarms")
        return self


class WatchRules(Declared):
    """The shape of `monitoring.yaml`."""

    alarms: Alarms = Alarms()
    feedback: Feedback = Feedback()
    schedule: Schedule = Schedule()


def load_watch_rules(jurisdiction: Path) -> WatchRules:
    """The rules in a jurisdiction's folder, or the defaults where it declares none."""
    path = jurisdiction / FILE
    return load_declared(path, WatchRules) if path.is_file() else WatchRules()
