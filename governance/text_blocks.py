"""A text file as UTF-8 blocks that end at line ends, whatever it was written in.

UTF-8 with or without a mark is read as it is. Bytes that are no UTF-8 are weighed line by line: a
file is GB18030 where its lines speak for it with one voice, and is then converted and told; else
single lines are damaged, and those alone are spoilt (they get U+FFFD). UTF-16 is known by its mark.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from base.errors import Fault, Refused
from governance.block import Source

BYTES_OF_A_BLOCK = 1 << 24
# So much is looked at at once: what is put beside it stays in the processor's own memory.
BYTES_OF_A_PIECE = 1 << 20
# A row longer than this is spoilt; twice of it without a line end is no text file.
LONGEST_ROW = 1 << 20
LINES_WEIGHED = 20_000
# How many lines must be GB18030 for each that is surely not.
CLEARLY = 20
UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The first byte of a three-byte character, as nearly all Chinese ones are: no accident in GB18030.
WIDE = re.compile(rb"[\xe3-\xff]")


def pieces(data: bytes) -> Iterator[bytes]:
    """The same bytes cut at line ends, each piece about BYTES_OF_A_PIECE long."""
    start = 0
    while len(data) - start > BYTES_OF_A_PIECE:
        end = data.rfind(b"\n", start, start + BYTES_OF_A_PIECE) + 1
        if end == 0:
            end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end
    yield data[start:] if start else data


class Readable(Protocol):
    """What blocks are read from: an open file, or one that converts as it is read."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class TextBlock:
    """Whole lines, UTF-8. `first_line` counts the file's lines from 1; `last`: no more follow."""

    data: bytes
    first_line: int
    last: bool


def text_blocks(source: Source, stream: BinaryIO) -> Iterator[TextBlock]:
    """Blocks of whole lines; how they were written is told in the source's notices."""
    reader = _LineEnds(source, _without_mark(source, stream))
    writing = _Writing(source)
    line = 1
    for data, last in reader:
        text = writing.as_utf8(data, line)
        yield TextBlock(text, line, last)
        line += text.count(b"\n")


def _without_mark(source: Source, stream: BinaryIO) -> Readable:
    first = stream.read(3)
    if first == codecs.BOM_UTF8:
        return stream
    rest = _Chained(first, stream)
    if first[:2] in UTF16_MARKS:
        cure = "nothing: it was converted; tell the sender to send UTF-8"
        source.notices.append(Fault("UTF-8", "UTF-16", cure, f"{source.name}: row 1"))
        return _FromUtf16(rest)
    return rest


class _Chained:
    """Bytes already read, then the stream they came from."""

    def __init__(self, first: bytes, stream: BinaryIO) -> None:
        self.first, self.stream = first, stream

    def read(self, size: int, /) -> bytes:
        given, self.first = self.first, b""
        return given + self.stream.read(size)


class _FromUtf16:
    """UTF-16 read as UTF-8; what is damaged becomes U+FFFD."""

    def __init__(self, stream: Readable) -> None:
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder("utf-16")("replace")

    def read(self, size: int, /) -> bytes:
        while True:
            data = self.stream.read(size)
            text = self.decoder.decode(data, final=not data)
            if text or not data:
                return text.encode("utf-8", "replace")


class _LineEnds:
    """(block, whether it is the last), cut at line ends; CR alone ends lines where no LF does."""

    def __init__(self, source: Source, stream: Readable) -> None:
        self.source, self.stream = source, stream
        self.only_cr = False

    def __iter__(self) -> Iterator[tuple[bytes, bool]]:
        rest, first = b"", True
        while True:
            chunk = self.stream.read(BYTES_OF_A_BLOCK)
            if first and chunk:
                self.only_cr, first = b"\n" not in chunk and b"\r" in chunk, False
            if not chunk:
                yield rest, True
                return
            if self.only_cr:
                chunk = chunk.replace(b"\r", b"\n")
            cut = chunk.rfind(b"\n") + 1
            if cut:
                yield b"".join((rest, memoryview(chunk)[:cut])), False
                rest = chunk[cut:]
                continue
            rest += chunk
            if len(rest) > BYTES_OF_A_BLOCK + 2 * LONGEST_ROW:
                raise Refused(
                    wanted="lines",
                    got=f"more than {len(rest)} bytes without a line end",
                    cure="check that it is a text file",
                    where=self.source.name,
                )


class _Writing:
    """How a file is written, decided at the first bytes that are not UTF-8."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.encoding = "utf-8"
        self.decided = False

    def as_utf8(self, data: bytes, first_line: int) -> bytes:
        if data.isascii():
            return data
        if self.encoding == "utf-8" and _is(data, "utf-8"):
            self.decided = self.decided or WIDE.search(data) is not None
            return data
        if not self.decided:
            self._decide(data)
        self._tell(data, first_line)
        if self.encoding == "utf-8":
            return b"".join(each.decode("utf-8", "replace").encode() for each in pieces(data))
        if _is(data, self.encoding):
            return data.decode(self.encoding).encode()
        # Line by line, so that no damaged character takes the end of its line with it.
        lines = data.split(b"\n")
        return b"\n".join(line.decode(self.encoding, "replace").encode() for line in lines)

    def _decide(self, data: bytes) -> None:
        """GB18030 if nearly every line that is not ASCII is that and not UTF-8."""
        speaks_for = speaks_against = weighed = 0
        for line in io.BytesIO(data):
            if line.isascii():
                continue
            weighed += 1
            utf8 = _is(line, "utf-8")
            if _is(line, "gb18030") and not (utf8 and WIDE.search(line)):
                speaks_for += not utf8
            else:
                speaks_against += 1
            if weighed == LINES_WEIGHED:
                break
        self.decided = True
        if speaks_for and speaks_for >= CLEARLY * speaks_against:
            self.encoding = "gb18030"

    def _tell(self, data: bytes, first_line: int) -> None:
        """Once a file: the first line that is no UTF-8."""
        if any(notice.wanted == "UTF-8" for notice in self.source.notices):
            return
        lines = enumerate(io.BytesIO(data), start=first_line)
        row = next(row for row, line in lines if not _is(line, "utf-8"))
        got, cure = "GB18030", "nothing: it was converted; tell the sender to send UTF-8"
        if self.encoding == "utf-8":
            got, cure = "bytes of no known encoding", "see the quarantined rows; ask for them again"
        where = f"{self.source.name}: row {row}"
        self.source.notices.append(Fault("UTF-8", f"{got}, first seen here", cure, where))


def _is(data: bytes, encoding: str) -> bool:
    try:
        for each in pieces(data):
            each.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
