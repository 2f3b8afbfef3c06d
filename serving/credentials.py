"""From what a caller shows (a key, or a token of the identity provider) to a principal."""

from __future__ import annotations

import sqlalchemy as sa

from base.errors import NotAllowed
from scoring.ledger import keys
from serving.keys import key_hash, looks_like_a_key
from serving.principal import Principal
from serving.service import Service

LONGEST_CREDENTIAL = 8_192
IN_FORCE = sa.select(keys).where(
    keys.c.key_hash == sa.bindparam("digest"), keys.c.revoked_at.is_(None)
)


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
    with service.ledger.connect() as connection:
        row = connection.execute(IN_FORCE, {"digest": key_hash(key)}).mappings().first()
    if row is None or (row["expires_at"] is not None and row["expires_at"] <= service.clock.now()):
        raise wrong_key()
    return Principal(row["key_id"], row["role"], covered(service, row["office_id"]), row["holder"])


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
