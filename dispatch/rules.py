"""How a jurisdiction ranks: `dispatch.yaml`, optional as a whole and key by key.

Without it clues stand by their score alone, and a tenth of the places is drawn by lot.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from base.declared import load_declared

FILE = "dispatch.yaml"
Weight = Annotated[float, Field(ge=0, le=10)]
Share = Annotated[float, Field(ge=0, le=1)]


class Declared(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Limitation(Declared):
    """The statute of limitation: more urgent day by day over its last `within_days`."""

    weight: Weight
    term_days: Annotated[int, Field(ge=1, description="From what happened until it lapses.")]
    within_days: Annotated[int, Field(ge=1)] = 90
    lag_column: Annotated[
        str, Field(description="Column of the clue: days from what happened to its moment.")
    ] = "lag_days"


class Waiting(Declared):
    """The time a clue may wait for an office: more urgent day by day, fully so at the end."""

    weight: Weight
    days: Annotated[int, Field(ge=1)] = 30


class Money(Declared):
    """Money at risk, on a scale of orders of magnitude; fully urgent from `full` on."""

    weight: Weight
    column: str = "amount_cents"
    full: Annotated[float, Field(gt=1)] = 100_000_000


class Urgency(Declared):
    """What is added to a clue's log-odds: each kind from 0 to its weight. A weight of 0.7 is worth
    twice the odds of a case."""

    limitation: Limitation | None = None
    waiting: Waiting | None = None
    money: Money | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the clue that are looked at."""
        named = (
            self.limitation.lag_column if self.limitation else None,
            self.money.column if self.money else None,
        )
        return tuple(name for name in named if name is not None)


class Floor(Declared):
    """Places kept for supervision models of which few outcomes are known, turn by turn."""

    share: Share
    until_outcomes: Annotated[int, Field(ge=1)] = 30


class DispatchRules(Declared):
    """The shape of `dispatch.yaml`."""

    exploration_share: Share = 0.1
    floor: Floor | None = None
    urgency: Urgency = Urgency()
    # Whether an office without places may pass clues on: never, or to a sister below the same city.
    balance: Literal["none", "within_city"] = "none"
    # Clues that one more person verifies in a week: what-if counts in persons.
    clues_a_person_a_week: Annotated[float, Field(gt=0)] = 1.0

    @model_validator(mode="after")
    def _leaves_places(self) -> DispatchRules:
        if self.exploration_share + self.floor_share > 1:
            raise ValueError("exploration_share and floor.share are more than all places")
        return self

    @property
    def floor_share(self) -> float:
        return self.floor.share if self.floor else 0.0


def load_dispatch_rules(jurisdiction: Path) -> DispatchRules:
    """The rules in a jurisdiction's folder, or the defaults where it declares none."""
    path = jurisdiction / FILE
    return load_declared(path, DispatchRules) if path.is_file() else DispatchRules()
