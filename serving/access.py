"""Access: a bearer key (or the console's cookie) to a principal."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import Request

from base.errors import NotAllowed
from scoring.ledger import keys
from serving.keys import key_hash
from serving.principal import Principal
from serving.service import Service

COOKIE = "clues_key"


class NoKey(NotAllowed):
    """No key, or one that is not in force: both answer alike."""


def service_of(request: Request) -> Service:
    """The service the application was made with."""
    service: Service = request.app.state.service
    return service


def principal_of(request: Request) -> Principal:
    """The principal of a bearer key. Raises NoKey."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return find_principal(service_of(request), key.strip() if scheme.lower() == "bearer" else "")


def visitor_of(request: Request) -> Principal:
    """The principal of the console's cookie. Raises NoKey."""
    return find_principal(service_of(request), request.cookies.get(COOKIE, ""))


def find_principal(service: Service, key: str) -> Principal:
    """Look a key up by its digest. Raises NoKey, or NotAllowed where its office is gone."""
    query = sa.select(keys).where(keys.c.key_hash == key_hash(key), keys.c.revoked_at.is_(None))
    with service.ledger.connect() as connection:
        row = connection.execute(query).mappings().first()
    if row is None:
        raise NoKey(
            wanted="Authorization: Bearer KEY, with a key in force",
            got="none",
            cure="run: clues key create --role ROLE, or ask an administrator",
        )
    return Principal(row["key_id"], row["role"], _covered(service, row["office_id"]))


def _covered(service: Service, office_id: str | None) -> frozenset[str] | None:
    if office_id is None:
        return None
    if office_id not in service.offices.by_id:
        raise NotAllowed(
            wanted="a key for an office that is declared",
            got="one that is not",
            cure="ask an administrator for a new key",
        )
    return service.offices.subtree(office_id)
