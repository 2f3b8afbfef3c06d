"""Totals of every `TILE` records of the keys that have many, and the odd ones left out of them.

Made from a segment's arrays and its retractions; made anew, beside the same segment, when more of
its records are retracted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from numba import njit

from features.kernel import FOREVER
from features.online.arrays import Array, Arrays, write_arrays
from features.online.kernel import GROUP, TILE
from features.online.plan import Kept
from features.slices import MICROS_PER_DAY

Ints = npt.NDArray[np.int64]
# A record is odd where it came this much later than its neighbours: the first of these by which
# few are. Narrow, and many records are looked at one by one; wide, and the edges of windows are.
LATE_DAYS = np.array([1, 7, 30, 90, 366], np.int64)
FEW_ODD = 0.02


def write_tiles(path: Path, kept: Kept, base: Arrays, retracted_at: Ints, until: Ints) -> None:
    """Write tiles and odd records; `retracted_at` are sorted rows, `until` their last moments."""
    first = base["first"]
    tile = first_tiles(first)
    odd_at, odd_until = _odd_records(base, tile, retracted_at, until)
    begin = tile_begins(first, tile)
    plain = np.ones(len(base["entry"]), np.bool_)
    plain[odd_at] = False
    low, high, rows, last = _spans(base["happened"], plain, begin)
    arrays: dict[str, Array] = {
        "tile": tile,
        "tile_begin": begin,
        "tile_low": low,
        "tile_high": high,
        "tile_rows": rows,
        "tile_last": last,
        "odd_at": odd_at,
        "odd_until": odd_until,
    }
    for name in kept.value_names:
        totals = _totals(base[f"value {name}"], base[f"valid {name}"], plain, begin)
        for part, array in zip(("n", "sum", "min", "max"), totals, strict=True):
            arrays[f"{part} {name}"] = array
    for name in kept.distinct:
        arrays |= _code_lists(name, base[f"code {name}"], plain, begin)
    write_arrays(path, arrays)


def first_tiles(first: Ints) -> Ints:
    """Each key's first tile, or -1 for keys with less than two tiles' records."""
    many = np.where(np.diff(first) >= 2 * TILE, np.diff(first) // TILE, 0)
    return np.where(many > 0, np.cumsum(many) - many, -1).astype(np.int64)


def tile_begins(first: Ints, tile: Ints) -> Ints:
    """Each tile's first row."""
    keys = np.flatnonzero(tile >= 0)
    parts = [first[k] + TILE * np.arange((first[k + 1] - first[k]) // TILE) for k in keys]
    return np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)


def ordered_values(values: Array, valid: Array, begin: Ints) -> tuple[Array, Ints]:
    """Each tile's values sorted (TILE per tile), and how many of them are values."""
    ordered = np.zeros(len(begin) * TILE, values.dtype)
    count = np.zeros(len(begin), np.int64)
    for j, row in enumerate(begin):
        held = np.sort(values[row : row + TILE][valid[row : row + TILE] > 0])
        ordered[j * TILE : j * TILE + len(held)] = held
        count[j] = len(held)
    return ordered, count


def _odd_records(base: Arrays, tile: Ints, retracted_at: Ints, until: Ints) -> tuple[Ints, Ints]:
    """Retracted and very late rows, sorted, and the last moment at which each counts."""
    late = _late_rows(base["happened"], base["first"], tile, LATE_DAYS * MICROS_PER_DAY, FEW_ODD)
    odd_at = np.union1d(retracted_at, late).astype(np.int64)
    odd_until = np.full(len(odd_at), FOREVER)
    odd_until[np.searchsorted(odd_at, retracted_at)] = until
    return odd_at, odd_until


@njit(cache=True)
def _late_rows(happened, first, tile, bounds, few):  # type: ignore[no-untyped-def]
    """Rows of tiled keys that happened longer before an earlier entered one than the bound."""
    late = np.zeros(len(happened), np.bool_)
    for k in range(len(first) - 1):
        if tile[k] < 0:
            continue
        low, high = first[k], first[k + 1]
        over = np.zeros(len(bounds), np.int64)
        newest = happened[low]
        for i in range(low, high):
            newest = max(newest, happened[i])
            for b in range(len(bounds)):
                over[b] += newest - happened[i] > bounds[b]
        b = 0
        while b < len(bounds) - 1 and over[b] > few * (high - low):
            b += 1
        if over[b] > few * (high - low):
            continue
        newest = happened[low]
        for i in range(low, high):
            newest = max(newest, happened[i])
            late[i] = newest - happened[i] > bounds[b]
    return np.flatnonzero(late)


@njit(cache=True)
def _spans(happened, plain, begin):  # type: ignore[no-untyped-def]
    n = len(begin)
    low, high = np.full(n, FOREVER), np.full(n, -FOREVER)
    rows, last = np.zeros(n, np.int64), np.full(n, -1)
    for j in range(n):
        for i in range(begin[j], begin[j] + TILE):
            if plain[i]:
                low[j] = min(low[j], happened[i])
                if happened[i] >= high[j]:
                    high[j] = happened[i]
                    last[j] = i
                rows[j] += 1
    return low, high, rows, last


@njit(cache=True)
def _totals(value, valid, plain, begin):  # type: ignore[no-untyped-def]
    n = len(begin)
    count = np.zeros(n, np.int64)
    total, least, most = (
        np.zeros_like(value[:n]),
        np.zeros_like(value[:n]),
        np.zeros_like(value[:n]),
    )
    for j in range(n):
        for i in range(begin[j], begin[j] + TILE):
            if plain[i] and valid[i]:
                least[j] = value[i] if count[j] == 0 else min(least[j], value[i])
                most[j] = value[i] if count[j] == 0 else max(most[j], value[i])
                count[j] += 1
                total[j] += value[i]
    return count, total, least, most


def _code_lists(name: str, code: Array, plain: Array, begin: Ints) -> dict[str, Array]:
    """The different codes of each tile and of each `GROUP` of tiles: lists, one after another."""
    tiles = [np.unique(_codes_of(code, plain, row)) for row in begin]
    groups = [np.unique(np.concatenate(tiles[g : g + GROUP])) for g in range(0, len(tiles), GROUP)]
    arrays: dict[str, Array] = {}
    for part, lists in (("tile", tiles), ("group", groups)):
        sizes = np.array([len(each) for each in lists], np.int64)
        arrays[f"{part}_first {name}"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        arrays[f"{part}_codes {name}"] = np.concatenate([np.empty(0, np.int32), *lists]).astype(
            np.int32
        )
    return arrays


def _codes_of(code: Array, plain: Array, row: int) -> Array:
    held = code[row : row + TILE][plain[row : row + TILE]]
    return held[held >= 0]
