"""The command centre's week on a home: what the commands, and callers in other rooms, ask for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from base.errors import NotFound, Refused
from base.moment import Clock, WallClock
from dispatch.life_cycle import load_deadlines
from dispatch.offices import load_offices
from dispatch.open_clues import closed_clues
from dispatch.order import DISPATCHER
from dispatch.oversight import escalate, overdue
from dispatch.proposal import Proposal, confirm, propose
from dispatch.week import OfficeWeek, Ways, office_week, ways_of
from governance.home import Home
from scoring.ledger import open_ledger


@dataclass(frozen=True)
class WorkingWeek:
    """A home's ledger and rules as of `now`; `gone`: clues whose end the records tell."""

    home: Home
    ledger: sa.Engine
    ways: Ways
    clock: Clock
    now: datetime
    gone: frozenset[str]

    def of(self, office_id: str) -> OfficeWeek:
        """One office's week. Raises NotFound for an office that is not declared."""
        self.ways.offices.office(office_id)
        with self.ledger.connect() as connection:
            return office_week(connection, self.ways, office_id, self.now, self.gone)

    def proposals(self, office_id: str) -> list[Proposal]:
        """What the ranking proposes for the office's week."""
        return propose(self.ledger, self.ways, office_id, self.now, self.gone)

    def dispatch(
        self, office_id: str, *, confirmed: bool, by: str, only: Collection[str]
    ) -> dict[str, Any]:
        """The proposals, and what was dispatched of them (nothing unless `confirmed`).

        Raises Refused where nobody stands for it, NotFound where `only` names a clue that is not
        proposed.
        """
        proposed = chosen_of(self.proposals(office_id), only)
        told: list[dict[str, Any]] = []
        if confirmed:
            if not by.strip():
                raise Refused(wanted="who confirms", got="nobody", cure="give --by NAME")
            told = confirm(
                self.ledger,
                proposed,
                by=by,
                role=DISPATCHER,
                offices=None,
                clock=self.clock,
                deadlines=load_deadlines(self.home.jurisdiction.folder),
            )["dispatched"]
        return {
            "office": office_id,
            "proposed": [each.as_json() for each in proposed],
            "dispatched": told,
        }

    def overdue(self, office_id: str | None, *, escalated: bool) -> dict[str, Any]:
        """Clues past their deadline below an office, and how many were brought before others."""
        offices = None if office_id is None else self.ways.offices.subtree(office_id)
        told = escalate(self.ledger, self.ways.offices, self.clock) if escalated else 0
        found = overdue(self.ledger, offices, self.now)
        return {"overdue": [each.as_json() for each in found], "escalated": told}


def open_week(path: Path, clock: Clock | None = None) -> WorkingWeek:
    """The week of a home, as its clock has it."""
    home = Home.open(path)
    offices = load_offices(home.jurisdiction.folder / "offices.yaml")
    clock = clock or WallClock(home.jurisdiction.timezone)
    now = clock.now()
    return WorkingWeek(
        home,
        open_ledger(home.ledger_url),
        ways_of(home, offices, now),
        clock,
        now,
        frozenset(closed_clues(home, now)),
    )


def chosen_of(proposed: Sequence[Proposal], only: Collection[str]) -> list[Proposal]:
    """The proposals of the named clues, or all of them. Raises NotFound for one not proposed."""
    wanted = set(only)
    if wanted - {each.place.clue_id for each in proposed}:
        raise NotFound(
            wanted="clues that are proposed", got="another", cure="look at the proposals again"
        )
    return [each for each in proposed if not wanted or each.place.clue_id in wanted]
