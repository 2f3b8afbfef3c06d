"""Passwords: argon2id over them, and never more than a few at a time.

Cost: OWASP's second choice for argon2id (19 MiB, two passes, one lane). A verification holds its
memory, so that a flood of sign-ins must not make many at once: the others wait their turn.
"""

from __future__ import annotations

import secrets
import threading
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from base.errors import Refused

MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
AT_ONCE = 2
SHORTEST, LONGEST = 12, 256
# Without the letters and digits that are taken for each other when read from paper.
ALPHABET = "abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
_turn = threading.BoundedSemaphore(AT_ONCE)


def made_up() -> str:
    """A password nobody guesses: 93 random bits in four groups."""
    groups = ["".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4)]
    return "-".join(groups)


def password_hash(password: str) -> str:
    """What is kept of a password. Raises Refused for one that is too short, or too long to be."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused(
            wanted=f"a password of {SHORTEST} to {LONGEST} characters",
            got="a shorter one" if len(password) < SHORTEST else "a longer one",
            cure="choose another",
            where="new",
        )
    with _turn:
        return _hasher.hash(password)


def fits(kept: str | None, password: str) -> bool:
    """Whether it is the password that was kept. `kept` None (nobody of that name): the same work
    is done, and the answer is no."""
    with _turn:
        try:
            return _hasher.verify(kept or _nobodys(), password[: LONGEST + 1]) and kept is not None
        except (VerificationError, InvalidHashError):
            return False


@lru_cache(maxsize=1)
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe())
