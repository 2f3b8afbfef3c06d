"""Rows laid down, against those stored: new, known already, or correcting an earlier one.

A record set with a primary key keeps every version of a row. The versions of one key stand in the
order they became known; each is retracted when the next becomes known. The order is taken from
what the rows say (`version_order`), never from arrival: late and doubled batches end alike (P-4).

Hashes find the few rows that could be known already or share a key; only those are compared.
Parts without any of them are stored as they were laid down.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from governance import tables
from governance.batch import Batch
from governance.checks import literal, quoted
from governance.contract import Contract
from governance.doubles import lay_out_repeated
from governance.engine import file_list
from governance.part_files import repeating, write_rows
from governance.staging import key_hash


def settle(batch: Batch) -> int:
    """Find what is known already and which versions end; returns how many rows are new.

    Lays out the temporary tables `dropped` (record_no of laid down rows that are known already)
    and `ends` (record_no, retracted_at: of laid down and stored rows whose end is another now).
    """
    connection = batch.connection
    laid = file_list([str(part.file) for part in batch.parts]) if batch.parts else "stored"
    none = "" if batch.parts else " WHERE false"
    connection.execute(f"CREATE OR REPLACE TEMP VIEW laid_down AS SELECT * FROM {laid}{none}")
    connection.execute("CREATE OR REPLACE TEMP TABLE dropped (record_no BIGINT)")
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE ends (record_no BIGINT, retracted_at TIMESTAMP)"
    )
    if not batch.parts:
        return 0
    _drop(batch)
    [(dropped,)] = connection.execute("SELECT count(*) FROM dropped").fetchall()
    if batch.contract.primary_key and dropped < batch.last - batch.base:
        _end(batch)
    return batch.last - batch.base - int(dropped)


def commit_rows(batch: Batch, table: Path, *, new: int) -> int:
    """Store what `settle` found new, in one commit; returns the table's version."""
    if new == 0:
        return tables.version(table)
    contract = batch.contract
    note = {"batch": batch.batch, "record_set": contract.record_set, "contract": contract.digest}
    parts, replaced = _left(batch), []
    for name, part in _stored_again(batch):
        parts.append(part)
        replaced.append(name)
    schema = pq.read_schema(parts[0].file)
    return tables.put_in(table, parts, schema, note, replaced)


def _drop(batch: Batch) -> None:
    """All but the first row of each digest, and those whose digest is stored."""
    connection = batch.connection
    lay_out_repeated(connection, "repeated", "digest_hash", "arrivals")
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE suspected AS
        SELECT record_no FROM arrivals WHERE digest_hash IN (FROM repeated)
        UNION
        SELECT record_no FROM arrivals WHERE digest_hash IN (SELECT hash(row_digest) FROM stored)
    """)
    [(suspected,)] = connection.execute("SELECT count(*) FROM suspected").fetchall()
    if suspected:
        connection.execute("""
            INSERT INTO dropped
            WITH told AS (
                SELECT record_no, row_digest FROM laid_down SEMI JOIN suspected USING (record_no)
            )
            SELECT record_no FROM told WHERE row_digest IN (SELECT row_digest FROM stored)
            UNION
            SELECT record_no FROM told
            QUALIFY row_number() OVER (PARTITION BY row_digest ORDER BY record_no) > 1
        """)


def _end(batch: Batch) -> None:
    """Order the versions of every key that has several; lay out the ends that change."""
    connection, contract = batch.connection, batch.contract
    key = ", ".join(quoted(name) for name in contract.primary_key)
    fresh = "(FROM arrivals ANTI JOIN dropped USING (record_no))"
    lay_out_repeated(connection, "several", "key_hash", fresh)
    connection.execute(f"""
        INSERT INTO several
        SELECT DISTINCT key_hash FROM {fresh}
        WHERE key_hash IN (SELECT {key_hash(contract)} FROM stored)
    """)
    [(several,)] = connection.execute("SELECT count(*) FROM several").fetchall()
    if several == 0:
        return
    connection.execute(f"""
        INSERT INTO ends
        WITH numbers AS (
            SELECT record_no FROM arrivals SEMI JOIN several ON key_hash = one_hash
            ANTI JOIN dropped USING (record_no)
        ),
        related AS (
            SELECT * FROM laid_down SEMI JOIN numbers USING (record_no)
            UNION ALL BY NAME
            SELECT * FROM stored WHERE {key_hash(contract)} IN (FROM several)
        ),
        versions AS (
            SELECT record_no, retracted_at AS before, lead(known_at) OVER (
                PARTITION BY {key} ORDER BY {version_order(contract, batch.late)}) AS retracted_at
            FROM related
        )
        SELECT record_no, retracted_at FROM versions WHERE retracted_at IS DISTINCT FROM before
    """)


def version_order(contract: Contract, late: Collection[str] = ()) -> str:
    """SQL terms that put the versions of one key in order, the one that counts last.

    By when it became known, then when it happened, then the place of its enumerated values in
    their lists (a later one of `outcomes.status` is the later word), then whether a late column
    is filled, then the digest.
    """
    listed = [
        f"list_position([{', '.join(literal(value) for value in column.values)}], "
        f"{quoted(column.name)}::VARCHAR)"
        for column in contract.columns
        if column.values
    ]
    told = [f"{quoted(name)} IS NOT NULL" for name in sorted(late)]
    return ", ".join(["known_at", "happened_at", *listed, *told, "row_digest"])


def _left(batch: Batch) -> list[tables.Part]:
    """The parts to be stored: as laid down, or written again without what is dropped.

    A number that was given to a dropped row stays free: numbers name records and count nothing.
    """
    changed = batch.connection.sql("""
        SELECT record_no, NULL::TIMESTAMP AS retracted_at, true AS dropped FROM dropped
        UNION ALL
        SELECT record_no, retracted_at, false FROM ends
        WHERE record_no NOT IN (SELECT record_no FROM dropped)
    """).to_arrow_table()
    numbers = changed["record_no"].to_numpy()
    left = []
    for part in batch.parts:
        first, last = cast(int, part.first), cast(int, part.last)
        within = changed.filter(pa.array((numbers >= first) & (numbers <= last)))
        rows = part.rows - (pc.sum(within["dropped"]).as_py() or 0)
        if rows:
            left.append(_written_again(part, within) if len(within) else part)
    return left


def _written_again(part: tables.Part, changed: pa.Table) -> tables.Part:
    """The part without what is dropped, and with other ends. Its rows are numbered without gaps."""
    rows = pq.read_table(part.file)
    place = changed["record_no"].to_numpy() - cast(int, part.first)
    dropped = changed["dropped"].to_numpy()
    ends = np.full(len(rows), np.datetime64("NaT"), "datetime64[us]")
    ends[place[~dropped]] = changed["retracted_at"].to_numpy()[~dropped]
    kept = np.ones(len(rows), bool)
    kept[place[dropped]] = False
    at = rows.schema.get_field_index("retracted_at")
    rows = rows.set_column(at, rows.schema.field(at), pa.array(ends)).filter(pa.array(kept))
    path = part.file.with_name(f"again_{part.file.name}")
    write_rows(rows, path, repeating(rows))
    return replace(part, file=path, rows=len(rows))


def _stored_again(batch: Batch) -> list[tuple[str, tables.Part]]:
    """Stored files that hold a row whose end is another now, with that end: (old name, part)."""
    connection = batch.connection
    stored_ends = f"SELECT record_no FROM ends WHERE record_no <= {batch.base}"
    [(ended,)] = connection.execute(f"SELECT count(*) FROM ({stored_ends})").fetchall()
    if ended == 0:
        return []
    listed = ", ".join(literal(name) for name in batch.stored)
    files = connection.execute(
        f"SELECT DISTINCT filename FROM read_parquet([{listed}], filename = true)"
        f" SEMI JOIN ({stored_ends}) USING (record_no)"
    ).fetchall()
    return [_one_again(batch, name, at) for at, (name,) in enumerate(sorted(files))]


def _one_again(batch: Batch, name: str, at: int) -> tuple[str, tables.Part]:
    path = batch.folder / f"stored_{at:06}.parquet"
    batch.connection.execute(f"""
        COPY (
            SELECT s.* REPLACE (CASE WHEN e.record_no IS NULL THEN s.retracted_at
                                     ELSE e.retracted_at END AS retracted_at)
            FROM {file_list([name])} s LEFT JOIN ends e USING (record_no)
            ORDER BY s.record_no
        ) TO {literal(str(path))} (FORMAT parquet)
    """)
    [(rows, first, last)] = batch.connection.execute(
        f"SELECT count(*), min(record_no), max(record_no) FROM {file_list([str(path)])}"
    ).fetchall()
    return name, tables.Part(path, int(rows), int(first), int(last))
