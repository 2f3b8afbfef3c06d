"""Ranking under capacity: best first, ties by a drawn order, a few places drawn by lot.

A queue ordered by score alone learns only about what it already believes. So a known share of
each office's capacity goes to clues drawn at random from below the line, and the probability of
being chosen is kept, so that the next scorer can be judged without bias (inverse propensity;
Horvitz and Thompson, 1952). Another share is the floor: clues of supervision models of which little
is known yet, turn by turn, or a new one would wait until it was no longer new (lots.py).

Ranked is by the log-odds of a case plus what is urgent (urgency.py). A rank closes no clue. Every
drawing is a digest of the declared seed, so anyone can draw it again.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from base.errors import Refused
from dispatch.lots import Below, Drawn, Lots


@dataclass(frozen=True)
class Candidate:
    """An open clue with its score. `urgency` is added to the margin; `new_model` names its
    supervision model where little is known of that yet."""

    clue_id: str
    office_id: str
    margin: float
    urgency: float = 0.0
    new_model: str | None = None

    @property
    def value(self) -> float:
        """What it is ranked by."""
        return self.margin + self.urgency


@dataclass(frozen=True)
class Ranked:
    """A place in an office's queue. `rank` counts from 1 within the office.

    `within_capacity`: to be dispatched now. `exploration`: drawn by lot, regardless of its score;
    `floor`: by a lot of the floor. `drawing_probability`: how likely the clue was, before anything
    was drawn, to come within capacity, above the line or by lot; over a queue these add up to its
    places. `seed`: what the order of ties and the lots were drawn from.
    """

    clue_id: str
    office_id: str
    margin: float
    rank: int
    within_capacity: bool
    exploration: bool
    drawing_probability: float
    seed: str
    urgency: float = 0.0
    floor: bool = False


def rank_clues(candidates: Sequence[Candidate], seed: str) -> list[Candidate]:
    """Highest value first; equal values in an order drawn from `seed` and the clue's id."""
    return sorted(candidates, key=lambda each: (-each.value, _drawn(seed, "tie", each.clue_id)))


def fill_capacity(
    candidates: Sequence[Candidate],
    capacity: int,
    *,
    exploration_share: float,
    seed: str,
    floor_share: float = 0.0,
) -> list[Ranked]:
    """One office's queue: `capacity` places, of which shares are drawn from below the line.

    Raises Refused for shares outside [0, 1] or beyond 1 together, or a negative capacity.
    """
    _require_possible(exploration_share, floor_share, capacity)
    ranked = rank_clues(candidates, seed)
    places = min(capacity, len(ranked))
    new = sum(each.new_model is not None for each in ranked)
    lots = Lots.expecting(len(ranked), places, exploration_share, floor_share=floor_share, new=new)
    drawn = lots.drawn(_uniform(seed, "lots"))
    above = {each.clue_id for each in ranked[: places - drawn.all]}
    floor, explored = _draw(ranked[places - drawn.all :], drawn, seed)
    chances = _chances(ranked, lots)
    return [
        Ranked(
            clue_id=each.clue_id,
            office_id=each.office_id,
            margin=each.margin,
            rank=at,
            within_capacity=each.clue_id in above | floor | explored,
            exploration=each.clue_id in floor | explored,
            drawing_probability=chances[at - 1],
            seed=seed,
            urgency=each.urgency,
            floor=each.clue_id in floor,
        )
        for at, each in enumerate(ranked, 1)
    ]


def _require_possible(explore: float, floor: float, capacity: int) -> None:
    if explore >= 0 and floor >= 0 and explore + floor <= 1 and capacity >= 0:
        return
    raise Refused(
        wanted="shares between 0 and 1, at most 1 together, and no negative capacity",
        got=f"exploration {explore}, floor {floor}, capacity {capacity}",
        cure="mend the command, or dispatch.yaml",
    )


def _draw(below: Sequence[Candidate], drawn: Drawn, seed: str) -> tuple[set[str], set[str]]:
    """Ids drawn by the floor and by exploration. Costs nothing where no lot is drawn."""
    if not drawn.all:
        return set(), set()
    floor = set(_turns(below, seed)[: drawn.floor]) if drawn.floor else set()
    rest = sorted(
        (each.clue_id for each in below if each.clue_id not in floor),
        key=lambda clue_id: _drawn(seed, "lot", clue_id),
    )
    return floor, set(rest[: drawn.all - len(floor)])


def _turns(below: Sequence[Candidate], seed: str) -> list[str]:
    """Clues of new supervision models, one of each model after the other, all in drawn order."""
    of_model: dict[str, list[str]] = defaultdict(list)
    for each in below:
        if each.new_model is not None:
            of_model[each.new_model].append(each.clue_id)
    placed = [
        (turn, _drawn(seed, f"turn {turn}", model), clue_id)
        for model, ids in of_model.items()
        for turn, clue_id in enumerate(sorted(ids, key=lambda i: _drawn(seed, "floor", i)))
    ]
    return [clue_id for *_, clue_id in sorted(placed)]


def _chances(ranked: Sequence[Candidate], lots: Lots) -> list[float]:
    """How likely each ranked clue is to come within capacity, over all that could be drawn."""
    chances = [0.0] * len(ranked)
    for weight, drawn in lots.scenarios():
        line = lots.places - drawn.all
        below = ranked[line:]
        new = Counter(each.new_model for each in below if each.new_model is not None)
        anybody, of_model = Below(len(below), dict(sorted(new.items()))).chances(drawn)
        for at, each in enumerate(ranked):
            if at < line:
                chances[at] += weight
            else:
                chances[at] += weight * of_model.get(each.new_model or "", anybody)
    return [min(1.0, chance) for chance in chances]


def _uniform(seed: str, purpose: str) -> float:
    """A number in [0, 1), one of 2^53 equally likely ones."""
    return (int.from_bytes(_drawn(seed, purpose, "")[:8], "big") >> 11) / 2**53


def _drawn(seed: str, purpose: str, clue_id: str) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{purpose}\x1f{clue_id}".encode()).digest()
