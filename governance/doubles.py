"""Rows that came before, found by their digests: eight bytes tell nearly all of them apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
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


def _several(words: npt.NDArray[np.uint64]) -> Mask:
    """Which words may stand more than once; every one that does is among them."""
    ordered = np.sort(words)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(twice) == 0:
        return np.zeros(len(words), bool)
    places = np.zeros(PLACES, bool)
    places[twice & np.uint64(PLACES - 1)] = True
    return places[words & np.uint64(PLACES - 1)]
