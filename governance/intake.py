"""Intake, where the circle closes: files come in, every row of them is admitted, quarantined
with its reasons, or known already. Nothing is lost and nothing is stored twice.

    admit -> source (read) -> staging (type, judge) -> quarantine | corrections -> tables (commit)

One call is one batch and one commit of the record set: a crash before it leaves nothing, and the
same call again completes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from base.errors import CluesError, Fault, NotReady, Refused
from base.moment import Clock
from base.progress import Bar, SilentBar
from governance import quarantine, tables
from governance.checks import Check
from governance.contract import Contract, Reference
from governance.corrections import commit_rows
from governance.engine import connect, file_list
from governance.home import Home
from governance.source import Source, from_table, read_source
from governance.staging import column_notices, stage


@dataclass
class Receipt:
    """What became of a batch: rows = admitted + quarantined + already_admitted, always."""

    record_set: str
    batch: str
    rows: int = 0
    admitted: int = 0
    quarantined: int = 0
    already_admitted: int = 0
    version: int = -1
    files: list[str] = field(default_factory=list)
    notices: list[Fault] = field(default_factory=list)
    # The quarantined rows of this very call: row number and reasons. Not in the JSON.
    refused: list[tuple[int, list[dict[str, str]]]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        told = asdict(self)
        del told["refused"]
        return told


def admit(
    home: Home, record_set: str, files: Sequence[Path], clock: Clock, bar: Bar | None = None
) -> Receipt:
    """Admit files (csv, csv.gz, jsonl, parquet) as one batch of `record_set`.

    Raises NotFound (no such record set or file), Refused (a file that cannot be opened at all);
    rows that cannot be used are quarantined and told in the receipt's notices.
    """
    contract = home.jurisdiction.contract(record_set)
    return admit_sources(home, contract, _read_all(files), clock, bar or SilentBar())


def admit_table(
    home: Home, record_set: str, rows: pa.Table, clock: Clock, source: str = "table"
) -> Receipt:
    """Admit rows that are in memory, under the same contract and checks as a file."""
    contract = home.jurisdiction.contract(record_set)
    return admit_sources(home, contract, [from_table(source, rows)], clock, SilentBar())


def admit_sources(
    home: Home, contract: Contract, sources: list[Source], clock: Clock, bar: Bar
) -> Receipt:
    """The flow itself, for sources already read."""
    receipt = Receipt(contract.record_set, _batch_id(contract, sources))
    receipt.files = [source.name for source in sources]
    table = home.table(contract.record_set)
    connection = connect(home.scratch)
    with tables.writing(table):
        _register_reference(connection, home, contract)
        bar.expect(len(sources) + 1)
        refused: list[quarantine.QuarantinedRows] = []
        for number, source in enumerate(sources):
            found = stage(connection, contract, source, number)
            refused.append(_judged(connection, contract, source, number, found, receipt))
            bar.advance()
        quarantine.keep(home, contract.record_set, receipt.batch, refused, clock)
        _commit(connection, contract, table, len(sources), receipt)
        bar.advance()
    return receipt


def _read_all(files: Sequence[Path]) -> list[Source]:
    sources: list[Source] = []
    faults: list[Fault] = []
    for path in files:
        try:
            sources.append(read_source(path))
        except CluesError as error:
            faults += error.faults
    if faults:
        raise Refused.gather(faults)
    return sources


def _batch_id(contract: Contract, sources: list[Source]) -> str:
    """The same files under the same contract are the same batch, whenever they come."""
    parts = [contract.record_set, contract.digest, *sorted(source.digest for source in sources)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def _register_reference(
    connection: duckdb.DuckDBPyConnection, home: Home, contract: Contract
) -> None:
    if not isinstance(contract.happened_at, Reference):
        return
    record_set = contract.happened_at.record_set
    files = tables.files(home.table(record_set))
    if not files:
        raise NotReady(
            wanted=f"{record_set} admitted before {contract.record_set} (it holds its times)",
            got=f"no {record_set} yet",
            cure=f"run: clues admit {record_set} FILE",
        )
    connection.execute(f"CREATE VIEW referred_rows AS SELECT * FROM {file_list(files)}")


def _judged(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    source: Source,
    number: int,
    found: list[Check],
    receipt: Receipt,
) -> quarantine.QuarantinedRows:
    """Take the bad rows of one staged file out, tell them in the receipt, return them."""
    bad = connection.sql(
        f"SELECT source_row, raw, reasons, masks FROM staged_{number} WHERE len(reasons) > 0"
        " ORDER BY source_row"
    ).to_arrow_table()
    rows = quarantine.QuarantinedRows.of(source, bad, found)
    receipt.rows += source.rows.num_rows + len(source.spoilt)
    receipt.quarantined += len(rows)
    receipt.refused += [(row, reasons) for row, _, reasons in rows.rows]
    receipt.notices += [*source.notices, *column_notices(contract, source), *rows.notices()]
    return rows


def _commit(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    table: Path,
    sources: int,
    receipt: Receipt,
) -> None:
    good = " UNION ALL ".join(
        f"SELECT *, {number} AS source_no FROM staged_{number} WHERE len(reasons) = 0"
        for number in range(sources)
    )
    receipt.admitted = commit_rows(connection, contract, table, good, receipt.batch)
    receipt.already_admitted = receipt.rows - receipt.quarantined - receipt.admitted
    receipt.version = tables.version(table)
    if receipt.already_admitted and not receipt.admitted:
        receipt.notices.append(
            Fault(
                "rows not admitted before",
                f"a batch known already ({receipt.batch})",
                "nothing: it was not stored again",
                ", ".join(receipt.files),
            )
        )
