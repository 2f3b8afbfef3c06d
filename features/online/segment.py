"""A segment: records of one grouping, sorted by key, that arrived together or were merged."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from features.online.arrays import Arrays, read_arrays
from features.online.kernel import find

KEY_BYTES = "key_bytes"


@dataclass(frozen=True)
class Segment:
    """`base` never changes; `tiles` belong to the retractions known when they were written."""

    name: str
    base: Arrays
    tiles: Arrays

    @classmethod
    def open(cls, folder: Path, name: str, tiles: str) -> Segment:
        return cls(
            name, read_arrays(folder / f"{name}.base"), read_arrays(folder / f"{tiles}.tiles")
        )

    @property
    def rows(self) -> int:
        return len(self.base["entry"])

    def find(self, key: bytes, digest: np.uint64) -> int:
        """The number of a key here, or -1."""
        digests = self.base["key_digest"]
        at = find(digests, digest)
        while at < len(digests) and digests[at] == digest:
            if self.key_bytes(at) == key:
                return at
            at += 1
        return -1

    def key_bytes(self, at: int) -> bytes:
        """A key's text, in UTF-8."""
        ends = self.base["key_end"]
        begin = int(ends[at - 1]) if at else 0
        return bytes(self.base[KEY_BYTES][begin : int(ends[at])].tobytes())

    def all_keys(self) -> list[bytes]:
        """All keys, in order."""
        whole, ends = self.base[KEY_BYTES].tobytes(), self.base["key_end"].tolist()
        return [whole[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]

    def retracted(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Rows that are retracted some day, and when."""
        mortal = self.tiles["odd_until"] != np.iinfo(np.int64).max
        return self.tiles["odd_at"][mortal], self.tiles["odd_until"][mortal]


def key_digest(text: bytes) -> int:
    """64 bits of a key; equal digests are told apart by the text itself."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def key_arrays(keys: Sequence[bytes]) -> tuple[npt.NDArray[np.int64], Arrays]:
    """The order that sorts keys by (digest, text), and the arrays of the keys in that order."""
    listed = [key_digest(key) for key in keys]
    order = np.array(sorted(range(len(keys)), key=lambda at: (listed[at], keys[at])), np.int64)
    digests = np.array(listed, np.uint64)
    ordered = [keys[at] for at in order]
    sizes = np.array([len(key) for key in ordered], np.int64)
    arrays: Arrays = {
        "key_digest": digests[order],
        "key_end": np.cumsum(sizes).astype(np.int64),
        KEY_BYTES: np.frombuffer(b"".join(ordered), np.uint8),
    }
    return order, arrays
