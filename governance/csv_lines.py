"""The lines of a csv block weighed all at once: which can be taken apart, and why the others not.

Bytes are looked at with numpy; Python touches only lines whose quotes do not close on the same
line (`csv_quotes`). What is kept can be parsed by anybody alike: the right number of values, no
NUL, no lone CR outside quotes, every quote where a quote may stand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from governance.block import SPOILT, Why
from governance.csv_quotes import Quotes
from governance.text_blocks import LONGEST_ROW, TextBlock

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Kinds = npt.NDArray[np.int8]
NUL, TAB, LF, CR, SPACE, COMMA = 0, 9, 10, 13, 32, 44
LOST = "\ufffd".encode()
GOOD, BLANK, RAGGED, OPEN_QUOTE, LONE_CR, TOO_LONG, UNDECODABLE, HAS_NUL = range(8)
AGAIN = "ask the sender for this row again"
WHY = {
    HAS_NUL: Why("UTF-8 text", "a NUL character", AGAIN),
    UNDECODABLE: Why("UTF-8 text", "undecodable bytes", AGAIN),
    TOO_LONG: Why(f"a row of at most {LONGEST_ROW} bytes", "a longer one", AGAIN),
    LONE_CR: Why("one row a line", "a carriage return inside a row", "quote the value it is in"),
    OPEN_QUOTE: Why(
        "quotes around a whole value, and two for one inside it",
        "a quote that is not closed or stands inside a value",
        "mend the quotes at their source",
    ),
}
# Of a row that is too long so much is kept.
KEPT_OF_A_LONG_ROW = 1 << 16
# A line of white space longer than this is told as a ragged row.
LONGEST_BLANK = 256


@dataclass(frozen=True)
class Lines:
    """What a block's lines are: bytes that parse, the line each row of them begins at, the rest.

    `rest`: bytes of a value whose closing quote may stand in the next block. `broken`: values with
    line breaks are among the kept ones.
    """

    kept: bytes
    numbers: Ints
    spoilt: pa.Table
    rest: bytes
    broken: bool


def weigh_lines(block: TextBlock, columns: int) -> Lines:
    """Part a block's lines for a file of `columns` columns."""
    data = block.data if block.data.endswith(b"\n") or not block.data else block.data + b"\n"
    if not data:
        return Lines(b"", np.zeros(0, np.int64), SPOILT.empty_table(), b"", False)
    bytes_ = np.frombuffer(data, np.uint8)
    marks = np.flatnonzero((bytes_ == LF) | (bytes_ == COMMA))
    at_ends = np.flatnonzero(bytes_[marks] == LF)
    ends = marks[at_ends]
    starts = np.concatenate([[0], ends[:-1] + 1])
    kinds = np.zeros(len(ends), np.int8)
    follows, rest_from, in_quotes = np.zeros(len(ends), bool), len(ends), None
    if b'"' in data:
        commas = marks[bytes_[marks] == COMMA]
        quotes = Quotes(data, starts, ends, commas, columns)
        counts, in_quotes = quotes.separators, quotes.holds
        follows, rest_from = quotes.join(kinds, OPEN_QUOTE, last=block.last)
    else:
        counts = np.diff(at_ends, prepend=-1) - 1
    # A row over several lines: all of them.
    several = follows | np.concatenate([follows[1:], [False]])
    kinds[(counts != columns - 1) & (kinds == GOOD) & ~several] = RAGGED
    lone_cr = _mark_special(data, bytes_, ends, kinds, several, in_quotes)
    kinds[ends - starts > LONGEST_ROW] = TOO_LONG
    _mark_blank(data, starts, ends, kinds, several)
    if several.any():
        kinds[:] = _worst_of_each(kinds, follows)
    kinds[rest_from:] = BLANK
    weighed = _Weighed(data, starts, ends, kinds, counts, block.first_line, columns)
    rest = data[starts[rest_from] :] if rest_from < len(ends) else b""
    return Lines(
        weighed.kept(),
        weighed.heads(follows),
        weighed.spoilt(),
        rest,
        lone_cr or bool(several.any()),
    )


def _mark_special(
    data: bytes,
    bytes_: Bytes,
    ends: Ints,
    kinds: Kinds,
    several: npt.NDArray[np.bool_],
    in_quotes: Callable[[Ints], npt.NDArray[np.bool_]] | None,
) -> bool:
    """Mark NUL, lost characters and lone CR, in this order of weight.

    Returns whether any CR stands alone.
    """
    lone_cr = b"\r" in data and data.count(b"\r") != data.count(b"\r\n")
    if lone_cr:
        at = np.flatnonzero(bytes_ == CR)
        at = at[bytes_[at + 1] != LF]
        line = np.searchsorted(ends, at)
        meant = in_quotes(at) & ~several[line] if in_quotes else np.zeros(len(at), bool)
        kinds[line[~meant]] = LONE_CR
    # One byte is found far quicker than three in a row.
    if LOST[:1] in data:
        at = np.flatnonzero(bytes_[:-2] == LOST[0])
        at = at[(bytes_[at + 1] == LOST[1]) & (bytes_[at + 2] == LOST[2])]
        kinds[np.searchsorted(ends, at)] = UNDECODABLE
    if b"\0" in data:
        kinds[np.searchsorted(ends, np.flatnonzero(bytes_ == NUL))] = HAS_NUL
    return lone_cr


def _mark_blank(
    data: bytes, starts: Ints, ends: Ints, kinds: Kinds, several: npt.NDArray[np.bool_]
) -> None:
    """Lines of nothing but white space are no rows."""
    bytes_, lengths = np.frombuffer(data, np.uint8), ends - starts
    kinds[((lengths == 0) | ((lengths == 1) & (bytes_[starts] == CR))) & ~several] = BLANK
    first = bytes_[starts]
    white = (kinds != BLANK) & ((first == SPACE) | (first == TAB)) & (lengths < LONGEST_BLANK)
    for at in np.flatnonzero(white & ~several).tolist():
        if not data[starts[at] : ends[at]].strip():
            kinds[at] = BLANK


def _worst_of_each(kinds: Kinds, follows: npt.NDArray[np.bool_]) -> Kinds:
    """A row over several lines is as bad as the worst of them."""
    row = np.cumsum(~follows) - 1
    worst = np.zeros(row[-1] + 1, np.int8)
    np.maximum.at(worst, row, kinds)
    return worst[row]


@dataclass(frozen=True)
class _Weighed:
    data: bytes
    starts: Ints
    ends: Ints
    kinds: Kinds
    counts: Ints
    first_line: int
    columns: int

    def kept(self) -> bytes:
        good = self.kinds == GOOD
        if good.all():
            return self.data
        # Lines that stand together are taken together.
        turns = np.flatnonzero(np.diff(good, prepend=False, append=False))
        edges = np.append(self.starts, len(self.data))[turns].tolist()
        whole = memoryview(self.data)
        return b"".join(whole[a:b] for a, b in zip(edges[::2], edges[1::2], strict=True))

    def heads(self, follows: npt.NDArray[np.bool_]) -> Ints:
        """The line number each kept row begins at."""
        return np.flatnonzero((self.kinds == GOOD) & ~follows) + self.first_line

    def spoilt(self) -> pa.Table:
        """The bad lines as a SPOILT table."""
        bad = np.flatnonzero(self.kinds > BLANK)
        if len(bad) == 0:
            return SPOILT.empty_table()
        starts, kinds = self.starts[bad], self.kinds[bad]
        ends = np.minimum(self.ends[bad], starts + KEPT_OF_A_LONG_ROW)
        texts = pc.utf8_rtrim(_texts(self.data, starts, ends), characters="\r\n")
        ragged = pa.array(kinds == RAGGED)
        of_ragged = Why(
            pa.scalar(f"{self.columns} values"),
            pa.array(self.counts[bad] + 1).cast(pa.string()),
            pa.scalar("quote values that hold the separator, or fill the gap"),
        )
        told = {
            part: pc.if_else(ragged, getattr(of_ragged, part), _words(part).take(pa.array(kinds)))
            for part in Why._fields
        }
        return pa.table({"row": bad + self.first_line, "text": texts, **told}, schema=SPOILT)


def _words(part: str) -> pa.Array:
    """One part of the reasons, by kind of line."""
    return pa.array([getattr(WHY.get(kind), part, "") for kind in range(HAS_NUL + 1)])


def _texts(data: bytes, starts: Ints, ends: Ints) -> pa.Array:
    """The slices as text; a character that a cut went through becomes U+FFFD."""
    parts = [data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    try:
        return pa.array(parts, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([part.decode("utf-8", "replace") for part in parts], pa.string())
