"""The sweep: for every clue, exactly the records active at its moment, in one pass per window.

A record is active at moment t iff entry < t <= exit, where

    entry = max(known_at, happened_at)          exit = min(happened_at + window, retracted_at)

Records come sorted by (key, entry), clues by (key, moment); `first`/`last` give each key's slice of
the records, `lead`/`tail` its slice of the clues. Exits usually follow entries; where late feeds or
retractions put them out of order, the exits of that key are sorted once and extremes fall back to a
heap. Integers only: sums are exact in any order.

Method: two-pointer sweep over sorted events; monotone deque for sliding extremes (Lemire,
"Streaming Maximum-Minimum Filter Using No More than Three Comparisons per Element", 2006); binary
heap with lazy deletion where exits are out of order; Fenwick tree (Fenwick, 1994) for ranks.
"""

from __future__ import annotations

import numpy as np
from numba import njit

FOREVER = np.iinfo(np.int64).max
NONE = -1


@njit(cache=True, nogil=True)
def exits_in_order(entry, leave, low, high):  # type: ignore[no-untyped-def]
    """Whether the exits of records low..high never fall, and none precedes its entry."""
    for i in range(low, high):
        if leave[i] <= entry[i] or (i > low and leave[i] < leave[i - 1]):
            return False
    return True


@njit(cache=True, nogil=True)
def count_and_sum(entry, leave, value, counted, first, last, lead, tail, moment, count, total):  # type: ignore[no-untyped-def]
    """Active records that `counted`, and the sum of their `value`, per clue."""
    for k in range(len(first)):
        low, high = first[k], last[k]
        ordered = exits_in_order(entry, leave, low, high)
        order = np.arange(low, high) if ordered else low + np.argsort(leave[low:high])
        i, j = low, 0
        n, s = 0, 0
        for q in range(lead[k], tail[k]):
            t = moment[q]
            while i < high and entry[i] < t:
                if counted[i] and leave[i] > entry[i]:
                    n += 1
                    s += value[i]
                i += 1
            while j < high - low and leave[order[j]] < t:
                r = order[j]
                if counted[r] and leave[r] > entry[r]:
                    n -= 1
                    s -= value[r]
                j += 1
            count[q] = n
            total[q] = s


@njit(cache=True, nogil=True)
def greatest(entry, leave, value, counted, first, last, lead, tail, moment, found):  # type: ignore[no-untyped-def]
    """Index of the active record with the greatest `value` (the later one of equals), or -1."""
    for k in range(len(first)):
        low, high = first[k], last[k]
        if exits_in_order(entry, leave, low, high):
            _greatest_by_deque(
                entry, leave, value, counted, low, high, lead[k], tail[k], moment, found
            )
        else:
            _greatest_by_heap(
                entry, leave, value, counted, low, high, lead[k], tail[k], moment, found
            )


@njit(cache=True, nogil=True)
def _greatest_by_deque(entry, leave, value, counted, low, high, lead, tail, moment, found):  # type: ignore[no-untyped-def]
    deque = np.empty(high - low, np.int64)
    head, end, i = 0, 0, low
    for q in range(lead, tail):
        t = moment[q]
        while i < high and entry[i] < t:
            if counted[i]:
                while end > head and value[deque[end - 1]] <= value[i]:
                    end -= 1
                deque[end] = i
                end += 1
            i += 1
        while head < end and leave[deque[head]] < t:
            head += 1
        found[q] = deque[head] if head < end else NONE


@njit(cache=True, nogil=True)
def _above(value, a, b):  # type: ignore[no-untyped-def]
    return value[a] > value[b] or (value[a] == value[b] and a > b)


@njit(cache=True, nogil=True)
def _greatest_by_heap(entry, leave, value, counted, low, high, lead, tail, moment, found):  # type: ignore[no-untyped-def]
    heap = np.empty(high - low, np.int64)
    size, i = 0, low
    for q in range(lead, tail):
        t = moment[q]
        while i < high and entry[i] < t:
            if counted[i] and leave[i] > entry[i]:
                size = _push(heap, size, i, value)
            i += 1
        while size > 0 and leave[heap[0]] < t:
            size = _pop(heap, size, value)
        found[q] = heap[0] if size > 0 else NONE


@njit(cache=True, nogil=True)
def _push(heap, size, item, value):  # type: ignore[no-untyped-def]
    at = size
    while at > 0 and _above(value, item, heap[(at - 1) // 2]):
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = item
    return size + 1


@njit(cache=True, nogil=True)
def _pop(heap, size, value):  # type: ignore[no-untyped-def]
    size -= 1
    item, at = heap[size], 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _above(value, heap[child + 1], heap[child]):
            child += 1
        if not _above(value, heap[child], item):
            break
        heap[at] = heap[child]
        at = child
    heap[at] = item
    return size


@njit(cache=True, nogil=True)
def entering(entry, first, last, lead, tail, moment, enters):  # type: ignore[no-untyped-def]
    """The first clue, in sorted order, at whose moment each record has entered; `tail` for none."""
    for k in range(len(first)):
        q = lead[k]
        for i in range(first[k], last[k]):
            while q < tail[k] and moment[q] <= entry[i]:
                q += 1
            enters[i] = q


@njit(cache=True, nogil=True)
def next_alike(code, codes, first, last, following):  # type: ignore[no-untyped-def]
    """The next record of the key with the same `code` (0..codes-1; negative = none), or -1."""
    seen = np.full(codes, NONE, np.int64)
    for k in range(len(first)):
        for i in range(last[k] - 1, first[k] - 1, -1):
            c = code[i]
            following[i] = seen[c] if c >= 0 else NONE
            if c >= 0:
                seen[c] = i
        for i in range(first[k], last[k]):
            if code[i] >= 0:
                seen[code[i]] = NONE


@njit(cache=True, nogil=True)
def distinct(  # type: ignore[no-untyped-def]
    entry, leave, code, codes, enters, following, first, last, lead, tail, moment, count
):
    """How many different `code`s (0..codes-1; negative = no value) the active records have.

    Takes what `entering` and `next_alike` gave.
    """
    held = np.zeros(codes, np.int64)
    for k in range(len(first)):
        low, high = first[k], last[k]
        if exits_in_order(entry, leave, low, high):
            _distinct_by_steps(
                leave, code, enters, following, low, high, lead[k], tail[k], moment, count
            )
        else:
            _distinct_by_holding(
                entry, leave, code, held, low, high, lead[k], tail[k], moment, count
            )


@njit(cache=True, nogil=True)
def _distinct_by_steps(leave, code, enters, following, low, high, lead, tail, moment, count):  # type: ignore[no-untyped-def]
    """Exits in order: of records alike the one that entered last also leaves last, so it alone
    stands for all, from its entry until the next one's entry or its own exit.
    """
    steps = np.zeros(tail - lead + 1, np.int64)
    q = lead
    for i in range(low, high):
        while q < tail and moment[q] <= leave[i]:
            q += 1
        if code[i] >= 0:
            end = q if following[i] < 0 else min(q, np.int64(enters[following[i]]))
            steps[enters[i] - lead] += 1
            steps[end - lead] -= 1
    n = 0
    for at in range(tail - lead):
        n += steps[at]
        count[lead + at] = n


@njit(cache=True, nogil=True)
def _distinct_by_holding(entry, leave, code, held, low, high, lead, tail, moment, count):  # type: ignore[no-untyped-def]
    """Exits in any order: how many records of each code are active; `held` comes and goes as 0."""
    order = low + np.argsort(leave[low:high])
    i, j, n = low, 0, 0
    for q in range(lead, tail):
        t = moment[q]
        while i < high and entry[i] < t:
            if code[i] >= 0 and leave[i] > entry[i]:
                n += held[code[i]] == 0
                held[code[i]] += 1
            i += 1
        while j < high - low and leave[order[j]] < t:
            r = order[j]
            if code[r] >= 0 and leave[r] > entry[r]:
                held[code[r]] -= 1
                n -= held[code[r]] == 0
            j += 1
        count[q] = n
    for r in range(low, high):
        if code[r] >= 0:
            held[code[r]] = 0


@njit(cache=True, nogil=True)
def below(entry, leave, place, counted, own, first, last, lead, tail, moment, lower, count):  # type: ignore[no-untyped-def]
    """Active records whose `place` (1..n within the key) is at most the clue's `own` place.

    `own` is the number of the key's values below the clue's own value, so `lower` counts active
    records strictly below it; `count` counts all active ones.
    """
    for k in range(len(first)):
        low, high = first[k], last[k]
        ordered = exits_in_order(entry, leave, low, high)
        order = np.arange(low, high) if ordered else low + np.argsort(leave[low:high])
        tree = np.zeros(high - low + 1, np.int64)
        i, j, n = low, 0, 0
        for q in range(lead[k], tail[k]):
            t = moment[q]
            while i < high and entry[i] < t:
                if counted[i] and leave[i] > entry[i]:
                    _add(tree, place[i], 1)
                    n += 1
                i += 1
            while j < high - low and leave[order[j]] < t:
                r = order[j]
                if counted[r] and leave[r] > entry[r]:
                    _add(tree, place[r], -1)
                    n -= 1
                j += 1
            lower[q] = _total(tree, own[q])
            count[q] = n


@njit(cache=True, nogil=True)
def _add(tree, at, step):  # type: ignore[no-untyped-def]
    while at < len(tree):
        tree[at] += step
        at += at & -at


@njit(cache=True, nogil=True)
def _total(tree, at):  # type: ignore[no-untyped-def]
    total = 0
    while at > 0:
        total += tree[at]
        at -= at & -at
    return total
