"""One batch on its way: good rows and bad ones laid down block by block, out of memory.

Good rows become Parquet parts in the scratch folder, numbered on from the record set's last row;
of each only its number and two hashes (of the row, of its key) stay at hand. Bad rows become parts
of the quarantine. Nothing is seen by anybody before `corrections` and `quarantine` commit.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from base.errors import Fault
from governance import tables
from governance.block import SOURCE_ROW, Block
from governance.checks import literal, quoted
from governance.contract import Contract
from governance.engine import file_list
from governance.reading import empty_view

SEPARATOR = "chr(31)"
REFUSED_TOLD = 10_000


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
    ) -> None:
        self.connection, self.contract, self.batch = connection, contract, batch
        self.folder, self.stored = folder, stored
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.parts: list[tables.Part] = []
        self.quarantined: list[tables.Part] = []
        self.rows = self.bad = 0
        empty = f"SELECT *, NULL::BLOB AS row_digest FROM ({empty_view(contract)})"
        held = f"SELECT * FROM {file_list(stored)}" if stored else empty
        connection.execute(f"CREATE OR REPLACE TEMP VIEW stored AS {held}")
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE arrivals"
            " (record_no BIGINT, digest_hash UBIGINT, key_hash UBIGINT)"
        )
        [(last,)] = connection.execute("SELECT coalesce(max(record_no), 0) FROM stored").fetchall()
        self.base = self.last = max(int(last), last_number)

    def add(self, block: Block, kinds: Kinds, now: datetime) -> None:
        """Take in a block whose rows are laid out as the table `judged`."""
        self.rows += len(block)
        [(bad,)] = self.connection.execute("SELECT count(*) FROM judged WHERE bad").fetchall()
        if bad or block.spoilt.num_rows:
            self._lay_down_bad(block, kinds, now)
        if bad < block.rows.num_rows:
            self._lay_down_good()

    def _lay_down_good(self) -> None:
        columns = ", ".join(quoted(column.name) for column in self.contract.columns)
        self.connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE good AS
            SELECT happened_at, known_at, {columns}, {row_digest(self.contract)} AS row_digest
            FROM judged WHERE NOT bad
        """)
        self._take_doubled_out()
        path = self.folder / f"good_{len(self.parts):06}.parquet"
        # A table's rowid counts its rows in the order they were put in.
        self.connection.execute(f"""
            COPY (SELECT {self.last} + 1 + rowid AS record_no, happened_at, known_at,
                         NULL::TIMESTAMP AS retracted_at, {columns},
                         {literal(self.batch)} AS batch, row_digest
                  FROM good) TO {literal(str(path))} (FORMAT parquet)
        """)
        self.connection.execute(f"""
            INSERT INTO arrivals SELECT {self.last} + 1 + rowid, hash(row_digest),
                                        {key_hash(self.contract)} FROM good
        """)
        [(count,)] = self.connection.execute("SELECT count(*) FROM good").fetchall()
        self.parts.append(tables.Part(path, count, self.last + 1, self.last + count))
        self.last += count

    def _take_doubled_out(self) -> None:
        """Most rows that come twice come close together: those of one block go at once."""
        [(doubled,)] = self.connection.execute(
            "SELECT count(*) - count(DISTINCT hash(row_digest)) FROM good"
        ).fetchall()
        if doubled:
            self.connection.execute("""
                CREATE OR REPLACE TEMP TABLE good AS
                WITH repeated AS (SELECT row_digest FROM good GROUP BY ALL HAVING count(*) > 1),
                again AS (
                    SELECT rowid AS place,
                           row_number() OVER (PARTITION BY row_digest ORDER BY rowid) AS nth
                    FROM good SEMI JOIN repeated USING (row_digest)
                )
                SELECT * FROM good
                WHERE good.rowid NOT IN (SELECT place FROM again WHERE nth > 1)
            """)

    def _lay_down_bad(self, block: Block, kinds: Kinds, now: datetime) -> None:
        self.connection.register("spoilt_rows", block.spoilt)
        path = self.folder / f"bad_{len(self.quarantined):06}.parquet"
        self.connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE bad_rows AS
            SELECT {SOURCE_ROW} AS row, raw, reasons FROM bad_judged
            UNION ALL
            SELECT row, text, [{{'column': '', 'wanted': wanted, 'got': got, 'cure': cure}}]
            FROM spoilt_rows
        """)
        self.connection.unregister("spoilt_rows")
        self.connection.execute(f"""
            COPY (SELECT {literal(self.batch)} AS batch, {literal(kinds.file)} AS file, row, raw,
                         reasons, TIMESTAMP {literal(str(now))} AS quarantined_at
                  FROM bad_rows ORDER BY row) TO {literal(str(path))} (FORMAT parquet)
        """)
        told = self.connection.execute("""
            SELECT r."column", r.wanted, min(row), arg_min(r.got, row), arg_min(r.cure, row),
                   count(*)
            FROM (SELECT row, unnest(reasons) AS r FROM bad_rows) GROUP BY 1, 2
        """).fetchall()
        for kind in told:
            kinds.add(*kind)
        [(count,)] = self.connection.execute("SELECT count(*) FROM bad_rows").fetchall()
        self.quarantined.append(tables.Part(path, count))
        self.bad += count

    def refused(self) -> list[tuple[int, list[dict[str, str]]]]:
        """Row number and reasons of the bad rows, of many the first."""
        told: list[tuple[int, list[dict[str, str]]]] = []
        for part in self.quarantined:
            if len(told) < REFUSED_TOLD:
                rows = pq.read_table(part.file, columns=["row", "reasons"]).slice(0, REFUSED_TOLD)
                told += [(row["row"], row["reasons"]) for row in rows.to_pylist()]
        return told[:REFUSED_TOLD]


def row_digest(contract: Contract) -> str:
    """SQL: 128 bits over every value that came in, typed, in the contract's order."""
    values = ", ".join(
        f"coalesce({quoted(column.name)}::VARCHAR, chr(30))"
        for column in contract.columns
        if column.transform is None
    )
    return f"unhex(md5(concat_ws({SEPARATOR}, {values})))"


def key_hash(contract: Contract) -> str:
    """SQL: 64 bits of the primary key, 0 where there is none."""
    key = ", ".join(quoted(name) for name in contract.primary_key)
    return f"hash({key})" if key else "0::UBIGINT"
