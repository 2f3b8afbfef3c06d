"""Tokens of an identity provider (OpenID Connect): a signed JWT to a role and an office.

Only the algorithms named here are ever tried, and only with public keys of the provider's own set:
a token without signature, or one signed with the public key's text as a shared secret, is refused
before anything in it is believed.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import structlog
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from base.errors import NotReady
from base.settings import Settings
from serving.keys import ROLES
from serving.principal import Role

log = structlog.get_logger()
# Ed25519 is what RFC 9864 calls the EdDSA that is in use.
ALGORITHMS = ("RS256", "ES256", "EdDSA", "Ed25519")
KEY_KINDS = ("RSA", "EC", "OKP")
FETCH_SECONDS, FETCH_BYTES = 3.0, 1_000_000
# An unknown key id makes the keys be fetched anew (rotation), but not for every made-up id.
ASK_AGAIN_SECONDS = 10.0
EVERY_OFFICE = "*"


@dataclass(frozen=True)
class Told:
    """What a token in force says of who shows it. `office` None: every office."""

    subject: str
    role: Role
    office: str | None


class ProviderKeys:
    """The provider's public keys, from a file or an address, kept for a while."""

    def __init__(
        self, source: str, seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._source, self._seconds, self._now = source, seconds, now
        self._kept: KeySet | None = None
        self._read_at = self._asked_at = -math.inf
        self._turn = threading.Lock()

    def current(self, *, unknown_id: bool = False) -> KeySet:
        """The keys, read anew when they are old, or (`unknown_id`) when a token names another.

        Keys that cannot be read anew serve on. Raises NotReady where none was ever read.
        """
        with self._turn:
            now = self._now()
            old = now - self._read_at >= self._seconds
            if (old or unknown_id) and now - self._asked_at >= ASK_AGAIN_SECONDS:
                self._asked_at = now
                try:
                    self._kept, self._read_at = _public_keys(self._read()), now
                except (OSError, ValueError, httpx.HTTPError, JoseError) as error:
                    log.warning("provider_keys_unreadable", kind=type(error).__name__)
            if self._kept is None:
                raise NotReady(
                    wanted="the identity provider's keys",
                    got="none that could be read",
                    cure="see CLUES_OIDC_KEYS; keys made by `clues key create` go on working",
                )
            return self._kept

    def _read(self) -> bytes:
        if not self._source.startswith(("https://", "http://")):
            return Path(self._source).read_bytes()
        read = b""
        with httpx.stream("GET", self._source, timeout=FETCH_SECONDS) as reply:
            reply.raise_for_status()
            for chunk in reply.iter_bytes():
                read += chunk
                if len(read) > FETCH_BYTES:
                    raise ValueError("more bytes than a key set has")
        return read


def _public_keys(text: bytes) -> KeySet:
    """Signing keys of the kinds in use only: a shared secret in the set is passed over."""
    listed = json.loads(text)["keys"]
    kept = [
        {
            name: value
            for name, value in key.items()
            if name not in ("d", "p", "q", "dp", "dq", "qi")
        }
        for key in listed
        if key.get("kty") in KEY_KINDS and key.get("use", "sig") == "sig"
    ]
    return KeySet.import_key_set({"keys": kept})


class Tokens:
    """Reads tokens by the settings `CLUES_OIDC_*`."""

    def __init__(
        self,
        settings: Settings,
        now: Callable[[], float] = time.time,
        keys: ProviderKeys | None = None,
    ) -> None:
        self._settings, self._now = settings, now
        self._keys = keys or ProviderKeys(str(settings.oidc_keys), settings.oidc_keys_seconds)
        self._registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)

    def read(self, shown: str) -> Told | None:
        """What the token says, or None where it is not in force, whatever the reason."""
        try:
            claims = self._verified(shown)
            self._require_in_force(claims)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            # Its kind only: a token is a credential.
            log.info("token_refused", kind=type(error).__name__)
            return None
        role, office = self._role(claims), claims.get(self._settings.oidc_office_claim)
        if role is None or not isinstance(office, str) or not 0 < len(claims["sub"]) <= 200:
            log.info("token_refused", kind="no role or office that is known here")
            return None
        return Told(claims["sub"], role, None if office == EVERY_OFFICE else office)

    def _verified(self, shown: str) -> dict[str, Any]:
        try:
            return self._decode(shown, self._keys.current())
        except InvalidKeyIdError:
            return self._decode(shown, self._keys.current(unknown_id=True))

    def _decode(self, shown: str, keys: KeySet) -> dict[str, Any]:
        return jwt.decode(shown, keys, algorithms=ALGORITHMS, registry=self._registry).claims

    def _require_in_force(self, claims: dict[str, Any]) -> None:
        for name in ("exp", "nbf", "iat"):
            value = claims.get(name, 0)
            if isinstance(value, bool) or not math.isfinite(value):
                raise ValueError(name)
        jwt.JWTClaimsRegistry(
            now=int(self._now()),
            leeway=self._settings.oidc_leeway_seconds,
            iss={"essential": True, "value": str(self._settings.oidc_issuer)},
            aud={"essential": True, "value": str(self._settings.oidc_audience)},
            exp={"essential": True},
            sub={"essential": True},
        ).validate(claims)

    def _role(self, claims: dict[str, Any]) -> Role | None:
        """The one role the token's claim maps to; none where it maps to several."""
        value: Any = claims
        for part in self._settings.oidc_role_claim.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        named = [value] if isinstance(value, str) else value if isinstance(value, list) else []
        ours = self._settings.oidc_roles or {role: role for role in ROLES}
        found = {ours.get(each) for each in named if isinstance(each, str)} & set(ROLES)
        return found.pop() if len(found) == 1 else None  # type: ignore[return-value]


def tokens_by(settings: Settings) -> Tokens | None:
    """None where no identity provider is set."""
    return Tokens(settings) if settings.oidc_issuer else None
