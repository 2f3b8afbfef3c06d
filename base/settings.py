"""Every setting of the environment, one comment line each (docs/settings.md lists them)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from base.bilingual import Language
from base.declared import Unfit, wanted_of
from base.errors import Fault, Refused

PREFIX = "CLUES_"
# These may hold passwords: what stands in them is not told.
SECRET = frozenset({"ledger_url", "tracking_uri", "pull_urls"})


def available_cores() -> int:
    """Cores this process may use: affinity, not what the machine has."""
    return len(os.sched_getaffinity(0))


class Settings(BaseSettings):
    """Read from `CLUES_*`; a command's own option wins over the environment.

    Raises Refused, every fault, for one that is not what it should be.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    # The folder that holds everything the embedded default writes.
    home: Path = Path("home")
    # Threads for DuckDB, the sweep and LightGBM together at their widest.
    threads: int = Field(default_factory=available_cores, ge=1, le=1024)
    # The language of sentences when a caller names none.
    language: Language = "zh"
    # Another ledger than the home's SQLite file (postgresql+psycopg://...).
    ledger_url: str | None = None
    # Another MLflow store than the home's SQLite file.
    tracking_uri: str | None = None
    # Servers that records are pulled from, as JSON {"server of the contract": "postgresql://..."}.
    pull_urls: dict[str, str] = {}
    # Memory DuckDB may take before it spills to the home's folder.
    memory_limit: str = "2GB"
    # Seconds that one statement of a supervision model may take.
    supervision_seconds: float = Field(default=600.0, gt=0)
    # Requests a second that one person (any role but case_system) may make; 0: no bound.
    rate_persons: float = Field(default=1_000.0, ge=0)
    # Requests a second that one case system may make; 0: no bound.
    rate_machines: float = Field(default=20_000.0, ge=0)
    # Seconds that browsers are told to insist on https (behind a TLS proxy); 0: not told.
    hsts_seconds: int = Field(default=0, ge=0)
    # Whether a reply with scores waits until the ledger has them, or they follow behind it.
    scores_kept: Literal["before_reply", "behind"] = "before_reply"
    # Who else is told of clues; none: the jurisdiction's exchange.yaml.
    exchange: Path | None = None
    # Where OpenLineage events go: a file (JSON lines) or an address; none: nowhere.
    openlineage: str | None = None
    # Where traces are sent (OTLP over HTTP); none: no traces.
    otel_endpoint: str | None = None
    # The identity provider whose tokens are taken (`iss`); none: keys only.
    oidc_issuer: str | None = None
    # The audience a token must be made for (`aud`).
    oidc_audience: str | None = None
    # The provider's public keys (JWKS): a file, or an address.
    oidc_keys: str | None = None
    # For how long those keys are kept before they are read anew.
    oidc_keys_seconds: float = Field(default=300.0, ge=1)
    # How far the provider's clock may be off.
    oidc_leeway_seconds: int = Field(default=30, ge=0, le=300)
    # The claim that holds roles, a dot for each step down (realm_access.roles).
    oidc_role_claim: str = "roles"
    # What the provider calls our roles, as JSON {"theirs": "ours"}; empty: the same.
    oidc_roles: dict[str, str] = {}
    # The claim that holds the office; "*" in it means every office.
    oidc_office_claim: str = "office"

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise Refused.gather(
                [each for found in error.errors() for each in _faults(found)]
            ) from None
        except SettingsError as error:  # no JSON, where it is wanted
            name = (re.findall(r'field "(\w+)"', str(error)) or [""])[0]
            raise Refused.gather([_fault(name, "JSON", "another text")]) from None

    @model_validator(mode="after")
    def _whole_provider(self) -> Settings:
        """An issuer without audience or keys would take tokens made for others."""
        if self.oidc_issuer and not (self.oidc_audience and self.oidc_keys):
            wanted = "CLUES_OIDC_AUDIENCE and CLUES_OIDC_KEYS beside CLUES_OIDC_ISSUER"
            raise Unfit(Fault(wanted, "not both", "set both, or none of the three"))
        return self


def _faults(found: Mapping[str, Any]) -> list[Fault]:
    """One of Pydantic's findings, by the variable it is about."""
    raised = found.get("ctx", {}).get("error")
    if isinstance(raised, Unfit):
        return list(raised.faults)
    name = str(found["loc"][0])
    secret = name in SECRET or len(found["loc"]) > 1
    return [_fault(name, wanted_of(found), "another value" if secret else repr(found["input"]))]


def _fault(name: str, wanted: str, got: str) -> Fault:
    variable = f"{PREFIX}{name.upper()}"
    cure = f"set {variable} so, or unset it (docs/settings.md)"
    return Fault(wanted, got[:60], cure, variable)
