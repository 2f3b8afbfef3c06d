"""Lots: how many places of a queue are drawn, and how likely each clue is to be drawn, exactly.

Two shares of the places go by lot to clues below the line: one to all of them (exploration), one to
clues of new supervision models, turn by turn (the floor). Most offices have so few places that a
share is less than one of them. The number of lots is therefore drawn too: 4 places at a share of
0.1 give one lot in 4 weeks of 10, not none for ever.

One number in [0, 1) rounds both counts (systematic sampling: Madow, 1949), so that each has its
expectation and together they never exceed the places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Drawn:
    """`floor` lots for clues of new supervision models, `explore` lots for anybody's clue."""

    floor: int
    explore: int

    @property
    def all(self) -> int:
        return self.floor + self.explore


@dataclass(frozen=True)
class Lots:
    """What is expected of `places` places among `clues` clues: lots for all, lots of the floor."""

    clues: int
    places: int
    explore: float
    floor: float = 0.0

    @classmethod
    def expecting(
        cls, clues: int, places: int, share: float, *, floor_share: float = 0.0, new: int = 0
    ) -> Lots:
        """places * share lots each on average; together never more than there are clues below the
        line, nor more of the floor than there are clues of new supervision models (`new`)."""
        explore = min(places * share, float(clues - places))
        floor = min(places * floor_share, float(new), clues - places - explore)
        return cls(clues, places, explore, max(0.0, floor))

    def drawn(self, uniform: float) -> Drawn:
        """The counts that a number in [0, 1) gives."""
        explore = _rounded(self.explore, uniform)
        return Drawn(_rounded(self.explore + self.floor, uniform) - explore, explore)

    def scenarios(self) -> Iterator[tuple[float, Drawn]]:
        """Every pair of counts with its probability; these add up to 1."""
        both = self.explore + self.floor
        edges = sorted({0.0, self.explore - int(self.explore), both - int(both), 1.0})
        for low, high in pairwise(edges):
            yield high - low, self.drawn((low + high) / 2)


def _rounded(expected: float, uniform: float) -> int:
    """Its whole part, and one more with the probability of the rest."""
    return int(expected) + (uniform < expected - int(expected))


@dataclass(frozen=True)
class Below:
    """What stands below the line: how many clues, and those of new supervision models by model."""

    clues: int
    new: Mapping[str, int]

    def by_floor(self, lots: int) -> dict[str, float]:
        """Per new supervision model, the chance of each of its clues to be drawn by `lots` turns.

        A turn takes one clue of each model that still has one, the models in drawn order; so a
        clue that stands r-th within its model is taken in round r.
        """
        left, chances = lots, dict.fromkeys(self.new, 0.0)
        turn = 1
        while left > 0 and (still := [name for name, count in self.new.items() if count >= turn]):
            reached = min(1.0, left / len(still))
            for name in still:
                chances[name] += reached / self.new[name]
            left -= min(left, len(still))
            turn += 1
        return chances

    def chances(self, drawn: Drawn) -> tuple[float, dict[str, float]]:
        """The chance of a clue below the line: of any other one, and per new supervision model.

        Turns that find no clue of a new model become lots for anybody's.
        """
        used = min(drawn.floor, sum(self.new.values()))
        others = self.clues - used
        anybody = (drawn.all - used) / others if others else 0.0
        floor = self.by_floor(used)
        return anybody, {name: each + (1 - each) * anybody for name, each in floor.items()}
