"""Experiments as declared: `experiments/<name>.yaml` of a jurisdiction, typed and frozen."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from base.bilingual import Bilingual
from base.declared import Unfit, load_declared
from base.errors import CluesError, Fault, NotFound, Refused, nearest
from base.moment import add_months
from governance.jurisdiction import Manifest
from training.at_odds import at_odds
from training.metrics import CAPACITIES
from training.parameters import parameter_faults


def _midnight(given: Any) -> Any:
    """YAML gives plain dates; a moment is their midnight."""
    if isinstance(given, date) and not isinstance(given, datetime):
        return datetime.combine(given, time())
    return given


Moment = Annotated[datetime, BeforeValidator(_midnight)]
Baseline = Literal[
    "base_rate",
    "past_cases",
    "severity",
    "first_come",
    "logistic_regression",
    "random_forest",
]
Capacity = Annotated[
    str,
    Field(pattern=r"^([1-9][0-9]?|100)%$", description="A share of the queue, whole per cent."),
]


def _sound(scorer: dict[str, Any]) -> dict[str, Any]:
    if faults := [*parameter_faults(scorer)]:
        raise Unfit(*faults)
    return scorer


class Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChosenClues(Declared):
    """Which clues an experiment is about: those that teach, and those of them that are judged.

    Clues of other supervision models may teach too (a new one has few of its own); `judged` says
    whose clues are ranked in the tests. Without it, all of them.
    """

    supervision_models: tuple[str, ...] | Literal["all"] = "all"
    judged: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _taught(self) -> ChosenClues:
        taught, judged = self.supervision_models, self.judged
        if judged is not None and (not judged or (taught != "all" and set(judged) - set(taught))):
            raise ValueError("clues.judged must name some of clues.supervision_models")
        return self


class Within(Declared):
    """How long after the moment a record still decides."""

    days: Annotated[int, Field(ge=0)] = 0
    months: Annotated[int, Field(ge=0)] = 0

    def after(self, moment: datetime) -> datetime:
        return add_months(moment, self.months) + timedelta(days=self.days)


class Survival(Declared):
    """How long until a case, in steps: unripe clues teach the steps they have lived through."""

    step_days: Annotated[int, Field(ge=1)] = 30


class OutcomeLabel(Declared):
    """Became a case within the horizon, as the outcomes say. Nobody looked: unknown."""

    kind: Literal["outcome"]
    horizon_days: Annotated[int, Field(ge=1)]
    reporting_lag_days: Annotated[int, Field(ge=0)] = 0
    # A case that was withdrawn later: no case (negative), or not told (unknown).
    withdrawn: Literal["negative", "unknown"] = "negative"
    survival: Survival | None = None

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


class Rolling(Declared):
    """Rolling origin: a test every so many months; rows ripe by then teach (gap = horizon + lag).

    `train_months` slides the window that teaches; without it the window only grows.
    """

    train_from: Moment
    first_test: Moment
    test_months: Annotated[int, Field(ge=1)]
    every_months: Annotated[int, Field(ge=1)]
    until: Moment
    train_months: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _apart(self) -> Rolling:
        if self.every_months < self.test_months:
            raise ValueError("tests overlap: every_months must be at least test_months")
        return self

    def splits(self, label: Label) -> tuple[Split, ...]:
        """The splits, explicit. Raises ValueError where a test would have nothing to learn from."""
        found = []
        start = self.first_test
        while (end := add_months(start, self.test_months)) <= self.until:
            teach_until = start - (label.horizon.after(start) - start)
            teach_until -= timedelta(days=label.reporting_lag_days)
            teach_from = self.train_from
            if self.train_months is not None:
                teach_from = max(teach_from, add_months(teach_until, -self.train_months))
            if teach_from >= teach_until:
                raise ValueError(
                    f"the test from {start:%Y-%m-%d} has no ripe clue to learn from: set first_test"
                    f" later, or train_from before {teach_until:%Y-%m-%d}"
                )
            found.append(
                Split(
                    train_from=teach_from, train_until=teach_until, test_from=start, test_until=end
                )
            )
            start = add_months(start, self.every_months)
        if not found:
            raise ValueError("no test of test_months fits between first_test and until")
        return tuple(found)


class Range(Declared):
    """Where a parameter may lie: low..high (on a log scale, in steps), or one of choices."""

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: float | int | None = None
    choices: tuple[float | int | bool | str, ...] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Range:
        spanned = self.low is not None and self.high is not None
        if spanned == (self.choices is not None):
            raise ValueError("give low and high, or choices")
        if spanned and not self.low < self.high:  # type: ignore[operator]
            raise ValueError("low must lie below high")
        if self.log and (self.step is not None or (self.low or 0) <= 0):
            raise ValueError("a log scale needs low above 0, and no step")
        return self


class Tuning(Declared):
    """Choose `scorer` parameters on the training rows alone: later rows judge earlier ones."""

    trials: Annotated[int, Field(ge=1, le=10_000)]
    ranges: Annotated[dict[str, Range], Field(min_length=1)]
    folds: Annotated[int, Field(ge=1, le=10)] = 3
    metric: Literal["auc", "average_precision", "log_loss", "cases_found_20"] = "average_precision"

    @model_validator(mode="after")
    def _of_trees(self) -> Tuning:
        faults: list[Fault] = []
        for name, span in self.ranges.items():
            ends = span.choices or (span.low, span.high)
            for end in ends:
                faults += parameter_faults({name: end}, "ranges")
        if faults:
            raise Unfit(*dict.fromkeys(faults))
        return self


class EarlyStopping(Declared):
    """Stop where later rows no longer gain: the last `share` of the rows that grow trees."""

    rounds: Annotated[int, Field(ge=1)] = 50
    share: Annotated[float, Field(gt=0, lt=0.5)] = 0.15


class Selection(Declared):
    """Clues that were looked at were chosen: weigh them by one over the chance of being chosen.

    `known` takes the share noted when a clue was drawn, and estimates where none was noted.
    """

    propensity: Literal["estimated", "known"] = "estimated"
    # No clue counts more than one over this.
    floor: Annotated[float, Field(gt=0, le=1)] = 0.05
    # Columns of the clue that offices saw, besides supervision model, office, severity, function.
    seen: tuple[str, ...] = ()
    # Whether the weights teach, too; figures are told both ways in any case.
    train: bool = True


class Rival(Declared):
    """Scores made elsewhere, in a file with clue_id, or subject_id and raised_at, and `score`.

    `file` lies in the home's folder `rivals`; `{split}` in its name counts from 1. Without the
    file an `optional` rival is left out with a warning, any other refuses the run.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    file: str
    score: str = "score"
    optional: bool = False


class Calibration(Declared):
    """Where the calibrator's margins come from: later rows than the trees saw."""

    method: Literal["sigmoid"] = "sigmoid"
    share: Annotated[float, Field(gt=0, lt=0.9)] | None = None
    cross_fit: Annotated[int, Field(ge=2, le=20)] | None = None
    # The category whose values have shifts of their own, shrunk; null: one curve for all.
    per: str | None = "supervision_model"

    @model_validator(mode="after")
    def _one_way(self) -> Calibration:
        if (self.share is None) == (self.cross_fit is None):
            raise ValueError("give share or cross_fit, one of them")
        return self


class Teacher(Declared):
    """A plain scorer that trees repeat, one per feature; directions of `monotone` hold for it.

    `c` is the inverse of its ridge's strength, after every number was brought to one scale.
    """

    kind: Literal["logistic_regression"]
    c: Annotated[float, Field(gt=0)] = 0.01


class ChosenFeatures(Declared):
    """Features left out, by name or pattern (*)."""

    exclude: tuple[str, ...] = ()


class PastCases(Declared):
    """The feature that counts past cases, as a ranking of its own."""

    feature: str


class Experiment(Declared):
    """One question asked of history."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"oneOf": [{"required": ["splits"]}, {"required": ["rolling"]}]},
    )

    title: Bilingual
    clues: ChosenClues = ChosenClues()
    label: Label
    features: ChosenFeatures = ChosenFeatures()
    # One of the two; `rolling` becomes splits, so that the identity of a run names them.
    splits: tuple[Split, ...] = ()
    rolling: Rolling | None = None
    calibration: Calibration
    scorer: Annotated[dict[str, float | int | bool | str], AfterValidator(_sound)] = {}
    teacher: Teacher | None = None
    tuning: Tuning | None = None
    early_stopping: EarlyStopping | None = None
    # Feature name or pattern: 1 where a higher value may never lower the score, -1 the other way.
    monotone: dict[str, Literal[1, -1]] = {}
    selection: Selection | None = None
    seed: int = 7
    baselines: tuple[Baseline, ...] = ("base_rate", "severity", "first_come")
    past_cases: PastCases | None = None
    rivals: tuple[Rival, ...] = ()
    # Shares of the queue for which the cases found there are told, besides 10, 20 and 30 %.
    capacity: tuple[Capacity, ...] = ("10%", "20%", "30%")
    # Columns of the clue by whose values selection, recall and calibration are compared.
    fairness: tuple[str, ...] = ()
    # Shares of the training rows (the latest ones) that teach scorers of their own.
    learning_curve: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()

    @model_validator(mode="after")
    def _rolled_out(self) -> Experiment:
        if (self.rolling is None) == (not self.splits):
            raise ValueError("give splits or rolling, one of them")
        if self.rolling is not None:
            self.__dict__["splits"] = self.rolling.splits(self.label)
        return self

    @model_validator(mode="after")
    def _possible(self) -> Experiment:
        if faults := [*at_odds(self)]:
            raise Unfit(*faults)
        return self

    @property
    def capacities(self) -> tuple[str, ...]:
        """Per cent of the queue at which cases found are told, rising, without the sign."""
        declared = {each.rstrip("%") for each in self.capacity}
        return tuple(sorted({*CAPACITIES, *declared}, key=int))


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
    """An experiment by `NAME` or `JURISDICTION/NAME`; `folder` is that jurisdiction's experiments.

    Raises NotFound for another jurisdiction than the folder's, or an experiment it has not.
    """
    jurisdiction, slash, stem = name.rpartition("/")
    if slash:
        own = load_declared(folder.parent / "jurisdiction.yaml", Manifest).name
        if jurisdiction != own:
            wanted, cure = f"an experiment of {own}", f"write {stem!r} or {f'{own}/{stem}'!r}"
            raise NotFound(wanted=wanted, got=repr(name), cure=cure)
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if stem not in known:
        raise NotFound(wanted="an experiment", got=repr(name), cure=nearest(stem, known))
    return stem, load_declared(folder / f"{stem}.yaml", Experiment)
