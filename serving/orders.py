"""The command centre over HTTP: proposals, orders, clues given elsewhere, and how loads balance.

What a dispatcher is told of and may do is about his offices alone: of a sister office's clues only
where that office is his too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from pydantic import BaseModel, Field

from base.errors import Conflict, Refused
from dispatch.kept_queue import Ends
from dispatch.life_cycle import REASON_LENGTH, Deadlines, load_deadlines
from dispatch.office_loads import Load, loads
from dispatch.proposal import Proposal, confirm_in, propose, reassign_in, sisters
from dispatch.week import Ways, week_of
from serving.messages import STRICT, Text, parse_message
from serving.once_only import Work
from serving.principal import Principal
from serving.queue import fresh_queue, visible_offices
from serving.refusals import UnfitMessage
from serving.service import Service
from serving.work_messages import Expects

ORDERS_AT_ONCE = 1_000
# Endings of the last year are counted in a workload.
DAYS = 365
Reason = Annotated[str, Field(max_length=REASON_LENGTH)]


class OrderedClue(BaseModel):
    """A proposed clue, and the version of it that was looked at."""

    model_config = STRICT

    clue_id: Text
    version: Annotated[int, Field(ge=0, le=2**31 - 1)]


class OrdersRequest(BaseModel):
    """`POST /v1/orders`: all of these proposals of an office are dispatched, or none."""

    model_config = STRICT

    office: Text
    clues: Annotated[list[OrderedClue], Field(min_length=1, max_length=ORDERS_AT_ONCE)]


class ReassignmentRequest(BaseModel):
    """`POST /v1/clues/{id}/reassignment`. `expects`: the state or version that was looked at."""

    model_config = STRICT

    office_id: Text
    expects: Expects
    reason: Reason


def proposals_of(service: Service, who: Principal, office: str) -> dict[str, Any]:
    """What the ranking proposes for an office's week. Raises UnfitMessage for another's office."""
    ways, ends = fresh_queue(service, visible_offices(service, who, office))
    found = proposals_for(service, who, ways, ends, office)
    return {
        "office": office,
        "week": week_of(service.clock.now()),
        "proposals": [each.as_json() for each in found],
    }


def proposals_for(
    service: Service, who: Principal, ways: Ways, ends: Ends, office_id: str
) -> list[Proposal]:
    """What the ranking proposes for an office's week, as far as `who` sees the clues: those of a
    sister office only where that is his too."""
    found = propose(service.ledger, ways, office_id, service.clock.now(), ends.clue_ids)
    return [each for each in found if each.from_office is None or who.sees(each.from_office)]


def prepare_orders(service: Service, who: Principal, body: bytes) -> Work:
    """Dispatching the chosen proposals. The work raises Conflict where one of them is not proposed
    any more as it was looked at; one of another office never was."""
    asked = parse_message(OrdersRequest, body)
    ways, ends = fresh_queue(service, visible_offices(service, who, asked.office))
    wanted = {each.clue_id: each.version for each in asked.clues}
    if len(wanted) < len(asked.clues):
        raise UnfitMessage(
            wanted="each clue once", got="one twice", cure="leave one out", where="clues"
        )
    deadlines = deadlines_of(service)

    def work(connection: sa.Connection) -> dict[str, Any]:
        proposed = proposals_for(service, who, ways, ends, asked.office)
        chosen = [each for each in proposed if wanted.get(each.place.clue_id) == each.version]
        if len(chosen) < len(wanted):
            raise Conflict(
                wanted="clues that are proposed, as you looked at them",
                got="another among them",
                cure="look at the proposals again; nothing was dispatched",
            )
        return confirm_in(
            connection,
            chosen,
            by=who.key_id,
            role=who.role,
            offices=who.offices,
            at=service.clock.now(),
            deadlines=deadlines,
        )

    return quoting_nothing(work)


def prepare_reassignment(service: Service, who: Principal, clue_id: str, body: bytes) -> Work:
    """Giving a clue to another office of the caller's."""
    asked = parse_message(ReassignmentRequest, body)
    require_own(service, who, asked.office_id)
    deadlines = deadlines_of(service)

    def work(connection: sa.Connection) -> dict[str, Any]:
        return reassign_in(
            connection,
            clue_id,
            asked.office_id,
            by=who.key_id,
            role=who.role,
            offices=who.offices,
            expects=asked.expects,
            at=service.clock.now(),
            reason=asked.reason,
            deadlines=deadlines,
        )

    return quoting_nothing(work)


def workload(service: Service, who: Principal, office: str | None) -> dict[str, Any]:
    """What each office has on its table; where the jurisdiction lets offices help each other,
    which of them have places left for what sisters have no hands for."""
    seen = visible_offices(service, who, office)
    ways, _ = fresh_queue(service, seen)
    now = service.clock.now()
    each = loads(service.ledger, service.offices, seen, now, now - timedelta(days=DAYS))
    told = [
        {"office_id": name, **vars(load), "free": _free(load)}
        for name, load in sorted(each.items())
    ]
    balance: Literal["none", "within_city"] = ways.rules.balance
    offers = _offers(ways, each) if balance == "within_city" else []
    return {"offices": told, "balance": balance, "offers": offers}


def _free(load: Load) -> int:
    """Places of the week that no own clue takes."""
    return max(0, load.capacity - load.ordered - load.proposed)


def _offers(ways: Ways, each: dict[str, Load]) -> list[dict[str, Any]]:
    """Offices with places left, and how many of the clues that wait in vain at each sister they
    could take. Both are offices that the caller sees."""
    found = []
    for name, load in sorted(each.items()):
        if name not in ways.offices.by_id or not _free(load):
            continue
        waiting = {
            sister: each[sister].waiting - each[sister].proposed
            for sister in sisters(ways, name)
            if sister in each
        }
        if total := sum(waiting.values()):
            in_vain = {sister: count for sister, count in sorted(waiting.items()) if count}
            takes = min(_free(load), total)
            found.append({"office_id": name, "could_take": takes, "waiting_at": in_vain})
    return found


def require_own(service: Service, who: Principal, office_id: str) -> None:
    """Raises UnfitMessage for an office that is unknown or not the caller's: both alike."""
    own: Collection[str] = service.offices.by_id if who.offices is None else who.offices
    if office_id not in own:
        raise UnfitMessage(
            wanted="an office of yours",
            got="another",
            cure="name one that you cover",
            where="office_id",
        )


def deadlines_of(service: Service) -> Deadlines:
    """How long offices of this jurisdiction have."""
    return load_deadlines(service.home.jurisdiction.folder)


def quoting_nothing(work: Callable[[sa.Connection], dict[str, Any]]) -> Work:
    """The same work; what it refuses names places of the message and quotes no value of it."""

    def told(connection: sa.Connection) -> dict[str, Any]:
        try:
            return work(connection)
        except Refused as error:
            raise UnfitMessage.gather(error.faults) from None

    return told
