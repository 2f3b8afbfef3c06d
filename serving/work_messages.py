"""Messages that change something: new clues, moves, outcomes. As strict as messages.py."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Annotated, Any, cast

from pydantic import BaseModel, Field, create_model

from dispatch.life_cycle import FACT_LENGTH, REASON_LENGTH
from governance.jurisdiction import Jurisdiction
from serving.bounds import CLUES_PER_REQUEST
from serving.messages import STRICT, ClueMessage, Moment, Text, scores_request

Fact = Annotated[str, Field(min_length=1, max_length=FACT_LENGTH)]
FACTS = ("case_number", "filed_on", "authority", "reply", "into", "office_id")


class NewCluesRequest(BaseModel):
    """`POST /v1/clues`: clues whole, or by id if they were raised here. `raised_at`: now."""

    model_config = STRICT

    clues: Annotated[list[ClueMessage], Field(min_length=1, max_length=CLUES_PER_REQUEST)]


class TransitionRequest(BaseModel):
    """`POST /v1/clues/{id}/transitions`. `expects`: the state or the version that was looked at."""

    model_config = STRICT

    to: Text
    expects: Annotated[str, Field(max_length=20)] | Annotated[int, Field(ge=0, le=2**31 - 1)]
    reason: Annotated[str, Field(max_length=REASON_LENGTH)] = ""
    case_number: Fact | None = None
    filed_on: date | None = None
    authority: Fact | None = None
    reply: Fact | None = None
    into: Text | None = None
    office_id: Text | None = None

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


@lru_cache(maxsize=4)
def _new_clues_of(shape: type[BaseModel]) -> type[NewCluesRequest]:
    clues = shape.model_fields["clues"].rebuild_annotation()
    made = create_model("NewClues", __base__=NewCluesRequest, clues=(clues, ...))
    return cast(type[NewCluesRequest], made)


def new_clues_request(jurisdiction: Jurisdiction) -> type[NewCluesRequest]:
    """The request's shape with the jurisdiction's own clue columns."""
    return _new_clues_of(scores_request(jurisdiction))
