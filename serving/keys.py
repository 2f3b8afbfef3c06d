"""Keys: who may ask. A key is shown once; the ledger keeps its digest only."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any, get_args

import sqlalchemy as sa

from base.errors import NotFound, Refused, nearest
from base.moment import Clock
from scoring.ledger import keys, writing
from scoring.ledger.chain import Entry, append
from serving.principal import Role

ROLES: tuple[str, ...] = get_args(Role)
SECRET_BYTES = 32
PREFIX = "clues."


def create(
    ledger: sa.Engine,
    *,
    role: str,
    office_id: str | None,
    clock: Clock,
    holder: str | None = None,
    expires_at: datetime | None = None,
    by: str = "command",
) -> dict[str, Any]:
    """Make a key for a role, for one office and those below it, or (None) for all.

    `holder` is the person or machine it is given to: two keys of one holder are one person when a
    scorer is promoted. Refused from `expires_at` on (None: until it is revoked).
    """
    now = clock.now()
    if role not in ROLES:
        raise Refused(wanted="a role", got=repr(role), cure=nearest(role, ROLES))
    if expires_at is not None and expires_at <= now:
        raise Refused(wanted="a time to come", got="one that has passed", cure="give a later one")
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(SECRET_BYTES)
    key = f"{PREFIX}{key_id}.{secret}"
    row = {
        "key_id": key_id,
        "key_hash": key_hash(key),
        "role": role,
        "office_id": office_id,
        "created_at": now,
        "holder": holder,
        "expires_at": expires_at,
    }
    told = {name: row[name] for name in ("role", "office_id", "expires_at")}
    with writing(ledger) as connection:
        connection.execute(sa.insert(keys), row)
        append(connection, [Entry("key", by, key_id, {"created": told}, now)])
    return {
        "key": key,
        "key_id": key_id,
        "role": role,
        "office": office_id,
        "holder": holder,
        "expires_at": None if expires_at is None else expires_at.isoformat(),
    }


def revoke(ledger: sa.Engine, key_id: str, *, clock: Clock, by: str = "command") -> dict[str, Any]:
    """Refuse a key from now on. Raises NotFound for an id that no key in force has."""
    change = (
        sa.update(keys)
        .where(keys.c.key_id == key_id, keys.c.revoked_at.is_(None))
        .values(revoked_at=clock.now())
    )
    with writing(ledger) as connection:
        changed = connection.execute(change).rowcount
        if changed:
            append(connection, [Entry("key", by, key_id, {"revoked": True}, clock.now())])
    if not changed:
        raise NotFound(wanted="the id of a key in force", got="no such key", cure="check the id")
    return {"key_id": key_id, "revoked": True}


def list_keys(ledger: sa.Engine, clock: Clock) -> list[dict[str, Any]]:
    """Every key ever made, the oldest first: what it is for and whether it is in force."""
    names = ("key_id", "role", "office_id", "holder", "created_at", "expires_at", "revoked_at")
    query = sa.select(*(keys.c[name] for name in names)).order_by(keys.c.created_at, keys.c.key_id)
    with ledger.connect() as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    now = clock.now()
    return [
        {
            "key_id": row["key_id"],
            "role": row["role"],
            "office": row["office_id"],
            "holder": row["holder"],
            "in_force": row["revoked_at"] is None
            and (row["expires_at"] is None or row["expires_at"] > now),
            **{name: _told(row[name]) for name in ("created_at", "expires_at", "revoked_at")},
        }
        for row in rows
    ]


def looks_like_a_key(shown: str) -> bool:
    """Whether it was made here; else it may be a token of the identity provider."""
    return shown.startswith(PREFIX)


def key_hash(key: str) -> str:
    """sha256 hex. The secret has 256 random bits, so a plain digest cannot be guessed back."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _told(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
