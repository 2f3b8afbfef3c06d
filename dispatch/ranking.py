"""Ranking under capacity: best first, ties by a drawn order, a few places drawn by lot.

A queue ordered by score alone learns only about what it already believes. So a known share of
each office's capacity goes to clues drawn at random from below the line, and the probability of
being chosen is kept, so that the next scorer can be judged without bias (inverse propensity;
Horvitz and Thompson, 1952).

Most offices have so few places that the share is less than one of them. The number of lots is
therefore drawn too: 4 places at a share of 0.1 give one lot in 4 weeks of 10, not none for ever.
Every drawing is a digest of the declared seed, so anyone can draw it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from base.errors import Refused


@dataclass(frozen=True)
class Candidate:
    """An open clue with its score."""

    clue_id: str
    office_id: str
    margin: float


@dataclass(frozen=True)
class Ranked:
    """A place in an office's queue. `rank` counts from 1 within the office.

    `within_capacity`: to be dispatched now. `exploration`: drawn by lot, regardless of its score.
    `drawing_probability`: how likely the clue was, before anything was drawn, to come within
    capacity, above the line or by lot; over a queue these add up to its places. `seed`: what the
    order of ties and the lots were drawn from.
    """

    clue_id: str
    office_id: str
    margin: float
    rank: int
    within_capacity: bool
    exploration: bool
    drawing_probability: float
    seed: str


@dataclass(frozen=True)
class Lots:
    """`few` or `few` + 1 lots for `places` places among `clues`; one more with `chance_of_more`."""

    clues: int
    places: int
    few: int
    chance_of_more: float

    @classmethod
    def expecting(cls, clues: int, places: int, share: float) -> Lots:
        """places * share lots on average; never more than there are clues below the line."""
        expected = min(places * share, clues - places)
        return cls(clues, places, int(expected), expected - int(expected))

    def count(self, seed: str) -> int:
        return self.few + (_uniform(seed, "lots") < self.chance_of_more)

    def probability(self, rank: int) -> float:
        """That the clue at `rank` comes within capacity."""
        return (1 - self.chance_of_more) * self._given(self.few, rank) + (
            self.chance_of_more * self._given(self.few + 1, rank) if self.chance_of_more else 0.0
        )

    def _given(self, lots: int, rank: int) -> float:
        by_score = self.places - lots
        return 1.0 if rank <= by_score else lots / (self.clues - by_score)


def rank_clues(candidates: Sequence[Candidate], seed: str) -> list[Candidate]:
    """Highest margin first; equal margins in an order drawn from `seed` and the clue's id."""
    return sorted(candidates, key=lambda each: (-each.margin, _drawn(seed, "tie", each.clue_id)))


def fill_capacity(
    candidates: Sequence[Candidate], capacity: int, *, exploration_share: float, seed: str
) -> list[Ranked]:
    """One office's queue: `capacity` places, of which a share is drawn from below the line.

    Raises Refused for a share outside [0, 1] or a negative capacity.
    """
    if not 0 <= exploration_share <= 1 or capacity < 0:
        raise Refused(
            wanted="a share between 0 and 1, and no negative capacity",
            got=f"share {exploration_share}, capacity {capacity}",
            cure="mend the command",
        )
    ranked = rank_clues(candidates, seed)
    places = min(capacity, len(ranked))
    lots = Lots.expecting(len(ranked), places, exploration_share)
    drawn = lots.count(seed)
    by_score, below = ranked[: places - drawn], ranked[places - drawn :]
    by_lot = sorted(below, key=lambda each: _drawn(seed, "lot", each.clue_id))[:drawn]
    above = {each.clue_id for each in by_score}
    lotted = {each.clue_id for each in by_lot}
    return [
        Ranked(
            clue_id=each.clue_id,
            office_id=each.office_id,
            margin=each.margin,
            rank=at,
            within_capacity=each.clue_id in above or each.clue_id in lotted,
            exploration=each.clue_id in lotted,
            drawing_probability=lots.probability(at),
            seed=seed,
        )
        for at, each in enumerate(ranked, 1)
    ]


def _uniform(seed: str, purpose: str) -> float:
    """A number in [0, 1), one of 2^53 equally likely ones."""
    return (int.from_bytes(_drawn(seed, purpose, "")[:8], "big") >> 11) / 2**53


def _drawn(seed: str, purpose: str, clue_id: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{purpose}\x1f{clue_id}".encode()).digest()
