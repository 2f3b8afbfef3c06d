"""csv files in blocks: every value as text, the line each row began at beside it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as pacsv

from base.errors import Refused
from governance.block import (
    SOURCE_ROW,
    SPACES,
    Block,
    Source,
    Why,
    free_names,
    joined,
    spoilt_table,
)
from governance.csv_lines import Lines, weigh_lines
from governance.text_blocks import LONGEST_ROW, TextBlock, pieces, text_blocks

PARSED_AT_ONCE = 4 * LONGEST_ROW


def csv_blocks(source: Source, stream: BinaryIO) -> Iterator[Block]:
    """The rows of a csv file with a header.

    Raises Refused where there is no header, or one that names a column twice: nobody can say which
    of the two is meant in any row.
    """
    names: list[str] | None = None
    rest = b""
    for block in text_blocks(source, stream):
        if names is None:
            names, block = _header(source, block)
        parts, line, left = [], block.first_line, len(block.data)
        for piece in pieces(block.data):
            left -= len(piece)
            lines_before, last = rest.count(b"\n"), block.last and left == 0
            text = TextBlock(rest + piece, line - lines_before, last)
            lines = weigh_lines(text, len(names))
            line, rest = line + piece.count(b"\n"), lines.rest
            parts.append(_block(names, lines))
        yield joined(parts)


def _header(source: Source, block: TextBlock) -> tuple[list[str], TextBlock]:
    """The names of the columns, and the block without the line they stand in."""
    data, line = block.data, block.first_line
    while data and not (head := data.partition(b"\n")[0]).strip():
        data, line = data[len(head) + 1 :], line + 1
    if not data:
        raise Refused(
            wanted="a header row", got="an empty file", cure="ask for it again", where=source.name
        )
    names = _names(source, head)
    return names, TextBlock(data[len(head) + 1 :], line + 1, block.last)


def _names(source: Source, head: bytes) -> list[str]:
    try:
        text = head.decode()
        rows = list(csv.reader([text.rstrip("\r")], strict=True))
    except (csv.Error, UnicodeDecodeError):
        rows = []
    if len(rows) != 1 or b"\0" in head or "\ufffd" in text:
        raise Refused(
            wanted="a header row of plain text",
            got="bytes that cannot be taken apart",
            cure="check its encoding and its quotes (UTF-16 wants its mark)",
            where=f"{source.name}: row 1",
        )
    names = [name.strip(SPACES) for name in rows[0]]
    counts = Counter(name.lower() for name in names if name)
    doubled = sorted(name for name, count in counts.items() if count > 1)
    if doubled:
        raise Refused(
            wanted="each column once",
            got=f"{', '.join(map(repr, doubled))} twice",
            cure="take the columns out that are not meant",
            where=f"{source.name}: row 1",
        )
    return free_names(names)


def _block(names: list[str], lines: Lines) -> Block:
    parsed = _parsed(names, lines) if len(lines.numbers) else _no_rows(names)
    if parsed is None or parsed.num_rows != len(lines.numbers):
        nothing = _no_rows(names).append_column(SOURCE_ROW, pa.array([], pa.int64()))
        return Block(nothing, _all_spoilt(lines))
    numbers = pa.chunked_array([pa.array(lines.numbers, pa.int64())])
    return Block(parsed.append_column(SOURCE_ROW, numbers), lines.spoilt)


def _no_rows(names: list[str]) -> pa.Table:
    return pa.table({name: pa.array([], pa.string()) for name in names})


def _parsed(names: list[str], lines: Lines) -> pa.Table | None:
    try:
        return pacsv.read_csv(
            pa.py_buffer(lines.kept),
            read_options=pacsv.ReadOptions(
                column_names=names, block_size=PARSED_AT_ONCE, use_threads=False
            ),
            parse_options=pacsv.ParseOptions(newlines_in_values=lines.broken),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                null_values=[""],
                quoted_strings_can_be_null=True,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid:
        return None


def _all_spoilt(lines: Lines) -> pa.Table:
    """Where the parser saw other rows than we did, none of them is trusted."""
    why = Why("rows that two readers see alike", "rows they part differently", "ask for it again")
    texts = lines.kept.decode("utf-8", "replace").split("\n")
    heads = [(int(number), text, why) for number, text in zip(lines.numbers, texts, strict=False)]
    return pa.concat_tables([lines.spoilt, spoilt_table(heads)]).sort_by("row")
