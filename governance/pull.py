"""Records fetched from a PostgreSQL server by the query of their contract, then admitted as a file.

The server writes csv itself (`COPY ... TO STDOUT`), so that a pulled batch goes the same way as a
sent one and is the same batch when nothing has changed. The session may only read. Who signs in
stands in CLUES_PULL_URLS or in libpq's own settings (PGUSER, PGPASSFILE), never in a contract.
"""

from __future__ import annotations

from pathlib import Path

from base.errors import NotReady, Refused
from base.moment import Clock
from base.progress import Bar, SilentBar
from base.settings import Settings
from governance.contract import Contract
from governance.home import Home
from governance.intake import Receipt, admit_sources
from governance.source import read_source
from governance.terms import Pull

SESSION = (
    "SET default_transaction_read_only = on",
    "SET datestyle = 'ISO, YMD'",
    "SET client_encoding = 'UTF8'",
)


def admit_pulled(home: Home, record_set: str, clock: Clock, bar: Bar | None = None) -> Receipt:
    """Run the declared query and admit what it gives, as one batch.

    Raises NotFound (no such record set), Refused (no query declared, or one the server refuses),
    NotReady (the server does not answer, or the PostgreSQL driver is not installed).
    """
    contract = home.jurisdiction.contract(record_set)
    pull = _declared(contract)
    path = home.scratch / "pull" / f"{record_set}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _copy(pull, path, home.jurisdiction.timezone)
        source = read_source(path)
        source.name = f"{pull.server} (pulled)"
        return admit_sources(home, contract, [source], clock, bar or SilentBar())
    finally:
        path.unlink(missing_ok=True)


def _declared(contract: Contract) -> Pull:
    if contract.terms.pull is None:
        raise Refused(
            wanted=f"a query to pull {contract.record_set} by",
            got="none in its contract",
            cure="declare pull and a server of type postgresql (docs/governance.md)",
        )
    return contract.terms.pull


def _copy(pull: Pull, path: Path, timezone: str) -> None:
    try:
        import psycopg
    except ImportError:
        raise NotReady(
            wanted="the PostgreSQL driver", got="none", cure="pip install 'clues[postgres]'"
        ) from None
    place = f"server {pull.server}"
    try:
        with psycopg.connect(_address(pull), connect_timeout=10) as connection:
            for setting in (*SESSION, f"SET timezone = '{timezone}'"):
                connection.execute(setting)
            connection.commit()
            query = f"COPY ({pull.query}) TO STDOUT WITH (FORMAT csv, HEADER)"
            with path.open("wb") as file, connection.cursor().copy(query) as rows:
                for part in rows:
                    file.write(part)
    except psycopg.OperationalError as error:
        cure = "check CLUES_PULL_URLS, PGUSER and PGPASSFILE, and that it is up"
        got = f"{type(error).__name__} {error.sqlstate or ''}".strip()
        raise NotReady(wanted="an answer", got=got, cure=cure, where=place) from None
    except psycopg.Error as error:
        # Its message may hold values of rows: only its kind is told.
        got = f"{type(error).__name__} {error.sqlstate or ''}".strip()
        cure = "try the query on the server by hand"
        raise Refused(wanted="a query it runs", got=got, cure=cure, where=place) from None


def _address(pull: Pull) -> str:
    url = Settings().pull_urls.get(pull.server)
    if url is not None:
        return url
    told = {"host": pull.host, "port": pull.port, "dbname": pull.database}
    return " ".join(f"{name}='{value}'" for name, value in told.items() if value is not None)
