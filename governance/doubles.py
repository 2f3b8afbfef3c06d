"""Rows that are there twice: eight bytes tell nearly all of them apart, and few are compared.

No outcome rests on the eight bytes alone: what they leave in doubt is compared by whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

Mask = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
# Hashes that are in memory at once.
AT_ONCE = 10_000_000
# Places of a table small enough for a processor's own memory.
PLACES = 1 << 20


def repeated(digests: npt.NDArray[np.uint8]) -> Mask:
    """Which rows have the digest of an earlier one. `digests`: 16 bytes a row."""
    words = np.ascontiguousarray(digests).view(np.uint64)
    found = np.zeros(len(words), bool)
    suspected = np.flatnonzero(_several(words[:, 0]))
    if len(suspected):
        high, low = words[suspected, 0], words[suspected, 1]
        order = np.lexsort((suspected, low, high))
        same = (np.diff(high[order]) == 0) & (np.diff(low[order]) == 0)
        found[suspected[order[1:][same]]] = True
    return found


def lay_out_repeated(
    connection: duckdb.DuckDBPyConnection, table: str, hashed: str, rows: str
) -> int:
    """Lay out the temporary table `table` (one_hash) of what `hashed`, a SQL hash of 64 bits, has
    more than once over the relation `rows`; returns how many these are.

    A sorted column of numbers tells it in a third of the time of GROUP BY.
    """
    found = np.concatenate([np.zeros(0, np.uint64), *_in_parts(connection, hashed, rows)])
    connection.register("hashes_found", pa.table({"one_hash": found}))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS FROM hashes_found")
    connection.unregister("hashes_found")
    return len(found)


def _in_parts(connection: duckdb.DuckDBPyConnection, hashed: str, rows: str) -> Iterator[Words]:
    [(count,)] = connection.execute(f"SELECT count(*) FROM {rows} t").fetchall()
    parts = 1 + int(count) // AT_ONCE
    asked = f"SELECT one_hash FROM (SELECT {hashed} AS one_hash FROM {rows} t)"
    for part in range(parts):
        where = f" WHERE one_hash % {parts} = {part}" if parts > 1 else ""
        words = connection.execute(asked + where).fetchnumpy()["one_hash"]
        yield np.unique(_twice(words))


def _twice(words: Words) -> Words:
    ordered = np.sort(words)
    return ordered[1:][ordered[1:] == ordered[:-1]]


def _several(words: Words) -> Mask:
    """Which words may stand more than once; every one that does is among them."""
    twice = _twice(words)
    if len(twice) == 0:
        return np.zeros(len(words), bool)
    places = np.zeros(PLACES, bool)
    places[twice & np.uint64(PLACES - 1)] = True
    return places[words & np.uint64(PLACES - 1)]
