"""The same request sent again changes nothing and gets the same answer (P-2).

The reply is kept in the transaction of what it tells, under the caller and his key: a crash leaves
both or neither. Who sends the same at once waits for the first one's end. A conflict is an answer
too and is kept; a request that could not be looked at (NotReady, a crash) is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from base.errors import Conflict, Fault, Refused
from base.moment import Clock
from scoring.ledger.chain import canonical
from scoring.ledger.opening import writing
from scoring.ledger.tables import replies

KEY_LENGTH = 200
DONE, CONFLICT = 200, 409
Work = Callable[[sa.Connection], dict[str, Any]]


class KeyUsed(Refused):
    """The key was used for another request."""


@dataclass(frozen=True)
class Asked:
    """A request under an idempotency key: `request` is the digest of all that it says."""

    principal: str
    key: str
    request: str
    called: str = "Idempotency-Key"

    @classmethod
    def of(cls, principal: str, key: str, request: Any, called: str = called) -> Asked:
        """`request`: the bytes of a body with its route before it, or plain values; `called`: what
        the caller knows the key as.

        Raises Refused for a key that is empty, too long, or not plain ASCII.
        """
        if not (0 < len(key) <= KEY_LENGTH and key.isascii() and key.isprintable()):
            raise Refused(
                wanted=f"{called}: 1 to {KEY_LENGTH} printable ASCII characters",
                got="another",
                cure="use a fresh random id for each request, the same for its retries",
            )
        told = request if isinstance(request, bytes) else canonical(request)
        return cls(principal, key, hashlib.sha256(told).hexdigest(), called)


@dataclass(frozen=True)
class Reply:
    """What was answered; `again`: to an earlier request of the same key."""

    body: dict[str, Any]
    again: bool


def once(ledger: sa.Engine, asked: Asked, clock: Clock, work: Work) -> Reply:
    """Run `work` in one transaction with its reply, unless this key was answered before.

    Raises KeyUsed for another request under the same key, and whatever `work` raises; a Conflict
    is raised again, with the same values, each time the key comes back.
    """
    try:
        with writing(ledger) as connection:
            earlier = _begin(connection, asked, clock)
            if earlier is not None:
                return _again(earlier)
            body = work(connection)
            return Reply(_end(connection, asked, DONE, body), again=False)
    except Conflict as error:
        _keep_conflict(ledger, asked, clock, error)
        raise


def find_reply(ledger: sa.Engine, asked: Asked) -> Reply | None:
    """The reply of an earlier request under this key. Raises KeyUsed, or the Conflict it got."""
    with ledger.connect() as connection:
        earlier = _found(connection, asked)
    return None if earlier is None else _again(earlier)


def _begin(connection: sa.Connection, asked: Asked, clock: Clock) -> dict[str, Any] | None:
    """Take the key (None), or wait for whoever has it and find what it was answered."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {
        "principal": asked.principal,
        "idempotency_key": asked.key,
        "request": asked.request,
        "status": 0,
        "reply": "",
        "at": clock.now(),
    }
    take = insert(replies).values(row).on_conflict_do_nothing().returning(replies.c.principal)
    return None if connection.execute(take).first() else _found(connection, asked)


def _found(connection: sa.Connection, asked: Asked) -> dict[str, Any] | None:
    query = sa.select(replies).where(*_mine(asked))
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    if row["request"] != asked.request:
        raise KeyUsed(
            wanted=f"{asked.called}: one of its own for each request",
            got="one that was used for another request",
            cure=f"use a fresh {asked.called}",
        )
    return dict(row)


def _again(earlier: dict[str, Any]) -> Reply:
    body = orjson.loads(earlier["reply"])
    if earlier["status"] == CONFLICT:
        faults = [Fault(**fault) for fault in body["faults"]]
        raise Conflict(faults=faults, **body["values"])
    return Reply(body, again=True)


def _end(
    connection: sa.Connection, asked: Asked, status: int, body: dict[str, Any]
) -> dict[str, Any]:
    """Keep the answer; returns it as it will be read back."""
    reply = orjson.dumps(body).decode()
    connection.execute(sa.update(replies).where(*_mine(asked)).values(status=status, reply=reply))
    kept: dict[str, Any] = orjson.loads(reply)
    return kept


def _keep_conflict(ledger: sa.Engine, asked: Asked, clock: Clock, error: Conflict) -> None:
    """After the work was undone; if the same request won meanwhile, its answer stays."""
    body = {"faults": [vars(fault) for fault in error.faults], "values": error.values}
    with writing(ledger) as connection:
        if _begin(connection, asked, clock) is None:
            _end(connection, asked, CONFLICT, body)


def _mine(asked: Asked) -> tuple[sa.ColumnElement[bool], ...]:
    return replies.c.principal == asked.principal, replies.c.idempotency_key == asked.key
