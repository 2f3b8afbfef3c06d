"""Tokens of an identity provider: what is taken, and everything that is not."""

from __future__ import annotations

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import ECKey, KeySet, OctKey, OKPKey, RSAKey
from served_hamlet import Served

from base.errors import NotReady, Refused
from base.settings import Settings
from serving.tokens import ProviderKeys, Tokens

NOW = int(time.time())
CLAIMS = {
    "iss": "https://idp.example", "aud": ["clues", "other"], "sub": "li", "exp": NOW + 600,
    "nbf": NOW - 60, "roles": ["reviewer", "staff"], "office": "A",
}  # fmt: skip
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
OKP = OKPKey.generate_key("Ed25519", {"kid": "okp"})
SECRET = OctKey.generate_key(256, {"kid": "oct"})


def provider(folder: Path, *keys: Any, **more: Any) -> Settings:
    """Settings of a provider with these public keys."""
    path = folder / "keys.json"
    path.write_text(json.dumps(KeySet(list(keys)).as_dict(private=False)), "utf-8")
    named = {"oidc_issuer": "https://idp.example", "oidc_audience": "clues", "oidc_keys": str(path)}
    return Settings(**{**named, **more})


def signed(key: Any, algorithm: str, claims: dict[str, Any] | None = None, **header: Any) -> str:
    head = {"alg": algorithm, "kid": key.kid, **header}
    return jwt.encode(head, claims or CLAIMS, key, algorithms=[algorithm])


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def by_shared_secret(secret: bytes) -> str:
    """Signed with HS256, which a verifier confused about kinds of keys would take."""
    said = f"{part({'alg': 'HS256', 'kid': 'rsa'})}.{part(CLAIMS)}"
    mark = hmac.digest(secret, said.encode(), "sha256")
    return f"{said}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (OKP, "EdDSA")])
def test_a_token_in_force_tells_who_asks(tmp_path: Path, key: Any, algorithm: str) -> None:
    """Subject, the one role that is known here, the office."""
    told = Tokens(provider(tmp_path, RSA, EC, OKP), now=lambda: NOW).read(signed(key, algorithm))
    assert told is not None
    assert (told.subject, told.role, told.office) == ("li", "reviewer", "A")


BAD_CLAIMS = [
    {"iss": "https://other.example"}, {"iss": None}, {"aud": "other"}, {"aud": None},
    {"exp": NOW - 31}, {"exp": None}, {"exp": "never"}, {"exp": True}, {"nbf": NOW + 120},
    {"iat": NOW + 120}, {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": "l" * 201},
    {"roles": []}, {"roles": "staff"}, {"roles": ["reviewer", "auditor"]}, {"roles": {"a": 1}},
    {"office": None}, {"office": 3}, {"office": ["A"]},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD_CLAIMS, ids=range(len(BAD_CLAIMS)))
def test_a_token_that_says_something_else_is_refused(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    """Issuer, audience, times and who it is: each must be there and right."""
    claims = {k: v for k, v in {**CLAIMS, **change}.items() if v is not None}
    assert (
        Tokens(provider(tmp_path, RSA), now=lambda: NOW).read(signed(RSA, "RS256", claims)) is None
    )


def test_times_that_are_no_numbers_never_last_for_ever(tmp_path: Path) -> None:
    """A signed `exp` of NaN or Infinity is compared with nothing."""
    for word in ("NaN", "Infinity"):
        claims = json.dumps(CLAIMS).replace(str(CLAIMS["exp"]), word)
        token = jws.serialize_compact({"alg": "RS256", "kid": "rsa"}, claims.encode(), RSA)
        assert Tokens(provider(tmp_path, RSA), now=lambda: NOW).read(token) is None


def test_what_is_not_signed_by_the_provider_is_refused(tmp_path: Path) -> None:
    """No signature, the public key as a shared secret, another key, another algorithm, noise."""
    tokens = Tokens(provider(tmp_path, RSA, EC, OKP, SECRET), now=lambda: NOW)
    stranger = RSAKey.generate_key(2048, {"kid": "rsa"})
    good = signed(RSA, "RS256")
    head, body, signature = good.split(".")
    changed = part({**CLAIMS, "roles": "administrator"})
    bad = [
        f"{part({'alg': 'none', 'kid': 'rsa'})}.{body}.",
        f"{part({'alg': 'none'})}.{body}.",
        f"{part({'alg': 'NONE', 'kid': 'rsa'})}.{body}.{signature}",
        by_shared_secret(RSA.as_pem(private=False)),
        signed(SECRET, "HS256"),
        signed(stranger, "RS256"),
        signed(RSA, "PS256"),
        signed(RSA, "RS512"),
        f"{head}.{changed}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{part({'alg': 'RS256', 'kid': 'rsa', 'crit': ['exp']})}.{body}.{signature}",
        "",
        "...",
        "\ud800",
        "a" * 8_000,
    ]
    assert tokens.read(good) is not None
    assert [tokens.read(each) for each in bad] == [None] * len(bad)


def test_roles_and_offices_are_mapped_by_settings(tmp_path: Path) -> None:
    """Keycloak's nested claim, their names for our roles, `*` for every office."""
    settings = provider(
        tmp_path,
        RSA,
        oidc_role_claim="realm_access.roles",
        oidc_roles={"检察官": "reviewer", "处长": "dispatcher"},
        oidc_office_claim="org",
    )
    claims = {**CLAIMS, "realm_access": {"roles": ["处长", "reviewer"]}, "org": "*"}
    told = Tokens(settings).read(signed(RSA, "RS256", claims))
    assert told is not None
    assert (told.role, told.office) == ("dispatcher", None)


def test_a_clock_may_be_off_by_the_leeway_and_no_more(tmp_path: Path) -> None:
    """30 seconds by default."""
    token = signed(RSA, "RS256")
    for seconds, taken in ((629, True), (631, False)):
        tokens = Tokens(provider(tmp_path, RSA), now=lambda at=NOW + seconds: at)
        assert (tokens.read(token) is not None) == taken


def test_keys_that_were_changed_are_read_anew_but_not_for_every_made_up_id(tmp_path: Path) -> None:
    """Rotation: an unknown key id has the keys read again, at most once in ten seconds."""
    settings = provider(tmp_path, RSA)
    clock = [0.0]
    keys = ProviderKeys(str(settings.oidc_keys), 300, now=lambda: clock[0])
    tokens = Tokens(settings, keys=keys)
    fresh = RSAKey.generate_key(2048, {"kid": "fresh"})
    assert tokens.read(signed(RSA, "RS256")) is not None
    provider(tmp_path, fresh)
    assert tokens.read(signed(fresh, "RS256")) is None
    assert tokens.read(signed(RSA, "RS256")) is not None
    clock[0] = 11.0
    assert tokens.read(signed(fresh, "RS256")) is not None
    assert tokens.read(signed(RSA, "RS256")) is None
    (tmp_path / "keys.json").unlink()
    clock[0] = 1_000.0
    assert tokens.read(signed(fresh, "RS256")) is not None


def test_without_any_keys_it_is_said_that_they_are_away(tmp_path: Path) -> None:
    """503, not 401: the token may be good."""
    settings = provider(tmp_path, RSA)
    (tmp_path / "keys.json").write_text('{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}', "utf-8")
    with pytest.raises(NotReady):
        Tokens(settings).read(signed(RSA, "RS256"))


def test_an_issuer_alone_is_no_setting() -> None:
    """Without an audience, tokens made for others would be taken."""
    with pytest.raises(Refused, match="CLUES_OIDC_AUDIENCE"):
        Settings(oidc_issuer="https://idp.example", oidc_keys="keys.json")


def test_a_token_opens_what_its_role_and_office_open(served: Served, tmp_path: Path) -> None:
    """Over HTTP: a reviewer of A sees A; a wrong token is told as a wrong key is."""
    served.service.__dict__["tokens"] = Tokens(provider(tmp_path, RSA), now=lambda: NOW)
    headers = {"authorization": f"Bearer {signed(RSA, 'RS256')}"}
    told = served.client.get("/v1/queue", headers=headers)
    assert told.status_code == 200
    assert {each["office_id"] for each in told.json()["clues"]} == {"A"}
    refused = served.client.post("/v1/scores", headers=headers)
    assert refused.status_code == 403
    wrong = served.client.get("/v1/queue", headers={"authorization": "Bearer a.b.c"})
    assert wrong.status_code == 401
    elsewhere = signed(RSA, "RS256", {**CLAIMS, "office": "Z"})
    lost = served.client.get("/v1/queue", headers={"authorization": f"Bearer {elsewhere}"})
    assert lost.status_code == 403
