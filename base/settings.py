"""Every setting of the environment, one comment line each (docs/settings.md lists them)."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
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
    # Memory DuckDB may take before it spills to the home's folder.
    memory_limit: str = "2GB"
