"""Messages that change something: new clues, moves, outcomes. As strict as messages.py."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, Field, create_model

from dispatch.life_cycle import FACT_LENGTH, REASON_LENGTH
from dispatch.splitting import FEWEST, MOST
from governance.jurisdiction import Jurisdiction
from serving.bounds import CLUES_PER_REQUEST
from serving.messages import STRICT, TYPES, ClueMessage, Moment, Text, scores_request

# The state, or the version, that the caller looked at: who comes second is told so.
Expects = Annotated[
    Annotated[str, Field(max_length=20)] | Annotated[int, Field(ge=0, le=2**31 - 1)],
    Field(description="the state or version of the clue that was looked at, 'verifying' or 3"),
]
Fact = Annotated[str, Field(min_length=1, max_length=FACT_LENGTH)]
FACTS = ("case_number", "filed_on", "authority", "reply", "into", "office_id")


class NewCluesRequest(BaseModel):
    """`POST /v1/clues`: clues whole, or by id if they were raised here. `raised_at`: now."""

    model_config = STRICT

    clues: Annotated[list[ClueMessage], Field(min_length=1, max_length=CLUES_PER_REQUEST)]


class PartMessage(BaseModel):
    """One of the clues that a split clue becomes, and the columns that the jurisdiction declares.

    What is left out is the clue's own. `evidence`: some of its records, as `deaths/12`.
    """

    model_config = STRICT

    ground_key: Text
    subject_id: Text | None = None
    supervision_model: Text | None = None
    office_id: Text | None = None
    evidence: Annotated[list[Text], Field(max_length=10_000)] | None = None


class TransitionRequest(BaseModel):
    """`POST /v1/clues/{id}/transitions`. `expects`: the state or the version that was looked at.
    `parts`: of a clue that is split, what it becomes."""

    model_config = STRICT

    to: Text
    expects: Expects
    reason: Annotated[str, Field(max_length=REASON_LENGTH)] = ""
    case_number: Fact | None = None
    filed_on: date | None = None
    authority: Fact | None = None
    reply: Fact | None = None
    into: Text | None = None
    office_id: Text | None = None
    parts: Annotated[list[PartMessage], Field(min_length=FEWEST, max_length=MOST)] | None = None

    @property
    def facts(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in FACTS}
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in given.items()
            if value is not None
        }


class OutcomeMessage(BaseModel):
    """What became of a clue; the contract of `outcomes` has the statuses."""

    model_config = STRICT

    clue_id: Text
    status: Annotated[str, Field(min_length=1, max_length=64)]
    decided_at: Moment
    reported_at: Moment


class OutcomesRequest(BaseModel):
    """`POST /v1/outcomes`."""

    model_config = STRICT

    outcomes: Annotated[list[OutcomeMessage], Field(min_length=1, max_length=10_000)]


class OutcomesEvent(BaseModel):
    """`POST /v1/events/{source}`: a CloudEvent. What other attributes say is not looked at."""

    model_config = {**STRICT, "extra": "ignore"}

    specversion: Literal["1.0"]
    id: Text
    source: Text
    type: Literal["cases.outcomes.v1"]
    datacontenttype: Literal["application/json"] = "application/json"
    data: OutcomesRequest


@lru_cache(maxsize=4)
def _transition_of(columns: tuple[tuple[str, str], ...]) -> type[TransitionRequest]:
    own: dict[str, Any] = {name: (TYPES[kind] | None, None) for name, kind in columns}
    part = create_model("Part", __base__=PartMessage, **own)
    parts = Annotated[list[part], Field(min_length=FEWEST, max_length=MOST)]
    made = create_model("Transition", __base__=TransitionRequest, parts=(parts | None, None))
    return cast(type[TransitionRequest], made)


def transition_request(jurisdiction: Jurisdiction) -> type[TransitionRequest]:
    """The request's shape, parts with the jurisdiction's own clue columns."""
    return _transition_of(tuple(jurisdiction.clue_columns.items()))


@lru_cache(maxsize=4)
def _new_clues_of(shape: type[BaseModel]) -> type[NewCluesRequest]:
    clues = shape.model_fields["clues"].rebuild_annotation()
    made = create_model("NewClues", __base__=NewCluesRequest, clues=(clues, ...))
    return cast(type[NewCluesRequest], made)


def new_clues_request(jurisdiction: Jurisdiction) -> type[NewCluesRequest]:
    """The request's shape with the jurisdiction's own clue columns."""
    return _new_clues_of(scores_request(jurisdiction))
