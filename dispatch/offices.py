"""Offices: a tree of province, cities and counties, each with what it can verify in a week."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from base.bilingual import Bilingual
from base.declared import load_declared
from base.errors import Fault, NotFound, Refused, nearest


class Office(BaseModel):
    """One office. `weekly_capacity` counts clues it can verify in a week."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    office_id: str
    title: Bilingual
    level: Literal["province", "city", "county"]
    parent: str | None = None
    weekly_capacity: Annotated[int, Field(ge=0)]


class Offices(BaseModel):
    """The shape of `offices.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    offices: Annotated[tuple[Office, ...], Field(min_length=1)]

    @cached_property
    def by_id(self) -> dict[str, Office]:
        return {office.office_id: office for office in self.offices}

    @cached_property
    def _below(self) -> dict[str | None, list[str]]:
        below: dict[str | None, list[str]] = defaultdict(list)
        for office in self.offices:
            below[office.parent].append(office.office_id)
        return below

    def office(self, office_id: str) -> Office:
        """Raises NotFound for an office that is not declared."""
        try:
            return self.by_id[office_id]
        except KeyError:
            cure = nearest(office_id, self.by_id)
            raise NotFound(wanted="an office of offices.yaml", got="another", cure=cure) from None

    @cached_property
    def _subtrees(self) -> dict[str, frozenset[str]]:
        return {}

    def subtree(self, office_id: str) -> frozenset[str]:
        """The office and all below it: what somebody of that office may see."""
        known = self._subtrees.get(office_id)
        if known is None:
            seen, waiting = set(), [self.office(office_id).office_id]
            while waiting:
                at = waiting.pop()
                seen.add(at)
                waiting += self._below.get(at, [])
            known = self._subtrees[office_id] = frozenset(seen)
        return known


def load_offices(path: Path) -> Offices:
    """Read and check `offices.yaml`. Raises Refused with every fault of the tree."""
    offices = load_declared(path, Offices)
    faults = list(_tree_faults(offices, path.name))
    if faults:
        raise Refused.gather(faults)
    return offices


def _tree_faults(offices: Offices, where: str) -> list[Fault]:
    faults, seen = [], set()
    for office in offices.offices:
        at = f"{where}: {office.office_id}"
        if office.office_id in seen:
            faults.append(Fault("each office once", office.office_id, "leave one", at))
        seen.add(office.office_id)
        if office.parent is not None and office.parent not in offices.by_id:
            cure = nearest(office.parent, offices.by_id)
            faults.append(Fault("a declared office as parent", office.parent, cure, at))
    if not faults:
        reached = {
            name
            for office in offices.offices
            if office.parent is None
            for name in offices.subtree(office.office_id)
        }
        for name in sorted(set(offices.by_id) - reached):
            cure = "let some office above it have parent: null"
            faults.append(Fault("a tree", f"{name} is above itself", cure, where))
    return faults
