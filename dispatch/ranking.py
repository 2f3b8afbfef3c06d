"""Ranking under capacity: best first, ties by a drawn order, a few places drawn by lot.

A queue ordered by score alone learns only about what it already believes. So a known share of
each office's capacity goes to clues drawn at random from below the line, and the probability of
being drawn is kept, so that the next scorer can be judged without bias (inverse propensity;
Horvitz and Thompson, 1952).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    `drawing_probability`: how likely the lot was to draw it (1 above the line).
    """

    clue_id: str
    office_id: str
    margin: float
    rank: int
    within_capacity: bool
    exploration: bool
    drawing_probability: float


def rank_clues(candidates: Sequence[Candidate], seed: str) -> list[Candidate]:
    """Highest margin first; equal margins in an order drawn from `seed` and the clue's id."""
    return sorted(candidates, key=lambda each: (-each.margin, _lot(seed, each.clue_id)))


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
    drawn = min(round(places * exploration_share), len(ranked) - places)
    by_score, below = ranked[: places - drawn], ranked[places - drawn :]
    lots = _drawn(len(below), drawn, seed)
    chance = drawn / len(below) if below else 0.0
    above = {each.clue_id for each in by_score}
    lotted = {below[place].clue_id for place in lots}
    return [
        Ranked(
            clue_id=each.clue_id,
            office_id=each.office_id,
            margin=each.margin,
            rank=at,
            within_capacity=each.clue_id in above or each.clue_id in lotted,
            exploration=each.clue_id in lotted,
            drawing_probability=1.0 if each.clue_id in above else chance,
        )
        for at, each in enumerate(ranked, 1)
    ]


def _drawn(population: int, count: int, seed: str) -> list[int]:
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
    places = np.random.default_rng(number).choice(population, size=count, replace=False)
    return [int(place) for place in places]


def _lot(seed: str, clue_id: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{clue_id}".encode()).digest()
