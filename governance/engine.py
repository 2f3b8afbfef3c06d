"""DuckDB, opened one way: bounded memory, a folder to spill to, no network, no extensions."""

from __future__ import annotations

from pathlib import Path

import duckdb

from base.settings import Settings


def connect(
    scratch: Path | None = None, *, threads: int | None = None, memory_limit: str | None = None
) -> duckdb.DuckDBPyConnection:
    """An in-memory connection with `threads` workers and `memory_limit` (the settings' if None)."""
    settings = Settings()
    config: dict[str, str | bool | int | float | list[str]] = {
        "threads": threads or settings.threads,
        "memory_limit": memory_limit or settings.memory_limit,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    if scratch is not None:
        scratch.mkdir(parents=True, exist_ok=True)
        config["temp_directory"] = str(scratch)
    connection = duckdb.connect(config=config)
    # A long query would draw a bar on stdout, where one JSON object belongs.
    connection.execute("SET enable_progress_bar = false")
    return connection


def lock_down(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on the connection reaches no file and no network, and stays so."""
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def file_list(files: list[str]) -> str:
    """Parquet files as the argument of read_parquet."""
    quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in files)
    return f"read_parquet([{quoted}])"
