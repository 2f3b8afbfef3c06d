"""Intake, where the circle closes: files come in, every row of them is admitted, quarantined
with its reasons, or known already. Nothing is lost and nothing is stored twice.

    admit -> source (blocks) -> desk: staging (type, judge) -> batch (laid down apart)
          -> corrections (known already? ends?) -> quarantine | tables (commit)

One call is one batch and one commit of the record set: a crash before it leaves nothing, and the
same call again completes it. A file is read in blocks and never whole in memory.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from base.errors import CluesError, Fault, NotReady, Refused
from base.moment import Clock
from base.progress import Bar, SilentBar
from base.settings import Settings
from governance import quarantine, receipts, tables
from governance.batch import Batch, Kinds
from governance.block import Source
from governance.checks import Earliest
from governance.columns import column_notices, late_columns, take_in_columns
from governance.contract import Contract, Reference
from governance.corrections import commit_rows, settle
from governance.desk import Desks
from governance.drift import OF_VALUES, Arrived, Drift, Profile, drifts, profile_of
from governance.engine import connect, file_list
from governance.home import Home
from governance.quality import Measured, measure
from governance.source import from_table, read_source
from governance.staging import referred_times_sql

# What the engine may hold of a batch before it spills; files are read beside it.
MEMORY = "1GB"
# A moment may be this far ahead of this machine's clock and still be no mistake.
CLOCKS_DIFFER = timedelta(days=1)


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
    drift: list[Drift] = field(default_factory=list)
    quality: list[Measured] = field(default_factory=list)
    # The quarantined rows of this very call (of many the first): row number and reasons. Not in
    # the JSON.
    refused: list[tuple[int, list[dict[str, str]]]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        # Left out before: ten thousand rows are not copied to be thrown away.
        told = asdict(replace(self, refused=[]))
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
    sources = _read_all(files, home.jurisdiction.timezone)
    return admit_sources(home, contract, sources, clock, bar or SilentBar())


def admit_table(
    home: Home, record_set: str, rows: pa.Table, clock: Clock, source: str = "table"
) -> Receipt:
    """Admit rows that are in memory, under the same contract and checks as a file."""
    contract = home.jurisdiction.contract(record_set)
    return admit_sources(home, contract, [from_table(source, rows)], clock, SilentBar())


def admit_sources(
    home: Home,
    contract: Contract,
    sources: Sequence[Source],
    clock: Clock,
    bar: Bar,
    *,
    by_now: Collection[str] = (),
    earliest: Earliest | None = None,
) -> Receipt:
    """The flow itself, for sources that can be read. `by_now`: columns whose moments are not after
    now, but for clocks and zones that differ by up to a day; when a record happened is always one,
    unless the contract says that it may be planned. `earliest`: how early one column may be."""
    receipt = Receipt(contract.record_set, _batch_id(contract, sources))
    receipt.files = [source.name for source in sources]
    table = home.table(contract.record_set)
    folder = home.scratch / "admit" / contract.record_set
    connection = connect(folder.with_name("spill"), memory_limit=MEMORY)
    with tables.writing(table), closing(connection):
        arrived, now = Arrived(), clock.now()
        take_in_columns(connection, contract, table, now)
        late = late_columns(table)
        _lay_out_reference(connection, home, contract)
        _lay_out_earliest(connection, earliest)
        last, stored = receipts.last_number(home, contract.record_set), tables.files(table)
        batch = Batch(connection, contract, stored, folder, receipt.batch, last, late)
        latest = dict.fromkeys([*by_now, *_past(contract)], now + CLOCKS_DIFFER)
        threads = Settings().threads
        desks = Desks(
            connection, contract, receipt.batch, folder, now, threads, latest, late, earliest
        )
        bar.expect(len(sources) + 1)
        for source in sources:
            _take_in(batch, desks, source, receipt, arrived)
            bar.advance()
        profile = _weigh(home, batch, arrived, receipt, now)
        _commit(home, batch, table, receipt)
        receipts.keep(home, contract.record_set, {**receipt.as_json(), "profile": profile}, now)
        bar.advance()
        shutil.rmtree(folder, ignore_errors=True)
    return receipt


def _past(contract: Contract) -> list[str]:
    """The column that tells what must have happened already: of what is to come no record is kept.

    Where another record set holds the times they were judged there.
    """
    happened = contract.happened_at
    return [happened] if isinstance(happened, str) and not contract.planned else []


def _read_all(files: Sequence[Path], timezone: str) -> list[Source]:
    sources: list[Source] = []
    faults: list[Fault] = []
    for path in files:
        try:
            sources.append(read_source(path, timezone))
        except CluesError as error:
            faults += error.faults
    if faults:
        raise Refused.gather(faults)
    return sources


def _batch_id(contract: Contract, sources: Sequence[Source]) -> str:
    """The same files under the same contract are the same batch, whenever they come."""
    parts = [contract.record_set, contract.digest, *sorted(source.digest for source in sources)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def _lay_out_reference(
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
    times = referred_times_sql(contract.happened_at, file_list(files))
    connection.execute(f"CREATE TABLE referred_times AS {times}")


def _lay_out_earliest(connection: duckdb.DuckDBPyConnection, earliest: Earliest | None) -> None:
    if earliest is not None:
        connection.register("earliest_told", earliest.moments)
        connection.execute("CREATE TABLE earliest_moments AS FROM earliest_told")
        connection.unregister("earliest_told")


def _take_in(
    batch: Batch, desks: Desks, source: Source, receipt: Receipt, arrived: Arrived
) -> None:
    """Judge one source block by block, several at a time while the next is read."""
    kinds, types = Kinds(source.name), dict[str, pa.DataType]()
    for laid in desks.lay_down(source.blocks(), source.name, batch.last):
        batch.take(laid, kinds)
        types |= laid.columns
    arrived.types |= types
    arrived.kinds.append(kinds)
    receipt.notices += source.notices
    receipt.notices += column_notices(batch.contract, source.name, list(types))
    receipt.notices += kinds.notices()


def _weigh(home: Home, batch: Batch, arrived: Arrived, receipt: Receipt, now: datetime) -> Profile:
    """Count what became of the rows, measure drift and quality; a refusal leaves nothing stored.

    Returns the batch's profile. A batch that is known already has no rows to be measured.
    """
    receipt.rows, receipt.quarantined = batch.rows, batch.bad
    receipt.refused = batch.refused()
    receipt.admitted = settle(batch)
    receipt.already_admitted = receipt.rows - receipt.quarantined - receipt.admitted
    arrived.rows = batch.rows
    new = "(FROM laid_down ANTI JOIN dropped USING (record_no))"
    profile = profile_of(batch.connection, batch.contract, new, receipt.admitted)
    earlier = receipts.earlier_profiles(home, receipt.record_set) if profile else []
    receipt.drift = drifts(batch, arrived, new, profile, earlier)
    if receipt.admitted or not receipt.already_admitted:
        receipt.quality = measure(batch.connection, batch.contract, new)
    _refuse(home, receipt, now)
    return profile


def _refuse(home: Home, receipt: Receipt, now: datetime) -> None:
    """Raise what the contract refuses a batch for; what it only flags goes to the notices."""
    where = ", ".join(receipt.files)
    failed = [each for each in receipt.quality if not each.ok]
    refusals = [each.fault(where) for each in receipt.drift if each.action == "refuse"]
    refusals += [each.fault(where) for each in failed if each.refuses]
    if refusals:
        kept = {**receipt.as_json(), "admitted": 0, "refused_because": refusals}
        receipts.keep(home, receipt.record_set, kept, now)
        raise Refused.gather(refusals)
    # Renamed, dropped and added columns are told file by file already.
    receipt.notices += [each.fault(where) for each in receipt.drift if each.kind in OF_VALUES]
    receipt.notices += [each.fault(where) for each in failed]


def _commit(home: Home, batch: Batch, table: Path, receipt: Receipt) -> None:
    quarantine.keep(home, receipt.record_set, batch)
    receipt.version = commit_rows(batch, table, new=receipt.admitted)
    if receipt.already_admitted and not receipt.admitted:
        receipt.notices.append(
            Fault(
                "rows not admitted before",
                f"a batch known already ({receipt.batch})",
                "nothing: it was not stored again",
                ", ".join(receipt.files),
            )
        )
