"""Where two sides differ about one clue, what it is called, and what is to be done about it.

Each kind has one cure. `take` says what `clues reconcile --take` does of it: `admit` their word as
an outcome, `restate` ours to them, or nothing where only persons can tell who is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from dispatch.life_cycle import OPEN, STATES, WORDS

Take = Literal["admit", "restate"]
# How far an office has come with a clue.
AT_WORK = ("dispatched", "accepted", "verifying", "supplement")


@dataclass(frozen=True)
class Side:
    """Where a clue stands on one side. `decided_at`: of its last word (None: it said none, or not
    told); `reported_at`: when that word was given."""

    state: str
    decided_at: datetime | None = None
    reported_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        decided = self.decided_at.isoformat() if self.decided_at else None
        return {"state": self.state, "decided_at": decided}


@dataclass(frozen=True)
class Difference:
    """One clue, both sides (None: that side has no such clue), the kind and its cure."""

    clue_id: str
    kind: str
    do: str
    ours: Side | None
    theirs: Side | None
    take: Take | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "clue_id": self.clue_id,
            "kind": self.kind,
            "do": self.do,
            "take": self.take,
            "ours": self.ours.as_json() if self.ours else None,
            "theirs": self.theirs.as_json() if self.theirs else None,
        }


def difference(
    clue_id: str, ours: Side | None, theirs: Side | None, unsettled: str | None, *, by_day: bool
) -> Difference | None:
    """None: both say the same. `unsettled`: `waiting` or `dead`, of messages about it that were not
    taken yet. `by_day`: dates are compared to the day."""
    kind, do, take = _judged(ours, theirs, by_day)
    if kind is None:
        return None
    if take == "restate" and unsettled == "waiting":
        kind, do, take = "on_its_way", "nothing: it is told when `clues deliver` runs", None
    elif take == "restate" and unsettled == "dead":
        kind, do, take = "held_back", "look at `clues outbox --dead`, then deliver --again", None
    return Difference(clue_id, kind, do, ours, theirs, take)


def _judged(
    ours: Side | None, theirs: Side | None, by_day: bool
) -> tuple[str | None, str, Take | None]:
    if theirs is None:
        return "missing_there", "tell it again (--take)", "restate"
    if ours is None:
        return "unknown_here", "ask the case system where it has the clue from", None
    if theirs.state not in STATES:
        return "unknown_state", "ask the case system for one of the states of docs/ledger.md", None
    if ours.state == theirs.state:
        return _dates(ours, theirs, by_day)
    if theirs.state in WORDS:
        return _their_word(ours, theirs)
    if ours.state not in OPEN:
        return "ended_here", "tell it again (--take)", "restate"
    if _progress(ours.state) > _progress(theirs.state):
        return "behind_there", "tell it again (--take)", "restate"
    return "behind_here", "let the office move it here: a person moves a clue", None


def _dates(ours: Side, theirs: Side, by_day: bool) -> tuple[str | None, str, Take | None]:
    if ours.state not in WORDS or theirs.decided_at is None or ours.decided_at is None:
        return None, "", None
    mine, other = (_rounded(each, by_day) for each in (ours.decided_at, theirs.decided_at))
    if mine == other:
        return None, "", None
    return "date_differs", "take their date as a correction (--take), or mend it there", "admit"


def _their_word(ours: Side, theirs: Side) -> tuple[str | None, str, Take | None]:
    if theirs.decided_at is None:
        return "ended_there", "ask the case system when it was decided", None
    if ours.decided_at is not None and ours.decided_at >= theirs.decided_at:
        return "newer_here", "tell ours again (--take), or mend it here", "restate"
    return "ended_there", "take their word as an outcome (--take)", "admit"


def _rounded(moment: datetime, by_day: bool) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0) if by_day else (
        moment.replace(microsecond=0)
    )  # fmt: skip


def _progress(state: str) -> int:
    return AT_WORK.index(state) + 1 if state in AT_WORK else 0
