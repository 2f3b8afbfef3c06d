"""Keys: who may ask. A key is shown once; the ledger keeps its digest only."""

from __future__ import annotations

import hashlib
import secrets
from typing import Any, get_args

import sqlalchemy as sa

from base.errors import NotFound, Refused, nearest
from base.moment import Clock
from scoring.ledger import keys
from serving.principal import Role

ROLES: tuple[str, ...] = get_args(Role)
SECRET_BYTES = 32


def create(ledger: sa.Engine, *, role: str, office_id: str | None, clock: Clock) -> dict[str, Any]:
    """Make a key for a role, for one office and those below it, or (None) for all."""
    if role not in ROLES:
        raise Refused(wanted="a role", got=repr(role), cure=nearest(role, ROLES))
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(SECRET_BYTES)
    key = f"clues.{key_id}.{secret}"
    row = {
        "key_id": key_id,
        "key_hash": key_hash(key),
        "role": role,
        "office_id": office_id,
        "created_at": clock.now(),
    }
    with ledger.begin() as connection:
        connection.execute(sa.insert(keys), row)
    return {"key": key, "key_id": key_id, "role": role, "office": office_id}


def revoke(ledger: sa.Engine, key_id: str, *, clock: Clock) -> dict[str, Any]:
    """Refuse a key from now on. Raises NotFound for an id that no key in force has."""
    change = (
        sa.update(keys)
        .where(keys.c.key_id == key_id, keys.c.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )
    with ledger.begin() as connection:
        changed = connection.execute(change).rowcount
    if not changed:
        raise NotFound(wanted="the id of a key in force", got="no such key", cure="check the id")
    return {"key_id": key_id, "revoked": True}


def key_hash(key: str) -> str:
    """sha256 hex. The secret has 256 random bits, so a plain digest cannot be guessed back."""
    return hashlib.sha256(key.encode()).hexdigest()
