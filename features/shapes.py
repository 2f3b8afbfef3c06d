"""The shape of `features.yaml`; its JSON Schema is docs/schema/features.schema.json."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from base.bilingual import Bilingual

Show = Literal["number", "cents", "share", "days", "date", "text"]
ValueType = Literal["numeric", "category"]
DAYS_AT_MOST = 36_525


def _window(given: Any) -> Any:
    """Refuse in one sentence what the alternatives below would each refuse in their own."""
    if given == "all" or (type(given) is int and 1 <= given <= DAYS_AT_MOST):
        return given
    raise PydanticCustomError(
        "window", "a window: whole days from 1 to {most}, or the word all", {"most": DAYS_AT_MOST}
    )


Window = Annotated[
    Annotated[int, Field(ge=1, le=DAYS_AT_MOST)] | Literal["all"], BeforeValidator(_window)
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
HistoryKind = Literal[
    "count", "exists", "sum", "mean", "min", "max", "last", "distinct", "days_since_last", "rank"
]
NEEDS_COLUMN = {"sum", "mean", "min", "max", "last", "distinct", "rank"}


class Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _values_of_a_category(values: dict[str, Bilingual], kind: ValueType) -> None:
    if values and kind != "category":
        raise ValueError("`values` (titles of codes) belongs to type: category, and only there")


class ColumnFeature(Declared):
    """A plain column of the clue.

    `values`: code of a category -> what a sentence says for it. `title`: what is told to be
    unknown where it is; without it the title of the clue's column. `to_check`: false where no
    reviewer could look it up, such as when the platform came to know of something; "what to check
    next" then leaves it out. All three are for readers, no part of the definitions' identity.
    """

    name: Name
    column: Name
    type: ValueType = "numeric"
    show: Show = "number"
    sentence: Bilingual
    title: Bilingual | None = None
    values: dict[str, Bilingual] = {}
    to_check: bool = True

    @model_validator(mode="after")
    def _values_where_codes(self) -> ColumnFeature:
        _values_of_a_category(self.values, self.type)
        return self


class CalendarFeature(Declared):
    """A part of the clue's moment: month 1-12, weekday 1-7 (Monday 1), quarter 1-4."""

    name: Name
    part: Literal["month", "weekday", "quarter", "day_of_year"]
    show: Show = "number"
    sentence: Bilingual


class HistoryFeature(Declared):
    """One aggregate over the records of a group, in each of its windows. `values`: as above."""

    kind: HistoryKind
    column: Name | None = None
    of: Name | None = None
    type: ValueType = "numeric"
    show: Show | None = None
    windows: tuple[Window, ...] | None = None
    sentence: Bilingual
    values: dict[str, Bilingual] = {}

    @model_validator(mode="after")
    def _column_where_needed(self) -> HistoryFeature:
        if (self.kind in NEEDS_COLUMN) != (self.column is not None):
            need = "needs" if self.kind in NEEDS_COLUMN else "takes no"
            raise ValueError(f"kind {self.kind} {need} column")
        if (self.kind == "rank") != (self.of is not None):
            raise ValueError("`of` (the clue's own column) belongs to kind rank, and only there")
        if self.type == "category" and self.kind != "last":
            raise ValueError("only kind last can be a category (the state as of the moment)")
        _values_of_a_category(self.values, self.type)
        return self


class HistoryGroup(Declared):
    """Records of one source that share a key with the clue, perhaps filtered.

    `title`: what is told to have no record; `to_check`: as above. For readers, no part of the
    identity.
    """

    group: Name
    title: Bilingual | None = None
    to_check: bool = True
    source: Name
    key: dict[Name, Name]
    where: str | None = None
    windows: tuple[Window, ...]
    features: Annotated[tuple[HistoryFeature, ...], Field(min_length=1)]


class RatioGroup(Declared):
    """A share of records, shrunk level by level towards the last step of the ladder. `title`: as
    above."""

    group: Name
    title: Bilingual | None = None
    source: Name
    where: str | None = None
    numerator: str
    ladder: Annotated[tuple[dict[Name, Name], ...], Field(min_length=1)]
    prior: Annotated[float, Field(ge=0, le=1)]
    strength: Annotated[float, Field(gt=0)]
    windows: tuple[Window, ...]
    sentence: Bilingual


class ReasonGroup(Declared):
    """Features that a reviewer may read as one reason. `of` names groups of history and ratios,
    and plain or calendar features. Words for readers: no part of the definitions' identity.
    """

    name: Name
    title: Bilingual
    of: Annotated[tuple[Name, ...], Field(min_length=1)]


class FeatureFile(Declared):
    """The whole file."""

    columns: tuple[ColumnFeature, ...] = ()
    calendar: tuple[CalendarFeature, ...] = ()
    history: tuple[HistoryGroup, ...] = ()
    ratios: tuple[RatioGroup, ...] = ()
    groups: tuple[ReasonGroup, ...] = ()
