"""Rows in, contributions out: blocks for many rows, fours for few, one alone, spans over threads.

A row's bits depend on the row and the trees alone: no sum goes over rows, and all kernels add in
one order. Hence batch size, order and threads change nothing (P-5).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from scoring.quadrature.forest import STUMP, Forest, read_forest
from scoring.quadrature.four_rows import explain_fours
from scoring.quadrature.kernel import LANES, explain_blocks
from scoring.quadrature.one_row import explain_each

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
# So many rows in fours cost what a whole block does.
FEW = LANES * 5 // 8
# Rows whose contributions are held at once where only the strongest are wanted.
AT_ONCE = 4_096


def contributions(forest: Forest, matrix: Floats, threads: int) -> Floats:
    """Contributions (rows, features) of float64 rows with NaN for missing."""
    rows = np.ascontiguousarray(matrix, np.float64)
    assert rows.shape[1] == forest.features, "the kernels look no index up twice"
    out = np.zeros((len(rows), forest.features))
    whole = len(rows) - len(rows) % LANES
    if len(rows) - whole >= FEW:
        whole = len(rows)
    spans = _spans(whole, threads)
    if len(spans) > 1:
        with ThreadPoolExecutor(len(spans)) as pool:
            list(pool.map(lambda span: _run(explain_blocks, forest, rows, span, out), spans))
    else:
        _run(explain_blocks, forest, rows, (0, whole), out)
    few = explain_fours if len(rows) - whole > 1 else explain_each
    _run(few, forest, rows, (whole, len(rows)), out)
    return out


def strongest(forest: Forest, matrix: Floats, count: int, threads: int) -> tuple[Ints, Floats]:
    """The `count` strongest features of each row and their contributions, both (rows, count).

    Strongest first; of equals the one that comes first. Memory is that of AT_ONCE rows.
    """
    places, values = [], []
    for low in range(0, max(len(matrix), 1), AT_ONCE):
        found = contributions(forest, matrix[low : low + AT_ONCE], threads)
        places.append(strongest_of(found, min(count, forest.features)))
        values.append(np.take_along_axis(found, places[-1], axis=1))
    return np.concatenate(places), np.concatenate(values)


def warm() -> None:
    """Compile the kernels, or find them compiled: for whoever is about to time a load."""
    stump = read_forest(STUMP)
    for rows in (1, LANES + 2):
        contributions(stump, np.zeros((rows, 1)), 1)


def _spans(rows: int, threads: int) -> list[tuple[int, int]]:
    """Rows in as many spans of whole blocks as there are threads, or fewer."""
    blocks = -(-rows // LANES)
    edges = [min(rows, LANES * (blocks * part // threads)) for part in range(threads + 1)]
    return [(low, high) for low, high in pairwise(edges) if high > low]


def _run(
    kernel: Callable[..., None], forest: Forest, rows: Floats, span: tuple[int, int], out: Floats
) -> None:
    if span[1] > span[0]:
        kernel(rows, *span, forest.tables, forest.levels, forest.points, max(forest.nodes, 1), out)


@njit(cache=True, nogil=True)
def strongest_of(found: Any, count: int) -> Any:
    """Places of each row's `count` greatest magnitudes, greatest first, of equals the first."""
    places = np.empty((len(found), count), np.int64)
    size = np.empty(count)
    for r in range(len(found)):
        held = 0
        for j in range(found.shape[1]):
            value = abs(found[r, j])
            if held == count and (count == 0 or value <= size[held - 1]):
                continue
            at = held if held < count else count - 1
            while at > 0 and value > size[at - 1]:
                size[at], places[r, at] = size[at - 1], places[r, at - 1]
                at -= 1
            size[at], places[r, at] = value, j
            held = min(held + 1, count)
    return places
