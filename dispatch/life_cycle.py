"""The life of a clue, as one declared machine: states, who may move a clue, and what a move needs.

    raised -> scored -> triaged -> dispatched -> accepted -> verifying -> case_filed
                          |           |-> returned -> triaged      |-> unfounded, transferred
                          |-> merged -> triaged (apart again)      |-> supplement -> verifying
    any open state -> withdrawn                       case_filed -> case_withdrawn
    any open state -> split: it lives on in its parts (dispatch/splitting.py)

A person moves a clue, never a score. What other systems report of it (outcomes) is kept as it was
reported and may move it from anywhere: see dispatch/outcome_events.py.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from base.declared import load_declared
from base.errors import Fault, Refused, nearest
from dispatch.deadlines import accept_until, verify_until
from governance.checks import CLOCKS_DIFFER, NOT_AFTER_NOW

State = Literal[
    "raised",
    "scored",
    "triaged",
    "dispatched",
    "accepted",
    "verifying",
    "supplement",
    "returned",
    "merged",
    "case_filed",
    "unfounded",
    "transferred",
    "withdrawn",
    "case_withdrawn",
    "split",
]
STATES: tuple[State, ...] = get_args(State)
OPEN: tuple[State, ...] = STATES[:8]
# What a case system may report, and what a person's decision becomes as a record.
WORDS: tuple[State, ...] = (
    "returned",
    "case_filed",
    "unfounded",
    "transferred",
    "withdrawn",
    "case_withdrawn",
    "split",
)
REASON_LENGTH, FACT_LENGTH = 2_000, 200
# Of outcomes as of what a person files.
NOT_BEFORE_RAISED = "a decision not before the day the clue was raised"


@dataclass(frozen=True)
class Transition:
    """One move: who may make it, whether it needs a reason, and which facts.

    Facts: name -> `text`, `date` (of a decision), `clue` (the id of another open clue of the
    mover's offices), `office`, or `parts` (of a split: ids of the clues that it becomes).
    `may` names facts that can be given but need not.
    """

    source: State
    to: State
    roles: frozenset[str]
    reason: bool = False
    needs: Mapping[str, str] | None = None
    may: Mapping[str, str] | None = None

    @property
    def facts(self) -> dict[str, str]:
        return {**(self.needs or {}), **(self.may or {})}


def _moves() -> dict[tuple[State, State], Transition]:
    centre, office = frozenset({"dispatcher"}), frozenset({"reviewer"})
    both = centre | office
    reported = frozenset({"dispatcher", "case_system"})
    moves = [
        Transition("raised", "scored", frozenset({"platform"})),
        Transition("raised", "triaged", centre),
        Transition("scored", "triaged", centre),
        Transition("triaged", "dispatched", centre, may={"office_id": "office"}),
        Transition("dispatched", "accepted", office),
        Transition("accepted", "verifying", office),
        Transition("verifying", "supplement", office, reason=True),
        Transition("supplement", "verifying", both, reason=True),
        Transition(
            "verifying", "case_filed", office, needs={"case_number": "text", "filed_on": "date"}
        ),
        Transition("verifying", "unfounded", office, reason=True),
        Transition(
            "verifying",
            "transferred",
            office,
            reason=True,
            needs={"authority": "text"},
            may={"reply": "text"},
        ),
        Transition("returned", "triaged", centre),
        Transition("merged", "triaged", centre, reason=True),
        Transition("case_filed", "case_withdrawn", both | reported, reason=True),
    ]
    moves += [
        Transition(state, "returned", office, reason=True)
        for state in ("dispatched", "accepted", "verifying")
    ]
    moves += [
        Transition(state, "merged", centre, reason=True, needs={"into": "clue"}) for state in OPEN
    ]
    moves += [
        Transition(state, "split", centre, reason=True, needs={"parts": "parts"}) for state in OPEN
    ]
    moves += [Transition(state, "withdrawn", reported, reason=True) for state in OPEN]
    return {(move.source, move.to): move for move in moves}


TRANSITIONS: Mapping[tuple[State, State], Transition] = _moves()


class Deadlines(BaseModel):
    """`deadlines.yaml`: how long an office has. Without the file, the defaults.

    Working days are Monday to Friday without `holidays`, and the `workdays` among the others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accept_working_days: Annotated[int, Field(ge=1, le=60)] = 3
    verify_days: Annotated[int, Field(ge=1, le=366)] = 30
    holidays: frozenset[date] = frozenset()
    workdays: frozenset[date] = frozenset()

    def of(self, dispatched_at: datetime) -> dict[str, datetime]:
        """`accept_until` and `verify_until` of a clue dispatched then."""
        return {
            "accept_until": accept_until(
                dispatched_at, self.accept_working_days, self.holidays, self.workdays
            ),
            "verify_until": verify_until(dispatched_at, self.verify_days),
        }


def load_deadlines(jurisdiction: Path) -> Deadlines:
    """Read a jurisdiction's `deadlines.yaml`, or the defaults where it has none."""
    path = jurisdiction / "deadlines.yaml"
    return load_declared(path, Deadlines) if path.is_file() else Deadlines()


def next_states(state: str, role: str) -> list[Transition]:
    """The moves a role may make from a state, in the order declared."""
    return [move for move in TRANSITIONS.values() if move.source == state and role in move.roles]


def check_facts(
    move: Transition, reason: str, facts: Mapping[str, Any], *, raised_at: datetime, at: datetime
) -> dict[str, Any]:
    """The facts of a move made `at` that moment, as they are kept.

    A date is judged as that of an outcome is: not after now, nor before the day the clue was
    raised. Raises Refused with every fault; quotes no value.
    """
    faults = []
    if move.reason and not reason.strip():
        faults.append(Fault("a reason", "none", "say why", "reason"))
    if len(reason) > REASON_LENGTH:
        faults.append(Fault(f"at most {REASON_LENGTH} characters", "more", "shorten it", "reason"))
    if has_controls(reason):
        faults.append(Fault("plain text", "a control character", "take it out", "reason"))
    declared = move.facts
    faults += [
        Fault(f"{name} ({declared[name]})", "nothing", "give it", name)
        for name in sorted(set(move.needs or {}) - set(facts))
    ]
    for name in facts:
        if name not in declared:
            cure = nearest(name, declared) if declared else "leave it out"
            faults.append(Fault("a fact of this move", "another", cure, name))
        elif declared[name] == "date":
            faults += _unfit_date(name, facts[name], raised_at, at)
        elif fault := _unfit(name, facts[name]):
            faults.append(fault)
    if faults:
        raise Refused.gather(faults)
    return {name: _kept(facts[name]) for name in sorted(facts)}


def _unfit_date(where: str, value: Any, raised_at: datetime, at: datetime) -> list[Fault]:
    try:
        told = date.fromisoformat(str(value))
    except ValueError:
        return [Fault("a date such as 2026-01-31", "another value", "mend it", where)]
    if told > (at + CLOCKS_DIFFER).date():
        return [Fault(NOT_AFTER_NOW, "a later day", "mend it", where)]
    # A clue of a simulated year may be raised later than the clock says: today is never too early.
    if told < min(raised_at, at).date():
        return [Fault(NOT_BEFORE_RAISED, "an earlier day", "mend it", where)]
    return []


def _unfit(where: str, value: Any) -> Fault | None:
    if not isinstance(value, str) or not value.strip() or len(value) > FACT_LENGTH:
        return Fault(f"text of 1 to {FACT_LENGTH} characters", "another value", "mend it", where)
    if has_controls(value):
        return Fault("plain text", "a control character", "take it out", where)
    return None


def _kept(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value).strip()


def has_controls(text: str) -> bool:
    """Whether it holds what no person writes and no PostgreSQL keeps; lines and tabs are text."""
    return any(unicodedata.category(each) in ("Cc", "Cs") for each in text if each not in "\n\r\t")
