"""Messages: the JSON that goes in and out. Strict, finite, and nothing beyond what is named."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from base.errors import Fault, nearest
from governance.jurisdiction import Jurisdiction
from serving.refusals import UnfitMessage

Message = TypeVar("Message", bound=BaseModel)
Text = Annotated[str, Field(min_length=1, max_length=200)]
TYPES: dict[str, Any] = {
    "integer": Annotated[int, Field(ge=-(2**53), le=2**53)],
    "number": float,
    "string": Annotated[str, Field(max_length=1000)],
    "date": date,
    "timestamp": datetime,
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
    raised_at: datetime | None = None


class ScoresRequest(BaseModel):
    """`POST /v1/scores`. `moment`: score all as of then; default each clue's own."""

    model_config = STRICT

    clues: Annotated[list[ClueMessage], Field(min_length=1)]
    reasons: Annotated[int, Field(ge=0, le=100)] = 5
    language: Literal["zh", "en"] = "zh"
    moment: datetime | None = None


class ReasonMessage(BaseModel):
    """One feature's part. `contribution` in log-odds; positive speaks for a case."""

    feature: str
    value: float | str | None
    contribution: float
    sentence: str


class ScoreMessage(BaseModel):
    """base + contributions + other = margin, within 1e-9."""

    clue_id: str
    probability: float
    margin: float
    base: float
    reasons: list[ReasonMessage]
    other: float
    flags: list[str]


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
    """`points`: the contribution in percentage points of probability."""

    points: float
    evidence: EvidenceMessage | None = None


class GroupMessage(BaseModel):
    """A declared group's part: the sum over those of its features that the reader may see."""

    group: str
    title: str
    contribution: float
    points: float


class ReasonsReply(ScoreMessage):
    """Why a clue has the score it was given.

    base + reasons + other = margin, and so do base + groups + groups_other; in percentage points
    100 * base_probability + points + other_points = 100 * probability. `masked_features` are told
    in the sums of the others only.
    """

    scorer: str
    moment: str
    reasons: list[ToldReason]  # type: ignore[assignment]  # a ReasonMessage and more
    base_probability: float
    other_points: float
    groups: list[GroupMessage]
    groups_other: float
    groups_other_points: float
    flag_sentences: list[str]
    masked_features: int


class ColumnMessage(BaseModel):
    """A column of governed records. `masked`: the reader's role may not read its values."""

    name: str
    title: str
    masked: bool


class EvidenceReply(BaseModel):
    """Records behind a value, as they were when the score was given, in order of happening.

    `record_set` null: the value stands in the clue itself. `hit`: counted in a share's numerator.
    `next_after`: give it as `after` for the next page; null: no more.
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
    next_after: int | None


@lru_cache(maxsize=4)
def _request_of(columns: tuple[tuple[str, str], ...]) -> type[ScoresRequest]:
    own: dict[str, Any] = {name: (TYPES[kind] | None, None) for name, kind in columns}
    clue = create_model("Clue", __base__=ClueMessage, **own)
    body = create_model(
        "Scores",
        __base__=ScoresRequest,
        clues=(Annotated[list[clue], Field(min_length=1)], ...),
    )
    return cast(type[ScoresRequest], body)


def scores_request(jurisdiction: Jurisdiction) -> type[ScoresRequest]:
    """The request's shape with the jurisdiction's own clue columns."""
    return _request_of(tuple(jurisdiction.clue_columns.items()))


def parse_message(shape: type[Message], body: bytes) -> Message:
    """A message from JSON. Raises UnfitMessage with every fault and no value of the sender's."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as error:
        known = _known_keys(shape)
        raise UnfitMessage.gather(
            [_fault(dict(each), known) for each in error.errors(include_input=False)]
        ) from None


def _fault(error: dict[str, Any], known: list[str]) -> Fault:
    """The place is told by position and declared names only: a key may be personal data too."""
    place = [part for part in error["loc"] if isinstance(part, int) or part in known]
    where = ".".join(str(part) for part in place) or "body"
    if error["type"] == "extra_forbidden":
        cure = nearest(str(error["loc"][-1]), known)
        return Fault("a key that is declared", "an unknown key", cure, where)
    wanted = {"missing": "a value", "json_invalid": "JSON"}.get(error["type"], error["msg"])
    got = "nothing" if error["type"] == "missing" else f"a fault of kind {error['type']}"
    return Fault(wanted, got, "mend the message (see /openapi.json)", where)


def _known_keys(shape: type[BaseModel]) -> list[str]:
    known = list(shape.model_fields)
    clues = shape.model_fields.get("clues")
    if clues is not None:
        inner = clues.annotation.__args__[0]  # type: ignore[union-attr]
        known += list(inner.model_fields)
    return known
