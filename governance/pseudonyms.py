"""Pseudonyms: the same person the same name in every file of a home, and nobody knows whose.

HMAC-SHA256 under a key of the home (`keys/pseudonyms.key`, for its owner's eyes), cut to 80 bits.
Without the key nobody can try numbers until one fits; whoever holds it can: it stands in no table,
no export and no log.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from governance.access import readable
from governance.home import Home
from governance.jurisdiction import Purpose

KEY_BYTES, DIGITS = 32, 20


def pseudonym_key(home: Home) -> bytes:
    """The home's key, made at first use."""
    path = home.path / "keys" / "pseudonyms.key"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return bytes.fromhex(path.read_text("ascii"))
    except FileNotFoundError:
        return _made(path)


def _made(path: Path) -> bytes:
    """Whoever is first makes it; a link fails where a whole key stands already."""
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(KEY_BYTES))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return bytes.fromhex(path.read_text("ascii"))


def pseudonym(key: bytes, value: str) -> str:
    """The name that stands for a value."""
    return "p" + hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:DIGITS]


def under_pseudonyms(home: Home, table: pa.Table, columns: Collection[str]) -> pa.Table:
    """The table with the values of these columns under pseudonyms; a missing one stays missing."""
    key: bytes | None = None
    for name in columns:
        at = table.schema.get_field_index(name)
        if at < 0:
            continue
        key = key or pseudonym_key(home)
        coded = pc.dictionary_encode(table.column(at).cast(pa.string()).combine_chunks())
        names = pa.array(
            [pseudonym(key, value) for value in coded.dictionary.to_pylist()], pa.string()
        )
        table = table.set_column(at, name, names.take(coded.indices))
    return table


def told_apart(home: Home, table: pa.Table, role: str, purpose: Purpose) -> pa.Table:
    """A table about clues as a role may have it for a purpose: what is hidden under pseudonyms."""
    ways = readable(home.jurisdiction, "clues", role, purpose)
    return under_pseudonyms(home, table, ways.of("pseudonym"))
