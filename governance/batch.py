"""One batch on its way: good rows and bad ones laid down block by block, out of memory.

Good rows become Parquet parts in the scratch folder, numbered on from the record set's last row.
Bad rows become parts of the quarantine. Nothing is seen by anybody before `corrections` and
`quarantine` commit.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from base.errors import Fault
from governance import tables
from governance.contract import Contract
from governance.desk import Laid
from governance.engine import file_list
from governance.reading import empty_view

REFUSED_TOLD = 10_000
ARRIVALS = """
    CREATE OR REPLACE TEMP TABLE arrivals (
        record_no BIGINT, digest_hash UBIGINT, key_hash UBIGINT
    )
"""


@dataclass
class Kinds:
    """Why rows of one file were quarantined: (column, wanted) -> first row, its words, how many."""

    file: str
    found: dict[tuple[str, str], tuple[int, str, str, int]] = field(default_factory=dict)

    def add(self, column: str, wanted: str, row: int, got: str, cure: str, count: int) -> None:
        """Rows of one kind in one block; blocks come in the order of the file."""
        first = self.found.get((column, wanted), (row, got, cure, 0))
        self.found[column, wanted] = (*min(first[:3], (row, got, cure)), first[3] + count)

    def notices(self) -> list[Fault]:
        """One message for each kind of reason: the first row that has it, and how many do."""
        told = []
        for (column, wanted), (row, got, cure, count) in sorted(
            self.found.items(), key=lambda kind: kind[1][0]
        ):
            more = f" ({count} rows in all)" if count > 1 else ""
            where = f"{self.file}: row {row}" + (f", column {column}" if column else "")
            told.append(Fault(wanted, got + more, cure, where))
        return told


class Batch:
    """The rows of one batch of `contract`; `folder` is emptied first, `stored` are its files.

    `late`: columns that came later than the first rows.

    Records are numbered on from the last that is stored, or `last_number`, whichever is higher.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: Contract,
        stored: list[str],
        folder: Path,
        batch: str,
        last_number: int = 0,
        late: Collection[str] = (),
    ) -> None:
        self.connection, self.contract, self.batch = connection, contract, batch
        self.folder, self.stored, self.late = folder, stored, late
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.parts: list[tables.Part] = []
        self.quarantined: list[tables.Part] = []
        self.rows = self.bad = 0
        empty = f"SELECT *, NULL::BLOB AS row_digest FROM ({empty_view(contract)})"
        held = f"SELECT * FROM {file_list(stored)}" if stored else empty
        connection.execute(f"CREATE OR REPLACE TEMP VIEW stored AS {held}")
        connection.execute(ARRIVALS)
        [(last,)] = connection.execute("SELECT coalesce(max(record_no), 0) FROM stored").fetchall()
        self.base = self.last = max(int(last), last_number)

    def take(self, laid: Laid, kinds: Kinds) -> None:
        """Take in what became of a block; blocks come in the order of the file."""
        self.rows += laid.rows
        if laid.good is not None:
            self.parts.append(laid.good)
            self.last += laid.good.rows
            self._arrived(laid.marks)
        if laid.bad is not None:
            self.quarantined.append(laid.bad)
            self.bad += laid.bad.rows
            for told in laid.told:
                kinds.add(*told)

    def _arrived(self, marks: pa.Table) -> None:
        """Of each row that came its number and two hashes stay at hand."""
        self.connection.register("marks", marks)
        self.connection.execute(
            "INSERT INTO arrivals SELECT record_no, hash(row_digest), key_hash FROM marks"
        )
        self.connection.unregister("marks")

    def refused(self) -> list[tuple[int, list[dict[str, str]]]]:
        """Row number and reasons of the bad rows, of many the first."""
        told: list[tuple[int, list[dict[str, str]]]] = []
        for part in self.quarantined:
            if len(told) < REFUSED_TOLD:
                rows = pq.read_table(part.file, columns=["row", "reasons"]).sort_by("row")
                rows = rows.slice(0, REFUSED_TOLD - len(told))
                told += [(row["row"], row["reasons"]) for row in rows.to_pylist()]
        return told
