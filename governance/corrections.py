"""Rows to be stored, against those stored: new, known already, or correcting an earlier one.

A record set with a primary key keeps every version of a row. The versions of one key stand in the
order they became known; each is retracted when the next becomes known. The order is taken from
what the rows say (`version_order`), never from arrival: late and doubled batches end alike (P-4).
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from governance import tables
from governance.checks import literal, quoted
from governance.contract import Contract
from governance.engine import file_list
from governance.reading import empty_view

SEPARATOR = "chr(31)"


def commit_rows(
    connection: duckdb.DuckDBPyConnection, contract: Contract, table: Path, good: str, batch: str
) -> int:
    """Store the rows of the SELECT `good` that are new, in one commit; returns how many."""
    _lay_out_stored(connection, contract, table)
    _lay_out_new(connection, contract, good, batch)
    count = int(connection.execute("SELECT count(*) FROM new_rows").fetchall()[0][0])
    note = {"batch": batch, "record_set": contract.record_set, "contract": contract.digest}
    if count == 0:
        return 0
    if contract.primary_key and _retract(connection, contract):
        rows = connection.sql(
            "SELECT * FROM new_rows UNION ALL BY NAME SELECT * FROM corrected_rows"
        ).to_arrow_table()
        tables.append_and_retract(table, rows, note)
    else:
        reader = connection.sql("SELECT * FROM new_rows ORDER BY record_no").to_arrow_reader()
        tables.append(table, reader, note)
    return count


def _lay_out_stored(connection: duckdb.DuckDBPyConnection, contract: Contract, table: Path) -> None:
    files = tables.files(table)
    if files:
        connection.execute(f"CREATE OR REPLACE VIEW stored AS SELECT * FROM {file_list(files)}")
        return
    nothing = f"SELECT *, NULL::BLOB AS row_digest FROM ({empty_view(contract)})"
    connection.execute(f"CREATE OR REPLACE VIEW stored AS {nothing}")


def _lay_out_new(
    connection: duckdb.DuckDBPyConnection, contract: Contract, good: str, batch: str
) -> None:
    """The table `new_rows`: first of each digest in the batch that is not stored, numbered on."""
    columns = ", ".join(quoted(column.name) for column in contract.columns)
    connection.execute(f"""
        CREATE OR REPLACE TABLE new_rows AS
        WITH digested AS (SELECT *, {_digest(contract)} AS row_digest FROM ({good})),
        fresh AS (
            SELECT * FROM digested ANTI JOIN (SELECT row_digest FROM stored) USING (row_digest)
            QUALIFY row_number() OVER (PARTITION BY row_digest ORDER BY source_no, source_row) = 1
        )
        SELECT (SELECT coalesce(max(record_no), 0) FROM stored)
                 + row_number() OVER (ORDER BY source_no, source_row) AS record_no,
               happened_at, known_at, NULL::TIMESTAMP AS retracted_at, {columns},
               '{batch}' AS batch, row_digest
        FROM fresh
    """)


def _digest(contract: Contract) -> str:
    """128 bits over every value that came in, typed, in the contract's order."""
    values = ", ".join(
        f"coalesce({quoted(column.name)}::VARCHAR, chr(30))"
        for column in contract.columns
        if column.transform is None
    )
    return f"unhex(md5(concat_ws({SEPARATOR}, {values})))"


def version_order(contract: Contract) -> str:
    """SQL terms that put the versions of one key in order, the one that counts last.

    By when it became known, then when it happened, then the place of its enumerated values in
    their lists (a later one of `outcomes.status` is the later word), then the digest.
    """
    listed = [
        f"list_position([{', '.join(literal(value) for value in column.values)}], "
        f"{quoted(column.name)}::VARCHAR)"
        for column in contract.columns
        if column.values
    ]
    return ", ".join(["known_at", "happened_at", *listed, "row_digest"])


def _retract(connection: duckdb.DuckDBPyConnection, contract: Contract) -> int:
    """Set `retracted_at` in `new_rows`; lay stored rows that change out as `corrected_rows`."""
    key = ", ".join(quoted(name) for name in contract.primary_key)
    connection.execute(f"""
        CREATE OR REPLACE TABLE versions AS
        WITH related AS (
            SELECT * FROM new_rows
            UNION ALL BY NAME SELECT * FROM stored SEMI JOIN new_rows USING ({key})
        )
        SELECT record_no, lead(known_at) OVER (
            PARTITION BY {key} ORDER BY {version_order(contract)}) AS retracted_at
        FROM related
    """)
    connection.execute("""
        UPDATE new_rows SET retracted_at = versions.retracted_at
        FROM versions WHERE versions.record_no = new_rows.record_no
    """)
    connection.execute("""
        CREATE OR REPLACE TABLE corrected_rows AS
        SELECT stored.* REPLACE (versions.retracted_at AS retracted_at)
        FROM stored JOIN versions USING (record_no)
        WHERE stored.retracted_at IS DISTINCT FROM versions.retracted_at
    """)
    return int(connection.execute("SELECT count(*) FROM corrected_rows").fetchall()[0][0])
