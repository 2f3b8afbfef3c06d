"""Experiments as declared: `experiments/<name>.yaml` of a jurisdiction, typed and frozen."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from base.bilingual import Bilingual
from base.declared import load_declared
from base.errors import CluesError, Fault, NotFound, Refused, nearest
from base.moment import add_months


def _midnight(given: Any) -> Any:
    """YAML gives plain dates; a moment is their midnight."""
    if isinstance(given, date) and not isinstance(given, datetime):
        return datetime.combine(given, time())
    return given


Moment = Annotated[datetime, BeforeValidator(_midnight)]
Baseline = Literal["base_rate", "past_cases", "severity", "first_come", "logistic_regression"]
REFUSED_PARAMETERS = {
    "linear_tree": "exact explanations need constant leaves",
    "objective": "it is binary",
    "num_threads": "threads follow rows and cores",
    "seed": "write seed beside scorer",
}


class Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChosenClues(Declared):
    """Which clues an experiment is about."""

    supervision_models: tuple[str, ...] | Literal["all"] = "all"


class Within(Declared):
    """How long after the moment a record still decides."""

    days: Annotated[int, Field(ge=0)] = 0
    months: Annotated[int, Field(ge=0)] = 0

    def after(self, moment: datetime) -> datetime:
        return add_months(moment, self.months) + timedelta(days=self.days)


class OutcomeLabel(Declared):
    """Became a case within the horizon, as the outcomes say. Nobody looked: unknown."""

    kind: Literal["outcome"]
    horizon_days: Annotated[int, Field(ge=1)]
    reporting_lag_days: Annotated[int, Field(ge=0)] = 0

    @property
    def horizon(self) -> Within:
        return Within(days=self.horizon_days)


class RecordsLabel(Declared):
    """1 if any matching record after the moment is positive, 0 if any matches, else unknown."""

    kind: Literal["records"]
    record_set: str
    key: dict[str, str]
    within: Within
    positive: str
    reporting_lag_days: Annotated[int, Field(ge=0)] = 0

    @property
    def horizon(self) -> Within:
        return self.within


Label = Annotated[OutcomeLabel | RecordsLabel, Field(discriminator="kind")]


class Split(Declared):
    """Rows with moment in [train_from, train_until) teach, in [test_from, test_until) are judged.

    Only labels ripe and known at `test_from` teach; that is the gap.
    """

    train_from: Moment
    train_until: Moment
    test_from: Moment
    test_until: Moment

    @model_validator(mode="after")
    def _in_order(self) -> Split:
        if not self.train_from < self.train_until <= self.test_from < self.test_until:
            raise ValueError("train_from < train_until <= test_from < test_until must hold")
        return self


class Calibration(Declared):
    """Where the calibrator's margins come from: later rows than the trees saw."""

    method: Literal["sigmoid"] = "sigmoid"
    share: Annotated[float, Field(gt=0, lt=0.9)] | None = None
    cross_fit: Annotated[int, Field(ge=2, le=20)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Calibration:
        if (self.share is None) == (self.cross_fit is None):
            raise ValueError("give share or cross_fit, one of them")
        return self


class ChosenFeatures(Declared):
    """Features left out, by name or pattern (*)."""

    exclude: tuple[str, ...] = ()


class PastCases(Declared):
    """The feature that counts past cases, as a ranking of its own."""

    feature: str


class Experiment(Declared):
    """One question asked of history."""

    title: Bilingual
    clues: ChosenClues = ChosenClues()
    label: Label
    features: ChosenFeatures = ChosenFeatures()
    splits: Annotated[tuple[Split, ...], Field(min_length=1)]
    calibration: Calibration
    scorer: dict[str, float | int | bool | str] = {}
    seed: int = 7
    baselines: tuple[Baseline, ...] = ("base_rate", "severity", "first_come")
    past_cases: PastCases | None = None
    capacity: tuple[str, ...] = ("10%", "20%", "30%")

    @model_validator(mode="after")
    def _possible(self) -> Experiment:
        for name, why in REFUSED_PARAMETERS.items():
            if name in self.scorer:
                raise ValueError(f"scorer.{name} is not yours to set: {why}")
        if "past_cases" in self.baselines and self.past_cases is None:
            raise ValueError("baseline past_cases needs past_cases: {feature: NAME}")
        return self


def load_experiments(folder: Path) -> dict[str, Experiment]:
    """Every `*.yaml` of an experiments folder; all faults told together."""
    found: dict[str, Experiment] = {}
    faults: list[Fault] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            found[path.stem] = load_declared(path, Experiment)
        except CluesError as error:
            faults += error.faults
    if faults:
        raise Refused.gather(faults)
    return found


def find_experiment(folder: Path, name: str) -> tuple[str, Experiment]:
    """An experiment by `NAME` or `JURISDICTION/NAME`."""
    stem = name.rpartition("/")[2]
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if stem not in known:
        raise NotFound(wanted="an experiment", got=repr(name), cure=nearest(stem, known))
    return stem, load_declared(folder / f"{stem}.yaml", Experiment)
