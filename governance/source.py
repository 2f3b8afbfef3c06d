"""Source files as they come: csv, csv.gz, jsonl, parquet; as text or typed, row numbers kept.

What a file cannot give (an undecodable or ragged row) is told as a `Spoilt` row and quarantined
like any other; only a file that cannot be opened at all is refused.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from base.errors import Fault, NotFound, Refused

READABLE = (".csv", ".csv.gz", ".jsonl", ".parquet")
UNDECODABLE = "\ufffd"


@dataclass(frozen=True)
class Spoilt:
    """A row that could not be taken apart. `row` counts the file's lines from 1."""

    row: int
    text: str
    wanted: str
    got: str
    cure: str


@dataclass
class Source:
    """One file, read. `rows` has the file's columns and `source_row` (int64, from 1)."""

    name: str
    digest: str
    rows: pa.Table
    spoilt: list[Spoilt] = field(default_factory=list)
    notices: list[Fault] = field(default_factory=list)


def read_source(path: Path) -> Source:
    """Read one file by the end of its name. Raises NotFound or Refused."""
    if not path.is_file():
        raise NotFound(wanted="a file", got=f"no such file: {path.name}", cure="check the path")
    data = path.read_bytes()
    source = Source(path.name, hashlib.sha256(data).hexdigest(), pa.table({}))
    if path.name.endswith(".parquet"):
        source.rows = _numbered(_parquet(data, path.name), first=1)
    elif path.name.endswith(".jsonl"):
        _read_jsonl(source, _decoded(source, data))
    elif path.name.endswith((".csv", ".csv.gz")):
        raw = _unzipped(data, path.name) if path.name.endswith(".gz") else data
        _read_csv(source, _decoded(source, raw))
    else:
        raise Refused(
            wanted=f"a file ending in {', '.join(READABLE)}",
            got=path.name,
            cure="convert the file, or mend its name",
        )
    return source


def from_table(name: str, rows: pa.Table) -> Source:
    """Rows that are in memory already, as if they had come in a Parquet file."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows.combine_chunks())
    return Source(name, hashlib.sha256(sink.getvalue()).hexdigest(), _numbered(rows, first=1))


def _parquet(data: bytes, name: str) -> pa.Table:
    try:
        return pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError):
        raise _unreadable(name, "Parquet") from None


def _unzipped(data: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError):
        raise _unreadable(name, "gzip") from None


def _unreadable(name: str, kind: str) -> Refused:
    return Refused(
        wanted=f"a whole {kind} file",
        got="bytes that cannot be read as one",
        cure="ask the sender for the file again",
        where=name,
    )


def _decoded(source: Source, data: bytes) -> str:
    """UTF-8 (with or without a mark), else GB18030 with a notice, else UTF-8 with spoilt rows."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
    try:
        text = data.decode("gb18030")
        got, cure = "GB18030", "nothing: it was converted; tell the sender to send UTF-8"
    except UnicodeDecodeError:
        text = data.decode("utf-8-sig", errors="replace")
        got, cure = "bytes of no known encoding", "see the quarantined rows; ask for them again"
    where = f"{source.name}: row {row}"
    source.notices.append(Fault("UTF-8", f"{got}, first seen here", cure, where))
    return text


def _read_csv(source: Source, text: str) -> None:
    """Every value as text; ragged and undecodable rows are spoilt, the rest goes on.

    A NUL ends a C string unseen, so rows with one are spoilt before the parser sees them.
    """
    lines = text.splitlines(keepends=True)
    if not lines:
        raise Refused(
            wanted="a header row", got="an empty file", cure="ask for it again", where=source.name
        )
    kept, numbers = _clean_lines(source, lines)
    ragged: dict[int, Spoilt] = {}

    def spoil(row: pacsv.InvalidRow) -> str:
        number = numbers[row.number - 1] if row.number else 0
        ragged[row.number or 0] = Spoilt(
            number,
            row.text,
            f"{row.expected_columns} values",
            f"{row.actual_columns}",
            "quote values that hold the separator, or fill the gap",
        )
        return "skip"

    header = next(csv.reader(kept[:1]))
    if len(kept) == 1:
        source.rows = pa.table({name: pa.array([], pa.string()) for name in header})
        source.rows = _numbered(source.rows, first=2)
        return
    rows = pacsv.read_csv(
        pa.BufferReader("".join(kept).encode()),
        read_options=pacsv.ReadOptions(use_threads=False, block_size=1 << 26),
        parse_options=pacsv.ParseOptions(newlines_in_values=True, invalid_row_handler=spoil),
        convert_options=pacsv.ConvertOptions(
            column_types={name: pa.string() for name in header},
            strings_can_be_null=True,
            null_values=[""],
            quoted_strings_can_be_null=True,
        ),
    )
    source.spoilt += ragged.values()
    taken = [n for i, n in enumerate(numbers[1:], start=2) if i not in ragged]
    exact = len(taken) == rows.num_rows  # a quoted line break makes lines and rows differ
    source.rows = rows.append_column(
        "source_row", pa.array(taken if exact else range(2, rows.num_rows + 2), pa.int64())
    )


def _clean_lines(source: Source, lines: list[str]) -> tuple[list[str], list[int]]:
    kept, numbers = [], []
    for number, line in enumerate(lines, start=1):
        if UNDECODABLE in line or "\x00" in line:
            got = "undecodable bytes" if UNDECODABLE in line else "a NUL character"
            source.spoilt.append(
                Spoilt(
                    number,
                    line.rstrip("\r\n"),
                    "UTF-8 text",
                    got,
                    "ask the sender for this row again",
                )
            )
        elif line.strip():
            kept.append(line)
            numbers.append(number)
    return kept, numbers


def _read_jsonl(source: Source, text: str) -> None:
    """One flat JSON object a line; values become text, as in a csv file."""
    records: list[dict[str, str | None]] = []
    numbers: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            parsed = json.loads(line)
            records.append({key: _as_text(value) for key, value in parsed.items()})
            numbers.append(number)
        except (ValueError, AttributeError, TypeError):
            source.spoilt.append(
                Spoilt(
                    number,
                    line,
                    "one flat JSON object",
                    "something else",
                    "write one object of plain values a line",
                )
            )
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = {name: pa.array([r.get(name) for r in records], pa.string()) for name in names}
    source.rows = pa.table({**columns, "source_row": pa.array(numbers, pa.int64())})


def _as_text(value: object) -> str | None:
    if isinstance(value, (dict, list)):
        raise TypeError("nested")
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def _numbered(rows: pa.Table, first: int) -> pa.Table:
    numbers = pa.array(range(first, first + rows.num_rows), pa.int64())
    return rows.append_column("source_row", numbers)
