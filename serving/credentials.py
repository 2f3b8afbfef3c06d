"""From what a caller shows (a key, or a token of the identity provider) to a principal."""

from __future__ import annotations

from functools import lru_cache

import sqlalchemy as sa

from base.errors import NotAllowed
from scoring.ledger import keys
from scoring.ledger.reading import Written, reading
from serving.keys import key_hash, looks_like_a_key
from serving.principal import Principal
from serving.service import Service

LONGEST_CREDENTIAL = 8_192


class NoKey(NotAllowed):
    """Nothing was shown that could say who asks."""


class WrongKey(NoKey):
    """A key or token that is not in force. Unknown, revoked and expired answer alike."""


def find_principal(service: Service, shown: str) -> Principal:
    """The principal of a key or token. Raises NoKey, WrongKey, or NotAllowed for a lost office."""
    if not shown:
        raise NoKey(
            wanted="Authorization: Bearer KEY, with a key in force",
            got="none",
            cure="run: clues key create --role ROLE, or ask an administrator",
        )
    if len(shown) > LONGEST_CREDENTIAL:
        raise wrong_key()
    if not looks_like_a_key(shown) and service.tokens is not None:
        told = service.tokens.read(shown)
        if told is None:
            raise wrong_key()
        return Principal(told.subject, told.role, covered(service, told.office), told.subject)
    return _of_key(service, shown)


def wrong_key() -> WrongKey:
    """What a credential out of force is answered with, whatever is wrong with it."""
    return WrongKey(
        wanted="a key in force",
        got="one that is unknown, revoked or expired",
        cure="run: clues key create --role ROLE, or ask an administrator",
    )


def _of_key(service: Service, key: str) -> Principal:
    with reading(service.ledger) as read:
        found = read(_in_force(service.ledger.dialect), {"digest": key_hash(key)})
    if not found or (found[0][-1] is not None and found[0][-1] <= service.clock.now()):
        raise wrong_key()
    key_id, role, office_id, holder, _ = found[0]
    return Principal(key_id, role, covered(service, office_id), holder)


@lru_cache(maxsize=8)
def _in_force(dialect: sa.Dialect) -> Written:
    """Asked with every request: built once."""
    names = ("key_id", "role", "office_id", "holder", "expires_at")
    query = sa.select(*(keys.c[name] for name in names)).where(
        keys.c.key_hash == sa.bindparam("digest"), keys.c.revoked_at.is_(None)
    )
    return Written(query, dialect)


def covered(service: Service, office_id: str | None) -> frozenset[str] | None:
    """The subtree of an office: the one place that says what a principal may see."""
    if office_id is None:
        return None
    if office_id not in service.offices.by_id:
        raise NotAllowed(
            wanted="a key for an office that is declared",
            got="one that is not",
            cure="ask an administrator for a new key",
        )
    return service.offices.subtree(office_id)
