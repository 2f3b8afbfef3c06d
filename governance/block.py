"""What a source file gives, part by part: rows that could be taken apart, and rows that could not.

No file is ever whole in memory: a block has some hundred thousand rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import pyarrow as pa

from base.errors import Fault

SOURCE_ROW = "source_row"
# Names the judging query uses for itself; a file's column of such a name is told under another.
TAKEN = frozenset({SOURCE_ROW, "arrived"})
# What a value or a name may have around it without meaning anything by it.
SPACES = " \t\r\n\u00a0\u3000"
SPOILT = pa.schema(
    [("row", pa.int64()), ("text", pa.string())]
    + [(name, pa.string()) for name in ("wanted", "got", "cure")]
)


class Why(NamedTuple):
    """Why a row could not be taken apart."""

    wanted: str
    got: str
    cure: str


@dataclass(frozen=True)
class Block:
    """`rows`: the file's columns and `source_row` (the line, from 1); `spoilt`: a SPOILT table."""

    rows: pa.Table
    spoilt: pa.Table

    def __len__(self) -> int:
        return self.rows.num_rows + self.spoilt.num_rows


def joined(blocks: Sequence[Block]) -> Block:
    """Blocks of the same columns as one, in their order."""
    return Block(
        pa.concat_tables([block.rows for block in blocks]),
        pa.concat_tables([block.spoilt for block in blocks]),
    )


@dataclass
class Source:
    """One file, to be read in blocks. `notices` fill up while it is read."""

    name: str
    digest: str
    read: Callable[[Source], Iterator[Block]]
    notices: list[Fault] = field(default_factory=list)

    def blocks(self) -> Iterator[Block]:
        """Its rows, in order, each in one block."""
        return self.read(self)


def spoilt_table(rows: Sequence[tuple[int, str, Why]]) -> pa.Table:
    """Spoilt rows as a table."""
    columns = {
        "row": [row for row, _, _ in rows],
        "text": [text for _, text, _ in rows],
        "wanted": [why.wanted for _, _, why in rows],
        "got": [why.got for _, _, why in rows],
        "cure": [why.cure for _, _, why in rows],
    }
    return pa.table(columns, schema=SPOILT)


def free_names(names: Sequence[str]) -> list[str]:
    """Names that can stand in a query: those without one get their place, taken ones a mark."""
    told = []
    for at, name in enumerate(names, start=1):
        told.append(f"{name} (of the file)" if name in TAKEN else name or f"(column {at})")
    return told
