"""Sessions of the console: what a person who signed in by name and password is known by.

The cookie holds random bits, the ledger their digest; whoever signs out, is disabled, or stays away
too long is refused at the next page, on every worker.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from functools import lru_cache

import sqlalchemy as sa

from base.moment import Clock
from scoring.ledger import writing
from scoring.ledger.chain import Entry, append
from scoring.ledger.reading import Written, reading
from scoring.ledger.tables import accounts, console_sessions
from serving.accounts import counted
from serving.credentials import WrongKey, covered
from serving.keys import key_hash
from serving.passwords import fits
from serving.principal import Principal
from serving.service import Service

PREFIX, SECRET_BYTES = "session.", 32
LONGEST, IDLE = timedelta(hours=10), timedelta(minutes=60)
# How often it is written down that somebody is still there.
SEEN_EVERY = timedelta(minutes=5)


class WrongPassword(WrongKey):
    """A name and password that let nobody in: unknown, wrong, disabled and locked answer alike."""


def looks_like_a_session(shown: str) -> bool:
    """Whether a cookie's value was made here; else it is a key."""
    return shown.startswith(PREFIX)


def sign_in(ledger: sa.Engine, login: str, password: str, clock: Clock) -> tuple[str, str]:
    """Begin a session: what the cookie is to hold, and the role. Raises WrongPassword."""
    now = clock.now()
    row, may_try = counted(ledger, login, now)
    right = fits(row["password"] if row else None, password)
    if row is None or not (right and may_try):
        raise WrongPassword(
            wanted="a login and its password",
            got="others, or ones locked after failures",
            cure="try again later, or ask an administrator",
        )
    token = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    begun = {
        "session_hash": key_hash(token),
        "login": row["login"],
        "started_at": now,
        "seen_at": now,
    }
    unlocked = {"failures": 0, "locked_until": None}
    with writing(ledger) as connection:
        connection.execute(
            sa.update(accounts).where(accounts.c.login == row["login"]).values(**unlocked)
        )
        # What ended is of no further use: the audit tells who came and went.
        old = (console_sessions.c.login == row["login"]) & (
            console_sessions.c.ended_at.is_not(None)
            | (console_sessions.c.started_at < now - LONGEST)
        )
        connection.execute(sa.delete(console_sessions).where(old))
        connection.execute(sa.insert(console_sessions), begun)
        told = {"signed_in": True}
        append(connection, [Entry("account", row["login"], row["login"], told, now)])
    return token, str(row["role"])


def find_visitor(service: Service, shown: str) -> Principal:
    """Whom a session's cookie stands for. Raises WrongKey, or NotAllowed for a lost office."""
    now = service.clock.now()
    values = {
        "digest": key_hash(shown), "started_after": now - LONGEST, "seen_after": now - IDLE,
    }  # fmt: skip
    with reading(service.ledger) as read:
        found = read(_in_force(service.ledger.dialect), values)
    if not found:
        raise WrongKey(wanted="somebody who is signed in", got="nobody", cure="sign in again")
    login, seen_at, role, office_id, holder = found[0]
    if now - seen_at > SEEN_EVERY:
        with service.ledger.begin() as connection:
            connection.execute(
                sa.update(console_sessions)
                .where(console_sessions.c.session_hash == values["digest"])
                .values(seen_at=now)
            )
    return Principal(login, role, covered(service, office_id), holder)


def end_session(ledger: sa.Engine, shown: str, clock: Clock) -> None:
    """Sign out; a session that is none is left."""
    now = clock.now()
    own = console_sessions.c.session_hash == key_hash(shown)
    with writing(ledger) as connection:
        ended = connection.execute(
            sa.update(console_sessions)
            .where(own, console_sessions.c.ended_at.is_(None))
            .values(ended_at=now)
            .returning(console_sessions.c.login)
        ).first()
        if ended is not None:
            append(connection, [Entry("account", ended[0], ended[0], {"signed_out": True}, now)])


@lru_cache(maxsize=8)
def _in_force(dialect: sa.Dialect) -> Written:
    """Asked for every page: built once."""
    c, of = console_sessions.c, accounts.c
    query = (
        sa.select(c.login, c.seen_at, of.role, of.office_id, of.holder)
        .join_from(console_sessions, accounts, of.login == c.login)
        .where(c.session_hash == sa.bindparam("digest"))
        .where(c.ended_at.is_(None), of.disabled_at.is_(None))
        .where(c.started_at > sa.bindparam("started_after"))
        .where(c.seen_at > sa.bindparam("seen_after"))
    )
    return Written(query, dialect)
