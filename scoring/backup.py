"""A home saved and brought back: ledger, tables, scorers, keys; on whichever database.

The ledger is taken first, at one moment; tables only grow, so those copied after it hold all that
it speaks of. In the copy it is a SQLite file in either case, and goes back into either.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from base.errors import Fault, NotFound, NotReady, Refused
from base.moment import Clock
from base.settings import Settings
from governance import tables
from governance.home import Home
from scoring.ledger.opening import make_engine, open_ledger
from scoring.ledger.tables import metadata

LEDGER, NOTE, JURISDICTION = "ledger.db", "backup.json", "jurisdiction"
# Made again when wanted, or of the running processes only.
LEFT_OUT = ("scratch", "online", "at_raising", LEDGER)
ROWS_AT_ONCE = 2_000


def backup(home: Home, folder: Path, clock: Clock) -> dict[str, Any]:
    """Copy a home into a new or empty folder while it is in use. Writers of a table wait for it."""
    _require_empty(folder, "a folder for the backup")
    folder.mkdir(parents=True, exist_ok=True)
    rows = _copy_ledger(open_ledger(home.ledger_url), f"sqlite:///{folder.resolve() / LEDGER}")
    for child in sorted(home.path.iterdir()):
        if child.name == "records":
            for table in sorted(path for path in child.iterdir() if path.is_dir()):
                with tables.writing(table):
                    shutil.copytree(table, folder / "records" / table.name)
        elif not child.name.startswith(LEFT_OUT) and not child.name.endswith(".lock"):
            _copy(child, folder / child.name)
    shutil.copytree(home.jurisdiction.folder, folder / JURISDICTION)
    files = {str(path.relative_to(folder)): _digest(path) for path in _files(folder)}
    note = {"made_at": clock.now().isoformat(), "ledger_rows": rows, "files": files}
    (folder / NOTE).write_text(json.dumps(note, indent=1) + "\n", "utf-8")
    return {"backup": str(folder), "files": len(files), "ledger_rows": rows}


def restore(folder: Path, home: Path) -> dict[str, Any]:
    """Make a home from a backup. The ledger goes to CLUES_LEDGER_URL if that is set.

    Raises Refused naming every file that is not as it was saved, NotReady where `home` or the
    ledger there holds anything.
    """
    note = _checked_note(folder)
    _require_empty(home, "a folder for the home")
    for child in sorted(folder.iterdir()):
        if child.name not in (LEDGER, NOTE, JURISDICTION):
            _copy(child, home / child.name)
    written = json.loads((home / "home.json").read_text("utf-8"))
    if not (Path(written["jurisdiction"]) / "jurisdiction.yaml").is_file():
        shutil.copytree(folder / JURISDICTION, home / JURISDICTION)
        written["jurisdiction"] = str((home / JURISDICTION).resolve())
        (home / "home.json").write_text(json.dumps(written) + "\n", "utf-8")
    url = Settings().ledger_url
    if url is None:
        shutil.copy2(folder / LEDGER, home / LEDGER)
        open_ledger(Home.open(home).ledger_url)
    else:
        _copy_ledger(_empty_ledger(url), None, source=make_engine(f"sqlite:///{folder / LEDGER}"))
    return {"home": str(home), "files": len(note["files"]), "ledger_rows": note["ledger_rows"]}


def _copy_ledger(ledger: sa.Engine, target: str | None, source: sa.Engine | None = None) -> int:
    """Every row of every table, as at one moment; returns how many."""
    if source is None:
        source, ledger = ledger, open_ledger(str(target))
    level = "SERIALIZABLE" if source.dialect.name == "sqlite" else "REPEATABLE READ"
    count = 0
    with (
        source.connect().execution_options(isolation_level=level) as reading,
        ledger.begin() as writing,
    ):
        for table in metadata.sorted_tables:
            writing.execute(sa.delete(table))
            found = iter(reading.execute(sa.select(table)).mappings())
            while chunk := [dict(row) for row in islice(found, ROWS_AT_ONCE)]:
                writing.execute(sa.insert(table), chunk)
                count += len(chunk)
            _number_on(writing, table)
    if target is not None:
        _one_file(ledger)
    return count


def _number_on(connection: sa.Connection, table: sa.Table) -> None:
    """PostgreSQL goes on after the numbers that were brought in."""
    number = table.autoincrement_column
    if number is None or connection.dialect.name == "sqlite":
        return
    connection.execute(
        sa.text(
            f"SELECT setval(pg_get_serial_sequence('{table.name}', '{number.name}'),"
            f" (SELECT coalesce(max({number.name}), 0) + 1 FROM {table.name}), false)"
        )
    )


def _one_file(ledger: sa.Engine) -> None:
    """The copy is one file: nothing of it stays in a log beside it."""
    with ledger.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    ledger.dispose()
    path = Path(str(ledger.url.database))
    for ending in ("-wal", "-shm", ".lock"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _empty_ledger(url: str) -> sa.Engine:
    ledger = open_ledger(url)
    with ledger.connect() as connection:
        held = any(
            connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first()
            for table in metadata.sorted_tables
            if table.name != "audit_head"
        )
    if held:
        raise NotReady(
            wanted="an empty ledger",
            got="one with rows",
            cure="give another CLUES_LEDGER_URL",
        )
    return ledger


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.suffix == ".db":
        with sqlite3.connect(source) as old, sqlite3.connect(target) as new:
            old.backup(new)
    else:
        shutil.copy2(source, target)


def _checked_note(folder: Path) -> dict[str, Any]:
    if not (folder / NOTE).is_file():
        raise NotFound(wanted="a folder that `clues backup` made", got="none", cure="check DIR")
    note: dict[str, Any] = json.loads((folder / NOTE).read_text("utf-8"))
    faults = []
    for name, digest in note["files"].items():
        path = folder / name
        if not path.is_file() or _digest(path) != digest:
            got = "another" if path.is_file() else "none"
            faults.append(Fault("the file that was saved", got, "take another backup", name))
    if faults:
        raise Refused.gather(faults)
    return note


def _require_empty(folder: Path, wanted: str) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NotReady(
            wanted=f"{wanted} that is new or empty", got=f"{folder}", cure="give another folder"
        )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
