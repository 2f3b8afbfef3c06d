"""Every setting of the environment, one comment line each (docs/settings.md lists them)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from base.bilingual import Language


def available_cores() -> int:
    """Cores this process may use: affinity, not what the machine has."""
    return len(os.sched_getaffinity(0))


class Settings(BaseSettings):
    """Read from `CLUES_*`; a command's own option wins over the environment."""

    model_config = SettingsConfigDict(env_prefix="CLUES_", extra="forbid", frozen=True)

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

    @model_validator(mode="after")
    def _whole_provider(self) -> Settings:
        """An issuer without audience or keys would take tokens made for others."""
        if self.oidc_issuer and not (self.oidc_audience and self.oidc_keys):
            raise ValueError("CLUES_OIDC_ISSUER wants CLUES_OIDC_AUDIENCE and CLUES_OIDC_KEYS too")
        return self
