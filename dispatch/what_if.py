"""What if an office had more hands: how many more cases this week's queue is expected to give.

Every clue counts with its probability of a case times its chance of coming within capacity, so that
the answer does not hang on this week's lots. It says nothing of the weeks after: what is taken now
is not there then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from base.errors import Refused
from dispatch.ranking import Candidate, fill_capacity
from dispatch.rules import DispatchRules

MOST_PEOPLE = 1_000


@dataclass(frozen=True)
class WhatIf:
    """`more` people (fewer: negative) at an office, in a week."""

    office_id: str
    waiting: int
    places: int
    more_people: int
    places_then: int
    cases_expected: float
    cases_expected_then: float

    def as_json(self) -> dict[str, Any]:
        """Plain values; the difference beside them."""
        gain = round(self.cases_expected_then - self.cases_expected, 3)
        told = {name: _rounded(value) for name, value in asdict(self).items()}
        return {**told, "more_cases": gain}


def what_if(
    queue: Sequence[Candidate],
    probability: Mapping[str, float],
    *,
    office_id: str,
    capacity: int,
    more: int,
    rules: DispatchRules,
) -> WhatIf:
    """Ask it of one office's queue. `probability`: clue_id -> of a case.

    Raises Refused for more people than anybody has.
    """
    if abs(more) > MOST_PEOPLE:
        raise Refused(
            wanted=f"at most {MOST_PEOPLE} people more or fewer", got=str(more), cure="ask for less"
        )
    then = max(0, round(capacity + more * rules.clues_a_person_a_week))
    return WhatIf(
        office_id,
        len(queue),
        capacity,
        more,
        then,
        expected_cases(queue, probability, capacity, rules),
        expected_cases(queue, probability, then, rules),
    )


def expected_cases(
    queue: Sequence[Candidate],
    probability: Mapping[str, float],
    capacity: int,
    rules: DispatchRules,
) -> float:
    """Cases that `capacity` places are expected to find, over everything that could be drawn."""
    ranked = fill_capacity(
        queue,
        capacity,
        exploration_share=rules.exploration_share,
        floor_share=rules.floor_share,
        seed="what if",
    )
    return sum(each.drawing_probability * probability.get(each.clue_id, 0.0) for each in ranked)


def _rounded(value: Any) -> Any:
    return round(value, 3) if isinstance(value, float) else value
