"""Whom the clues are about: people with a record, rings, families and others; companies."""

from __future__ import annotations

import numpy as np

from experiments.province.kinds import KINDS, PLACE, per_clue
from experiments.province.world import (
    DORMITORY_PHONE,
    FAMILY_SIZE,
    RING_PHONE,
    Bools,
    Ints,
    World,
)

# Shares of clues about people with a record, of rings, of dormitories; the rest are anybody.
MARKED_CLUES, RING_CLUES, DORMITORY_CLUES = 0.25, 0.08, 0.06
AGAIN_SHARE, RELATIVE_SHARE = 0.15, 0.1
PATTERN_SHARE = 0.012
PATTERN_KINDS = ("double_reimbursement", "staged_outpatient_disease")
CROWDED = 6


def draw_subjects(
    world: World, kind: Ints, month: Ints, pattern_month: int, draw: np.random.Generator
) -> tuple[Ints, Ints, Bools]:
    """Person and company of each clue, and whether it is of the pattern that appears late.

    Some people have several clues, but never two in one field; whoever died has no later one.
    The late pattern: people of a dormitory, who were harmless until then. It takes the place of
    other clues of its kinds.
    """
    apt = np.isin(kind, [PLACE[name] for name in PATTERN_KINDS]) & (month >= pattern_month)
    odds = PATTERN_SHARE * (month >= pattern_month).sum() / max(1, apt.sum())
    pattern = apt & (draw.random(len(kind)) < odds)
    person = _Pools(world, draw).persons(kind, pattern)
    company = world.employer[person].copy()
    fined = kind == PLACE["fine_not_enforced"]
    company[fined] = draw.integers(0, len(world.company_id), int(fined.sum()))
    _shells(world, kind, company, draw)
    of_company = per_clue(kind, "subject") == "company"
    return np.where(of_company, world.legal_rep[company], person), company, pattern


def _shells(world: World, kind: Ints, company: Ints, draw: np.random.Generator) -> None:
    """A crowded company once each, and none that insures anybody."""
    shells = np.flatnonzero(kind == PLACE["shell_company"])
    insuring = set(company[kind == PLACE["injury_before_insurance"]].tolist())
    crowded = draw.permutation(np.flatnonzero(world.crowd >= CROWDED))
    free = [each for each in crowded.tolist() if each not in insuring]
    rest = draw.permutation(np.flatnonzero(world.crowd < CROWDED))
    # A small world has few crowds.
    free += [each for each in rest.tolist() if each not in insuring]
    company[shells] = free[: len(shells)]


class _Pools:
    """People not yet the subject of a clue, by what they are."""

    def __init__(self, world: World, draw: np.random.Generator) -> None:
        self.world, self.draw = world, draw
        everybody = draw.permutation(len(world.person_id))
        groups = {
            "marked": world.marked,
            "ring": world.phone_kind == RING_PHONE,
            "dormitory": world.phone_kind == DORMITORY_PHONE,
            "any": np.ones(len(everybody), bool),
        }
        self.waiting = {
            name: everybody[there[everybody]].tolist() for name, there in groups.items()
        }
        self.fields: dict[int, set[str]] = {}

    def persons(self, kind: Ints, pattern: Bools) -> Ints:
        """One person for each clue in turn; companies' clues get one too, and leave it unused."""
        chosen = np.zeros(len(kind), np.int64)
        luck = self.draw.random((len(kind), 3))
        earlier: list[int] = []
        for at, of in enumerate(kind.tolist()):
            field = KINDS[of].field
            if KINDS[of].subject == "company":
                continue
            person = self._again(field, luck[at], earlier) if not pattern[at] else None
            if person is None:
                person = self._new("dormitory" if pattern[at] else self._group(luck[at, 1]), field)
            chosen[at] = person
            if KINDS[of].name != "benefit_after_death":
                earlier.append(person)
            else:
                self.fields[person] = {kind.field for kind in KINDS}
        return chosen

    def _again(self, field: str, luck: np.ndarray, earlier: list[int]) -> int | None:
        """Somebody who had a clue before, or a relative; None for somebody new."""
        if not earlier or luck[0] >= AGAIN_SHARE + RELATIVE_SHARE:
            return None
        known = earlier[int(luck[2] * len(earlier))]
        if luck[0] >= AGAIN_SHARE:
            first = known // FAMILY_SIZE * FAMILY_SIZE
            known = min(first + int(luck[1] * FAMILY_SIZE), len(self.world.person_id) - 1)
        return known if self._free(known, field) else None

    def _new(self, group: str, field: str) -> int:
        waiting = self.waiting[group] or self.waiting["any"]
        while waiting:
            person = int(waiting.pop())
            if person not in self.fields and self._free(person, field):
                return person
        return self._new("any", field)

    def _free(self, person: int, field: str) -> bool:
        taken = self.fields.setdefault(person, set())
        if field in taken:
            return False
        taken.add(field)
        return True

    @staticmethod
    def _group(luck: float) -> str:
        for name, share in (
            ("marked", MARKED_CLUES),
            ("ring", RING_CLUES),
            ("dormitory", DORMITORY_CLUES),
        ):
            if luck < share:
                return name
            luck -= share
        return "any"
