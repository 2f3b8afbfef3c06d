"""JSON lines in blocks: one flat object a line, every value as the text it was written with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa

from governance.block import SOURCE_ROW, Block, Source, Why, free_names, spoilt_table
from governance.text_blocks import LONGEST_ROW, TextBlock, text_blocks

NOT_FLAT = Why("one flat JSON object", "something else", "write one object of plain values a line")
TWICE = Why("each name once", "a name twice", "take out what is not meant")
TOO_LONG = Why(f"a row of at most {LONGEST_ROW} bytes", "a longer one", "ask for this row again")
LOST = Why("UTF-8 text", "undecodable bytes", "ask the sender for this row again")


class _Twice(ValueError):
    """A name stands twice in an object."""


def jsonl_blocks(source: Source, stream: BinaryIO) -> Iterator[Block]:
    """The rows of a JSON lines file. Numbers keep their digits: no value is rounded on the way."""
    for block in text_blocks(source, stream):
        yield _block(block)


def _block(block: TextBlock) -> Block:
    records: list[dict[str, str | None]] = []
    numbers: list[int] = []
    spoilt: list[tuple[int, str, Why]] = []
    for number, line in enumerate(block.data.split(b"\n"), start=block.first_line):
        if not line.strip():
            continue
        read = _record(line)
        if isinstance(read, Why):
            spoilt.append((number, line[:LONGEST_ROW].decode("utf-8", "replace"), read))
        else:
            records.append(read)
            numbers.append(number)
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = [pa.array([r.get(name) for r in records], pa.string()) for name in names]
    rows = pa.table(
        [*columns, pa.array(numbers, pa.int64())], names=[*free_names(names), SOURCE_ROW]
    )
    return Block(rows, spoilt_table(spoilt))


def _record(line: bytes) -> dict[str, str | None] | Why:
    if len(line) > LONGEST_ROW:
        return TOO_LONG
    try:
        text = line.decode()
        if "\ufffd" in text:
            return LOST
        read = json.loads(
            text, object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=str
        )
        return {_name(key): _as_text(value) for key, value in read.items()}
    except _Twice:
        return TWICE
    except (ValueError, AttributeError, TypeError, RecursionError):
        return NOT_FLAT


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # DuckDB's names do not know capital letters, so two that differ in them only are one.
    found = dict(pairs)
    if len({name.lower() for name in found}) != len(pairs):
        raise _Twice
    return found


def _name(key: str) -> str:
    key.encode()  # a lone surrogate is no text: ValueError
    return key


def _as_text(value: object) -> str | None:
    if isinstance(value, (dict, list)):
        raise TypeError("nested")
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return None
    text = str(value)
    text.encode()
    return text
