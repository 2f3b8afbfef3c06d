"""Local accounts: persons who sign in to the console by name and password.

One account is one person in one role, for one office and those below it, or for all. Wrong
passwords are counted before they are looked at, so that however many come at once no more than
FAILURES are tried; then the name is locked for a while. Nothing here tells whether a name exists.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from base.errors import Conflict, NotFound, Refused, nearest
from base.moment import Clock
from scoring.ledger import writing
from scoring.ledger.chain import Entry, append
from scoring.ledger.tables import accounts, console_sessions
from serving.keys import ROLES
from serving.passwords import fits, made_up, password_hash

FAILURES, LOCKED_MINUTES = 5, 15
LOGIN = re.compile(r"[\w.@-]{2,64}")


def as_login(name: str) -> str:
    """A name as it is kept: wide letters are narrow, and case does not matter."""
    return unicodedata.normalize("NFKC", name).strip().casefold()


def create(
    ledger: sa.Engine,
    login: str,
    *,
    role: str,
    office_id: str | None,
    clock: Clock,
    holder: str | None = None,
    by: str = "command",
) -> dict[str, Any]:
    """Make an account; its password is made up and told this once.

    Raises Refused for an unknown role or an unfit name, Conflict for a name that is taken.
    """
    name, password, now = as_login(login), made_up(), clock.now()
    if role not in ROLES:
        raise Refused(wanted="a role", got=repr(role), cure=nearest(role, ROLES))
    if not LOGIN.fullmatch(name):
        raise Refused(
            wanted="a login of 2 to 64 letters, digits, . _ @ or -", got="another", cure="mend it"
        )
    row = {
        "login": name,
        "password": password_hash(password),
        "role": role,
        "office_id": office_id,
        "holder": (holder or name).strip(),
        "created_at": now,
        "failures": 0,
    }
    try:
        with writing(ledger) as connection:
            connection.execute(sa.insert(accounts), row)
            told = {"created": {"role": role, "office_id": office_id}}
            append(connection, [Entry("account", by, name, told, now)])
    except IntegrityError:
        raise Conflict(
            wanted="a login that nobody has", got="one that is taken", cure="choose another"
        ) from None
    return {
        "login": name,
        "password": password,
        "role": role,
        "office": office_id,
        "holder": row["holder"],
    }


def reset(ledger: sa.Engine, login: str, *, clock: Clock, by: str = "command") -> dict[str, Any]:
    """A new password for an account, which is unlocked and enabled; whoever was signed in with it
    no longer is. Raises NotFound."""
    password = made_up()
    changes = {"password": password_hash(password), "failures": 0, "locked_until": None}
    _change(ledger, login, {**changes, "disabled_at": None}, "reset", clock, by)
    return {"login": as_login(login), "password": password}


def disable(ledger: sa.Engine, login: str, *, clock: Clock, by: str = "command") -> dict[str, Any]:
    """Let nobody in with this account any more, from the next request on. Raises NotFound."""
    _change(ledger, login, {"disabled_at": clock.now()}, "disabled", clock, by)
    return {"login": as_login(login), "disabled": True}


def change_password(ledger: sa.Engine, login: str, old: str, new: str, *, clock: Clock) -> None:
    """A person's own new password; ends every session of the account.

    Raises NotFound, or Refused for a wrong old or an unfit new one.
    """
    row, open_ = counted(ledger, login, clock.now())
    if not fits(row["password"] if row else None, old) or not open_:
        raise Refused(
            wanted="your password as it is", got="another", cure="type it again", where="old"
        )
    values = {"password": password_hash(new), "failures": 0, "locked_until": None}
    _change(ledger, login, values, "password", clock, as_login(login))


def list_accounts(ledger: sa.Engine, clock: Clock) -> list[dict[str, Any]]:
    """Every account by name: for whom, whether it is in force or locked now. No passwords."""
    now = clock.now()
    with ledger.connect() as connection:
        rows = connection.execute(sa.select(accounts).order_by(accounts.c.login)).mappings().all()
    return [
        {
            "login": row["login"],
            "role": row["role"],
            "office": row["office_id"],
            "holder": row["holder"],
            "created_at": row["created_at"].isoformat(timespec="seconds"),
            "in_force": row["disabled_at"] is None,
            "locked": row["locked_until"] is not None and row["locked_until"] > now,
        }
        for row in rows
    ]


def counted(ledger: sa.Engine, login: str, now: datetime) -> tuple[dict[str, Any] | None, bool]:
    """The account of a name (None: none), and whether a password may be tried now. The try counts
    as a failure until it is known to be none."""
    if not LOGIN.fullmatch(as_login(login)):
        return None, False
    own = accounts.c.login == as_login(login)
    with writing(ledger) as connection:
        found = connection.execute(sa.select(accounts).where(own).with_for_update())
        row = found.mappings().first()
        if row is None:
            return None, False
        if row["disabled_at"] is not None or (row["locked_until"] or now) > now:
            return dict(row), False
        values: dict[str, Any] = {"failures": row["failures"] + 1}
        if values["failures"] >= FAILURES:
            until = now + timedelta(minutes=LOCKED_MINUTES)
            values = {"failures": 0, "locked_until": until}
            append(connection, [Entry("account", "console", row["login"], {"locked": True}, now)])
        connection.execute(sa.update(accounts).where(own).values(**values))
    return dict(row), True


def _change(
    ledger: sa.Engine, login: str, values: dict[str, Any], what: str, clock: Clock, by: str
) -> None:
    name = as_login(login)
    with writing(ledger) as connection:
        change = sa.update(accounts).where(accounts.c.login == name).values(**values)
        if not connection.execute(change).rowcount:
            raise NotFound(wanted="the login of an account", got="none", cure="check the login")
        connection.execute(
            sa.update(console_sessions)
            .where(console_sessions.c.login == name, console_sessions.c.ended_at.is_(None))
            .values(ended_at=clock.now())
        )
        append(connection, [Entry("account", by, name, {what: True}, clock.now())])
