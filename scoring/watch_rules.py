"""What is watched, and from when on it is an alarm: `monitoring.yaml`, optional key by key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from base.declared import load_declared

FILE = "monitoring.yaml"
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


class WatchRules(Declared):
    """The shape of `monitoring.yaml`."""

    alarms: Alarms = Alarms()
    feedback: Feedback = Feedback()


def load_watch_rules(jurisdiction: Path) -> WatchRules:
    """The rules in a jurisdiction's folder, or the defaults where it declares none."""
    path = jurisdiction / FILE
    return load_declared(path, WatchRules) if path.is_file() else WatchRules()
