"""Messages: the JSON that goes in and out. Strict, finite, and nothing beyond what is named."""

from __future__ import annotations

import re
from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from base.declared import KINDS
from base.errors import Fault, nearest
from governance.jurisdiction import Jurisdiction
from serving.bounds import CLUES_PER_REQUEST, require_few
from serving.refusals import UnfitMessage
from serving.strict_json import require_strict

# All faults of a message are told together, but not without end.
FAULTS_TOLD = 100
# Pydantic's kinds of findings in the words of whoever sends a message; bounds are the shape's.
WANTED = {
    "missing": "a value",
    "json_invalid": "JSON",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "string_too_short": "a text of at least {min_length} characters",
    "string_too_long": "a text of at most {max_length} characters",
    "string_pattern_mismatch": "a text of the form {pattern}",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "finite_number": "a finite number",
    "literal_error": "one of {expected}",
    "value_error": "{error}",
}
# What came instead, without a value of it.
GOT = {
    "missing": "nothing",
    "json_invalid": "another text",
    "too_short": "fewer",
    "too_long": "more",
    "string_too_short": "a shorter text",
    "string_too_long": "a longer text",
    "string_pattern_mismatch": "another text",
    "greater_than": "a number of at most {gt}",
    "greater_than_equal": "a number below {ge}",
    "less_than": "a number of at least {lt}",
    "less_than_equal": "a number above {le}",
    "literal_error": "another value",
}
MOMENT = "a moment in wall time such as 2026-01-31 or 2026-01-31T09:00:00"


ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?", re.ASCII)


def _from_text(value: Any) -> Any:
    """A plain date where a moment is wanted is its first instant."""
    if isinstance(value, str) and ISO.fullmatch(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


Moment = Annotated[datetime, BeforeValidator(_from_text), Field(description=MOMENT)]
Message = TypeVar("Message", bound=BaseModel)
Text = Annotated[str, Field(min_length=1, max_length=200)]
TYPES: dict[str, Any] = {
    "integer": Annotated[int, Field(ge=-(2**53), le=2**53)],
    "number": float,
    "string": Annotated[str, Field(max_length=1000)],
    "date": date,
    "timestamp": Moment,
    "boolean": bool,
}
STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


class ClueMessage(BaseModel):
    """A clue to score: its id alone if it was raised here, else with its own columns."""

    model_config = STRICT

    clue_id: Text
    supervision_model: Text | None = None
    subject_id: Text | None = None
    ground_key: Text = "-"
    office_id: Text | None = None
    raised_at: Moment | None = None


class ScoresRequest(BaseModel):
    """`POST /v1/scores`. `moment`: score all as of then; default each clue's own."""

    model_config = STRICT

    clues: Annotated[list[ClueMessage], Field(min_length=1, max_length=CLUES_PER_REQUEST)]
    reasons: Annotated[int, Field(ge=0, le=100)] = 5
    language: Literal["zh", "en"] = "zh"
    moment: Moment | None = None


class ReasonMessage(BaseModel):
    """One feature's part. `contribution` in log-odds; positive speaks for a case. `points`: the
    same in percentage points of probability."""

    feature: str
    value: float | str | None
    contribution: float
    points: float
    sentence: str


class GroupMessage(BaseModel):
    """A declared group's part: the sum over those of its features that the reader may see."""

    group: str
    title: str
    contribution: float
    points: float


class ScoreMessage(BaseModel):
    """base + reasons + other = margin within 1e-9, and so do base + groups + groups_other.

    In percentage points 100 * base_probability + points + other_points = 100 * probability.
    `moment`: what was known by then was looked at.
    """

    clue_id: str
    probability: float
    margin: float
    base: float
    reasons: list[ReasonMessage]
    other: float
    flags: list[str]
    base_probability: float
    other_points: float
    groups: list[GroupMessage]
    groups_other: float
    groups_other_points: float
    moment: str


class ScoresReply(BaseModel):
    """Every score in one reply comes from one scorer."""

    scorer: str
    scores: list[ScoreMessage]


class EvidenceMessage(BaseModel):
    """The records behind a value: numbers in `record_set`, in order of happening, the first few.

    A share has two lists: the counted records, and among them those of its numerator (`hits`).
    `more`: there are others, at `GET /v1/clues/{id}/evidence/{feature}`.
    """

    record_set: str
    record_nos: list[int]
    hits: list[int]
    more: bool


class ToldReason(ReasonMessage):
    """A reason with the first records behind it, where they were asked for."""

    evidence: EvidenceMessage | None = None


class ReasonsReply(ScoreMessage):
    """Why a clue has the score it was given. `masked_features` are told in the sums of the others
    only."""

    scorer: str
    reasons: list[ToldReason]  # type: ignore[assignment]  # a ReasonMessage and more
    flag_sentences: list[str]
    masked_features: int


class ColumnMessage(BaseModel):
    """A column of governed records. `masked`: the reader's role may not read its values."""

    name: str
    title: str
    masked: bool


class EvidenceReply(BaseModel):
    """Records behind a value, as they were when the score was given, in order of happening.

    `record_set` null: the value stands in the clue itself. `hit`: counted in a ratio's numerator;
    `hits` of `total` are. A ratio is drawn towards a wider one, so `value` is not their quotient.
    `next_after`: give it as `after` for the next page; null: no more. `note`: that records of other
    offices, if there are any, are neither shown nor in `total` and `hits`; null: none are left out.
    """

    clue_id: str
    scorer: str
    moment: str
    feature: str
    value: float | str | None
    sentence: str
    record_set: str | None
    title: str | None
    columns: list[ColumnMessage]
    records: list[dict[str, Any]]
    total: int
    hits: int | None
    next_after: int | None
    note: str | None = None


class EndMessage(BaseModel):
    """What became of a clue, by the last word known now."""

    status: str
    became_case: bool
    decided_at: datetime


class SimilarClue(BaseModel):
    """`likeness`: the share, 0 to 1, of what the trees decide that both clues have in common."""

    clue_id: str
    likeness: float
    supervision_model: str
    title: str | None
    office_id: str | None
    office: str | None
    raised_at: datetime
    outcome: EndMessage | None


class SimilarReply(BaseModel):
    """Past clues like this one, the nearest first; `cases` of the `ended` ones became a case."""

    clue_id: str
    scorer: str
    similar: list[SimilarClue]
    ended: int
    cases: int


class CheckMessage(BaseModel):
    """A fact worth looking up.

    `expected_points`: by how many percentage points knowing it would move the probability in the
    mean; `known_share`: of clues like this one, how many have it; `worth_points`: the two
    multiplied, by which checks are ordered. In eight of ten cases the probability would lie from
    `lowest` to `highest`.
    """

    features: list[str]
    record_set: str | None
    title: str | None
    state: Literal["missing", "stale"]
    sentence: str
    expected_points: float
    known_share: float
    worth_points: float
    lowest: float
    highest: float


class ChecksReply(BaseModel):
    """What to check next, the most telling first."""

    clue_id: str
    scorer: str
    moment: str
    probability: float
    checks: list[CheckMessage]


@lru_cache(maxsize=4)
def _request_of(columns: tuple[tuple[str, str], ...]) -> type[ScoresRequest]:
    own: dict[str, Any] = {name: (TYPES[kind] | None, None) for name, kind in columns}
    clue = create_model("Clue", __base__=ClueMessage, **own)
    body = create_model(
        "Scores",
        __base__=ScoresRequest,
        clues=(
            Annotated[list[clue], Field(min_length=1, max_length=CLUES_PER_REQUEST)],
            ...,
        ),
    )
    return cast(type[ScoresRequest], body)


def scores_request(jurisdiction: Jurisdiction) -> type[ScoresRequest]:
    """The request's shape with the jurisdiction's own clue columns."""
    return _request_of(tuple(jurisdiction.clue_columns.items()))


def parse_message(shape: type[Message], body: bytes) -> Message:
    """A message from JSON. Raises UnfitMessage with every fault and no value of the sender's."""
    try:
        read = shape.model_validate_json(body)
    except ValidationError as error:
        # What the shape says comes first: it knows the place.
        found = error.errors(include_input=False, include_url=False)
        if any(each["type"] == "too_long" and each["loc"] == ("clues",) for each in found):
            require_few(CLUES_PER_REQUEST + 1)
        raise UnfitMessage.gather(
            [_fault(dict(each), shape) for each in found[:FAULTS_TOLD]]
        ) from None
    require_strict(body)
    return read


def _fault(error: dict[str, Any], shape: type[BaseModel]) -> Fault:
    """The place is told by position and declared names only: a key may be personal data too."""
    place, known = _declared_place(error["loc"], shape)
    where = ".".join(place) or "body"
    if error["type"] == "extra_forbidden":
        cure = nearest(str(error["loc"][-1]), known)
        return Fault("a key that is declared", "an unknown key", cure, where)
    got = GOT.get(str(error["type"]), "a value of another kind").format(**error.get("ctx", {}))
    cure = "mend the message (see /openapi.json)"
    if error["type"] == "missing" and (told := _description(error["loc"], shape)):
        return Fault(told, got, f"add {place[-1] if place else 'it'}", where)
    return Fault(_wanted(error), got, cure, where)


def _description(location: tuple[str | int, ...], shape: type[BaseModel]) -> str | None:
    """What a field of the message itself is, where its shape says so."""
    field = shape.model_fields.get(str(location[0])) if len(location) == 1 else None
    return None if field is None else field.description


def _wanted(error: dict[str, Any]) -> str:
    """What would have been right, in our own words where they are known."""
    kind = str(error["type"])
    if kind.startswith("datetime"):
        return MOMENT
    if kind in WANTED:
        return WANTED[kind].format(**error.get("ctx", {}))
    return KINDS.get(kind.split("_")[0], str(error["msg"]))


def _declared_place(
    location: tuple[str | int, ...], shape: type[BaseModel]
) -> tuple[list[str], list[str]]:
    """The part of a place that the shape declares, and the keys that may stand at its end."""
    place: list[str] = []
    here: type[BaseModel] | None = shape
    for part in location:
        if isinstance(part, int):
            place.append(str(part))
        elif here is not None and part in here.model_fields:
            place.append(part)
            here = _inner_shape(here.model_fields[part].annotation)
    return place, [] if here is None else list(here.model_fields)


def _inner_shape(annotation: Any) -> type[BaseModel] | None:
    """The message that a field holds, alone, in a list or as one of several kinds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_shape(argument)
        if found is not None:
            return found
    return None
