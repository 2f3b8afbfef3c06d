"""Parquet files in blocks, and tables in memory: values typed as they come, in few plain types."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from base.errors import Refused
from governance.block import SOURCE_ROW, SPOILT, Block, Source, free_names

ROWS_OF_A_BLOCK = 1 << 18


def parquet_blocks(source: Source, path: Path, timezone: str) -> Iterator[Block]:
    """The rows of a Parquet file. Raises Refused where it is none, or its columns are doubled."""
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            _require_once(source, file.schema_arrow.names)
            first = 1
            for batch in file.iter_batches(ROWS_OF_A_BLOCK):
                yield table_block(pa.Table.from_batches([batch]), first, timezone)
                first += batch.num_rows
            if first == 1:
                yield table_block(file.schema_arrow.empty_table(), 1, timezone)
    except (pa.ArrowException, OSError):
        raise Refused(
            wanted="a whole Parquet file",
            got="bytes that cannot be read as one",
            cure="ask the sender for the file again",
            where=source.name,
        ) from None


def table_block(rows: pa.Table, first: int, timezone: str) -> Block:
    """Rows that are in memory, numbered from `first`."""
    columns = [_plain(column, timezone) for column in rows.columns]
    numbers = pa.array(np.arange(first, first + rows.num_rows), pa.int64())
    names = [*free_names(rows.column_names), SOURCE_ROW]
    return Block(pa.table([*columns, numbers], names=names), SPOILT.empty_table())


def _plain(column: pa.ChunkedArray, timezone: str) -> pa.ChunkedArray:
    """One of few types: text as text, moments as wall time; what is nested stays, to be refused."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.cast(kind.value_type), timezone)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pc.local_timestamp(column.cast(pa.timestamp(kind.unit, tz=timezone)))
    if pa.types.is_decimal(kind):
        return _digits(column, kind.scale)
    return column


def _digits(column: pa.ChunkedArray, scale: int) -> pa.ChunkedArray:
    """A decimal's exact digits, without zeros behind the point: a float's would not be exact."""
    text = column.cast(pa.string())
    if scale <= 0:
        return text
    return pc.utf8_rtrim(pc.utf8_rtrim(text, characters="0"), characters=".")


def _require_once(source: Source, names: list[str]) -> None:
    lower = [name.lower() for name in names]
    doubled = sorted({name for name in lower if lower.count(name) > 1})
    if doubled:
        raise Refused(
            wanted="each column once",
            got=f"{', '.join(map(repr, doubled))} twice",
            cure="take the columns out that are not meant",
            where=source.name,
        )
