"""Source files as they come: csv, csv.gz, jsonl, parquet; as text or typed, row numbers kept.

What a file cannot give (an undecodable or ragged row) is told as a spoilt row and quarantined
like any other; only a file that cannot be opened at all is refused.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from base.errors import NotFound, Refused
from governance.block import SPOILT, Block, Source
from governance.csv_file import csv_blocks
from governance.jsonl_file import jsonl_blocks
from governance.parquet_file import parquet_blocks, table_block

READABLE = (".csv", ".csv.gz", ".jsonl", ".parquet")
MAGIC = {".parquet": b"PAR1", ".gz": b"\x1f\x8b"}


@dataclass
class WholeSource(Source):
    """A source that is in memory. `rows` has the columns and `source_row` (int64, from 1)."""

    rows: pa.Table = field(default_factory=lambda: pa.table({}))
    spoilt: pa.Table = field(default_factory=SPOILT.empty_table)


def read_source(path: Path, timezone: str = "UTC") -> Source:
    """One file, to be read in blocks by the end of its name. Raises NotFound or Refused.

    Moments with an offset become wall time of `timezone`.
    """
    if not path.is_file():
        raise NotFound(wanted="a file", got=f"no such file: {path.name}", cure="check the path")
    ending = next((each for each in READABLE if path.name.endswith(each)), None)
    if ending is None:
        raise Refused(
            wanted=f"a file ending in {', '.join(READABLE)}",
            got=path.name,
            cure="convert the file, or mend its name",
        )
    with path.open("rb") as file:
        _require_magic(file, path)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if ending == ".parquet":
        return Source(path.name, digest, lambda source: parquet_blocks(source, path, timezone))
    blocks = jsonl_blocks if ending == ".jsonl" else csv_blocks
    return Source(path.name, digest, _opened(path, blocks))


def read_whole(path: Path, timezone: str = "UTC") -> WholeSource:
    """The same, read into memory: for files that people send, not for feeds."""
    source = read_source(path, timezone)
    blocks = list(source.blocks())
    rows = [block.rows for block in blocks]
    return WholeSource(
        source.name,
        source.digest,
        _whole,
        source.notices,
        pa.concat_tables(rows, promote_options="default") if rows else pa.table({}),
        pa.concat_tables([SPOILT.empty_table(), *[block.spoilt for block in blocks]]),
    )


def from_table(name: str, rows: pa.Table) -> WholeSource:
    """Rows that are in memory already, as if they had come in a Parquet file."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    digest = hashlib.sha256(sink.getvalue()).hexdigest()
    return WholeSource(name, digest, _whole, [], table_block(rows, 1, "UTC").rows)


def _whole(source: Source) -> Iterator[Block]:
    whole = cast(WholeSource, source)
    yield Block(whole.rows, whole.spoilt)


def _opened(
    path: Path, blocks: Callable[[Source, BinaryIO], Iterator[Block]]
) -> Callable[[Source], Iterator[Block]]:
    def read(source: Source) -> Iterator[Block]:
        with path.open("rb") as file:
            if not path.name.endswith(".gz"):
                yield from blocks(source, file)
                return
            try:
                yield from blocks(source, cast(BinaryIO, gzip.GzipFile(fileobj=file)))
            except (gzip.BadGzipFile, EOFError, zlib.error):
                raise _unreadable(path.name, "gzip") from None

    return read


def _require_magic(file: BinaryIO, path: Path) -> None:
    """A file that is not what its name says is told before any other file is read."""
    wanted = MAGIC.get(path.suffix)
    if wanted is not None:
        found = file.read(len(wanted))
        file.seek(0)
        if found != wanted:
            raise _unreadable(path.name, path.suffix.strip(".").replace("gz", "gzip"))


def _unreadable(name: str, kind: str) -> Refused:
    return Refused(
        wanted=f"a whole {kind} file",
        got="bytes that cannot be read as one",
        cure="ask the sender for the file again",
        where=name,
    )
