"""Checkpoints: where the audit ended at a time, signed, kept outside the database.

The private key signs, the public key is enough to check. Keep the checkpoints and the public key
where those who may write the ledger may not: on paper, with another office, on another machine.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from base.errors import Fault, NotFound, Refused
from base.moment import Clock
from scoring.ledger.chain import canonical
from scoring.ledger.tables import audit_head

PRIVATE, PUBLIC, FILE = "audit.key", "audit.pub", "checkpoints.jsonl"


@dataclass(frozen=True)
class Checkpoint:
    """The audit had come to row `seq`, whose digest was `digest`. `signature`: Ed25519, hex."""

    seq: int
    digest: str
    at: str
    signature: str

    @property
    def signed(self) -> bytes:
        return canonical([self.seq, self.digest, self.at])


def make_checkpoint(ledger: sa.Engine, keys: Path, file: Path, clock: Clock) -> Checkpoint:
    """Sign where the audit ends now and append the line to `file`; the key is made at first."""
    key = _private_key(keys)
    with ledger.connect() as connection:
        seq, digest = connection.execute(sa.select(audit_head.c.seq, audit_head.c.digest)).one()
    draft = Checkpoint(seq, digest, clock.now().isoformat(), "")
    signed = Checkpoint(seq, digest, draft.at, key.sign(draft.signed).hex())
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as lines:
        lines.write(orjson.dumps(asdict(signed)) + b"\n")
        lines.flush()
        os.fsync(lines.fileno())
    return signed


def read_checkpoints(file: Path, public_key: Path) -> list[Checkpoint]:
    """The checkpoints of a file, signatures checked. Raises Refused naming each bad line."""
    key = _public_key(public_key)
    if not file.is_file():
        raise NotFound(wanted="a file of checkpoints", got="none", cure="check --checkpoints")
    found, faults = [], []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            mark = _checkpoint(line)
            key.verify(bytes.fromhex(mark.signature), mark.signed)
            found.append(mark)
        except (ValueError, TypeError, InvalidSignature):
            where = f"{file.name}: line {number}"
            cure = "take the line from another copy; somebody changed this one"
            faults.append(Fault("a checkpoint signed with this key", "another line", cure, where))
    if faults:
        raise Refused.gather(faults)
    return found


def _checkpoint(line: bytes) -> Checkpoint:
    told: Any = orjson.loads(line)
    if not isinstance(told, dict) or not isinstance(told.get("seq"), int):
        raise ValueError
    return Checkpoint(**told)


def _private_key(keys: Path) -> Ed25519PrivateKey:
    """The signing key, made (0600) with its public half beside it where there is none."""
    path = keys / PRIVATE
    if not path.is_file():
        keys.mkdir(parents=True, exist_ok=True)
        made = Ed25519PrivateKey.generate()
        plain = serialization.NoEncryption()
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain
        )
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
        (keys / PUBLIC).write_bytes(_public_pem(made.public_key()))
    loaded = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(loaded, Ed25519PrivateKey):
        raise _not_a_key(path)
    return loaded


def _public_key(path: Path) -> Ed25519PublicKey:
    if not path.is_file():
        raise NotFound(
            wanted="the public key of the checkpoints",
            got="none",
            cure="give --key, or run: clues audit checkpoint",
        )
    try:
        loaded = serialization.load_pem_public_key(path.read_bytes())
    except ValueError:
        raise _not_a_key(path) from None
    if not isinstance(loaded, Ed25519PublicKey):
        raise _not_a_key(path)
    return loaded


def _not_a_key(path: Path) -> Refused:
    return Refused(
        wanted="an Ed25519 key in PEM", got="another file", cure="check --key", where=path.name
    )


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
