"""Signed messages, as the Standard Webhooks specification has them.

`webhook-signature` holds `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; one for each
key in force, so that a receiver may change keys without a gap. Keys lie in a file that only its
owner reads, one a line, the newest first: `whsec_` and the base64 of the key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from base.errors import NotAllowed, NotReady, Refused

PREFIX, VERSION = "whsec_", "v1,"
KEY_BYTES, SHORTEST, LONGEST = 32, 24, 64
KEYS_AT_MOST = 2
TOLERANCE_SECONDS = 300
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


def sign(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`: a signature by each key, the newest first."""
    content = f"{message_id}.{timestamp}.".encode() + body
    made = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    return " ".join(VERSION + base64.b64encode(each).decode() for each in made)


def signed_headers(
    keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The three headers of a signed message."""
    return {
        ID: message_id,
        TIMESTAMP: str(timestamp),
        SIGNATURE: sign(keys, message_id, timestamp, body),
    }


def verify(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: float) -> str:
    """The id of a message that was signed by one of the keys within the last five minutes.

    `headers` by lower-case name. Raises NotAllowed for any other, and says not which part failed.
    """
    shown, stamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    good = shown != "" and stamp.isascii() and stamp.isdigit() and len(stamp) < 16
    fresh = good and abs(now - int(stamp)) <= TOLERANCE_SECONDS
    if fresh:
        wanted = sign(keys, shown, int(stamp), body).split(" ")
        given = headers.get(SIGNATURE, "").encode("utf-8", "replace").split(b" ")[:10]
        if any(hmac.compare_digest(a.encode(), b) for a in wanted for b in given):
            return shown
    raise NotAllowed(
        wanted="a message signed within the last five minutes",
        got="another",
        cure="sign id.timestamp.body with the key that was exchanged",
    )


def read_keys(path: Path) -> tuple[bytes, ...]:
    """The keys of a file. Raises NotReady where there is none, Refused for what is no key or may
    be read by others; quotes nothing of it."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            lines = [line.strip() for line in file if line.strip()]
    except (OSError, UnicodeDecodeError):
        raise NotReady(
            wanted=f"the key {path.name}", got="none", cure=f"run: clues webhook-key {path.stem}"
        ) from None
    if mode & 0o077:
        raise Refused(
            wanted="a key that only its owner reads",
            got="one that others may read or write",
            cure=f"chmod 600 {path}",
        )
    keys = [_key(line) for line in lines]
    if not 1 <= len(keys) <= KEYS_AT_MOST or None in keys:
        raise Refused(
            wanted=f"one or {KEYS_AT_MOST} keys, a line each, as `clues webhook-key` writes them",
            got="something else",
            cure="mend the file",
            where=path.name,
        )
    return tuple(key for key in keys if key is not None)


def new_key(path: Path) -> str:
    """Put a new key before the one in force; both sign until `retire`. Returns it, to be handed
    to the receiver. Raises Refused where two are in force already."""
    lines = path.read_text("utf-8").split() if path.is_file() else []
    if len(lines) >= KEYS_AT_MOST:
        raise Refused(
            wanted="one key in force",
            got="two",
            cure=f"when the receiver has the new one: clues webhook-key {path.stem} --retire",
        )
    made = PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    _write(path, [made, *lines])
    return made


def retire(path: Path) -> int:
    """Leave the newest key alone in force; returns how many were retired."""
    read_keys(path)
    lines = path.read_text("utf-8").split()
    _write(path, lines[:1])
    return len(lines) - 1


def _write(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _key(line: str) -> bytes | None:
    try:
        key = base64.b64decode(line.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return None
    return key if line.startswith(PREFIX) and SHORTEST <= len(key) <= LONGEST else None
