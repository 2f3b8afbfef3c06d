"""One question, answered from one key's records: which count at a moment, and what they add up to.

A key's records lie in order of entry = max(known_at, happened_at). Every `TILE` of them has its
totals ready (a tile). A question takes whole tiles where all their records count, none where none
does, and looks at single records only at the edges of the window. Records that would spoil a tile
- retracted ones, and those fed much later than their neighbours - stay out of the tiles' totals;
they are the odd ones, and looked at one by one.

    counts at t over a window from `since`:   entry < t,  happened >= since,  t <= retracted

Integers only: sums are exact in any order, so tiles give what the sweep gives, bit for bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

TILE = 2_048
GROUP = 64
NONE = -1


@njit(cache=True, nogil=True)
def find(digests, digest):  # type: ignore[no-untyped-def]
    """The first place of `digest` among sorted `digests`, or where it would stand."""
    return np.searchsorted(digests, digest)


@njit(cache=True, nogil=True)
def counting(  # type: ignore[no-untyped-def]
    entry, happened, first, key, tile_of, tile_low, tile_high, odd_at, odd_until, t, sinces
):
    """Whole tiles and single rows of a key that count at `t`, for each window.

    `tile_of` is each key's first tile or -1; `tile_low`/`tile_high` are the extremes of
    happened_at in each tile; `odd_at` are sorted row numbers. Returns (tiles, cuts, rows, cuts):
    those of window w lie between cuts[w] and cuts[w + 1].
    """
    low, high, tile = first[key], first[key + 1], tile_of[key]
    until = low + np.searchsorted(entry[low:high], t)
    whole = min(until - low, TILE * ((high - low) // TILE)) // TILE if tile >= 0 else 0
    odd, odd_end = np.searchsorted(odd_at, low), np.searchsorted(odd_at, until)
    windows = len(sinces)
    tiles, tile_cut = np.empty(windows * whole, np.int64), np.zeros(windows + 1, np.int64)
    room = 0
    for w in range(windows):
        n = tile_cut[w]
        room += until - low - whole * TILE + odd_end - odd
        for j in range(tile, tile + whole):
            if tile_low[j] >= sinces[w]:
                tiles[n] = j
                n += 1
            elif tile_high[j] >= sinces[w]:
                room += TILE
        tile_cut[w + 1] = n
    rows, row_cut = np.empty(room, np.int64), np.zeros(windows + 1, np.int64)
    for w in range(windows):
        n, since = row_cut[w], sinces[w]
        for j in range(whole):
            if tile_low[tile + j] < since and tile_high[tile + j] >= since:
                begin = low + j * TILE
                n = _single(happened, begin, begin + TILE, odd_at, since, rows, n)
        n = _single(happened, low + whole * TILE, until, odd_at, since, rows, n)
        for o in range(odd, odd_end):
            if happened[odd_at[o]] >= since and odd_until[o] >= t:
                rows[n] = odd_at[o]
                n += 1
        row_cut[w + 1] = n
    return tiles, tile_cut, rows, row_cut


@njit(cache=True, nogil=True)
def _single(happened, begin, end, odd_at, since, rows, n):  # type: ignore[no-untyped-def]
    """Rows begin..end that happened in the window and are not odd, put behind the n in `rows`."""
    o = np.searchsorted(odd_at, begin)
    for i in range(begin, end):
        if o < len(odd_at) and odd_at[o] == i:
            o += 1
        elif happened[i] >= since:
            rows[n] = i
            n += 1
    return n


@njit(cache=True, nogil=True)
def counted(tiles, tile_cut, row_cut, tile_rows, count):  # type: ignore[no-untyped-def]
    """Add to `count` how many records count in each window."""
    for w in range(len(count)):
        count[w] += row_cut[w + 1] - row_cut[w]
        for at in range(tile_cut[w], tile_cut[w + 1]):
            count[w] += tile_rows[tiles[at]]


@njit(cache=True, nogil=True)
def totals(  # type: ignore[no-untyped-def]
    tiles, tile_cut, rows, row_cut, value, valid, tile_n, tile_sum, tile_min, tile_max,
    count, total, least, most,
):  # fmt: skip
    """Add to each window's count, sum, least and most those of the records that have a value."""
    for w in range(len(count)):
        for at in range(tile_cut[w], tile_cut[w + 1]):
            j = tiles[at]
            if tile_n[j] > 0:
                least[w] = tile_min[j] if count[w] == 0 else min(least[w], tile_min[j])
                most[w] = tile_max[j] if count[w] == 0 else max(most[w], tile_max[j])
                count[w] += tile_n[j]
                total[w] += tile_sum[j]
        for at in range(row_cut[w], row_cut[w + 1]):
            i = rows[at]
            if valid[i]:
                least[w] = value[i] if count[w] == 0 else min(least[w], value[i])
                most[w] = value[i] if count[w] == 0 else max(most[w], value[i])
                count[w] += 1
                total[w] += value[i]


@njit(cache=True, nogil=True)
def latest(tiles, tile_cut, rows, row_cut, happened, tile_last, best):  # type: ignore[no-untyped-def]
    """Put into `best` the row that happened last, of equals the later one in order; -1 for none."""
    for w in range(len(best)):
        best[w] = NONE
        for at in range(tile_cut[w], tile_cut[w + 1]):
            best[w] = _later(happened, best[w], tile_last[tiles[at]])
        for at in range(row_cut[w], row_cut[w + 1]):
            best[w] = _later(happened, best[w], rows[at])


@njit(cache=True, nogil=True)
def _later(happened, a, b):  # type: ignore[no-untyped-def]
    if a < 0 or b < 0:
        return max(a, b)
    if happened[a] != happened[b]:
        return a if happened[a] > happened[b] else b
    return max(a, b)


@njit(cache=True, nogil=True)
def mark(  # type: ignore[no-untyped-def]
    tiles, tile_cut, rows, row_cut, code, tile_first, tile_codes, group_first, group_codes, seen
):
    """Set a bit of `seen` (windows x words) for every code that the counting records have.

    Tile j's codes are tile_codes[tile_first[j] : tile_first[j + 1]]; `GROUP` tiles in a row, from
    a multiple of it, have theirs together.
    """
    for w in range(len(seen)):
        p, end = tile_cut[w], tile_cut[w + 1]
        while p < end:
            j = tiles[p]
            if j % GROUP == 0 and p + GROUP <= end and tiles[p + GROUP - 1] == j + GROUP - 1:
                g = j // GROUP
                _mark_all(group_codes, group_first[g], group_first[g + 1], seen[w])
                p += GROUP
            else:
                _mark_all(tile_codes, tile_first[j], tile_first[j + 1], seen[w])
                p += 1
        for at in range(row_cut[w], row_cut[w + 1]):
            c = code[rows[at]]
            if c >= 0:
                seen[w, c >> 6] |= np.uint64(1) << np.uint64(c & 63)


@njit(cache=True, nogil=True)
def _mark_all(codes, begin, end, seen):  # type: ignore[no-untyped-def]
    for at in range(begin, end):
        c = codes[at]
        seen[c >> 6] |= np.uint64(1) << np.uint64(c & 63)


@njit(cache=True, nogil=True)
def ones(seen, count):  # type: ignore[no-untyped-def]
    """Put into `count` how many bits each row has set (Warren, Hacker's Delight, 2002)."""
    for w in range(len(seen)):
        count[w] = 0
        for x in seen[w]:
            x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
            x = (x & np.uint64(0x3333333333333333)) + (
                (x >> np.uint64(2)) & np.uint64(0x3333333333333333)
            )
            x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
            count[w] += np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True)
def below(  # type: ignore[no-untyped-def]
    tiles, tile_cut, rows, row_cut, value, valid, own, ordered, ordered_n, tile_begin, odd_at,
    lower, count,
):  # fmt: skip
    """Add to each window's `lower` the counting values below `own`, to `count` all of them.

    `ordered` holds each tile's values sorted, `ordered_n[j]` of them, the odd ones included: these
    are taken off again, and come back among `rows` where they count.
    """
    for w in range(len(count)):
        for at in range(tile_cut[w], tile_cut[w + 1]):
            j = tiles[at]
            begin = j * TILE
            lower[w] += np.searchsorted(ordered[begin : begin + ordered_n[j]], own)
            count[w] += ordered_n[j]
            o = np.searchsorted(odd_at, tile_begin[j])
            while o < len(odd_at) and odd_at[o] < tile_begin[j] + TILE:
                if valid[odd_at[o]]:
                    count[w] -= 1
                    lower[w] -= value[odd_at[o]] < own
                o += 1
        for at in range(row_cut[w], row_cut[w + 1]):
            i = rows[at]
            if valid[i]:
                count[w] += 1
                lower[w] += value[i] < own


@njit(cache=True, nogil=True)
def merged(key_a, first_a, key_b, first_b, entry, happened, number, begin_b):  # type: ignore[no-untyped-def]
    """The order that merges two segments: row numbers of (a, then b) by key, then by order.

    `key_a`/`key_b` are the merged numbers of each segment's keys, rising; the other arrays are
    those of a and b one after the other, b from row `begin_b`.
    """
    order = np.empty(len(entry), np.int64)
    a, b, n = np.int64(0), np.int64(0), np.int64(0)
    while a < len(key_a) or b < len(key_b):
        has_a = a < len(key_a) and (b == len(key_b) or key_a[a] <= key_b[b])
        has_b = b < len(key_b) and (a == len(key_a) or key_b[b] <= key_a[a])
        i, i_end = (first_a[a], first_a[a + 1]) if has_a else (0, 0)
        j, j_end = (first_b[b] + begin_b, first_b[b + 1] + begin_b) if has_b else (0, 0)
        while i < i_end or j < j_end:
            if j == j_end or (i < i_end and _before(entry, happened, number, i, j)):
                order[n] = i
                i += 1
            else:
                order[n] = j
                j += 1
            n += 1
        a += has_a
        b += has_b
    return order


@njit(cache=True, nogil=True)
def _before(entry, happened, number, i, j):  # type: ignore[no-untyped-def]
    if entry[i] != entry[j]:
        return entry[i] < entry[j]
    if happened[i] != happened[j]:
        return happened[i] < happened[j]
    return number[i] < number[j]
