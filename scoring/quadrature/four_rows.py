"""Rows four by four: the same sums as `kernel.explain_block`, four rows side by side.

For the few rows of requests that wait together. A block of 64 costs the same however few of its
lanes are used, and row by row every table is read and every step decided once a row; here once for
four. A place of a `Four` is a row; work space is flat, (level, point, row).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from scoring.quadrature.forest import DOWN_LEFT, NONE, STEPS, UP
from scoring.quadrature.four import WIDTH, at_most, fill, missing, put, take
from scoring.quadrature.kernel import MISSING_IS_NAN, MISSING_IS_ZERO, in_set, number_goes_left

U = np.uint64
W = U(WIDTH)


@njit(cache=True, nogil=True, forceinline=True)
def _factor(t, u, z, share, repeated, way, still):  # type: ignore[no-untyped-def]
    """The one of `kernel.factors` that each row's `way` (1.0 or 0.0) chooses, without a branch.

    Rows off the path (`still` 0.0) take the share. One of the two terms is 0 and the other exact.
    """
    if repeated:
        part = u * z
        inverse = 1.0 / (t + part)
        hot = (fill(t) * way + fill(part) * fill(share)) * fill(inverse)
        return still * hot + (fill(1.0) - still) * fill(share)
    return fill(t) * way + fill(u * share)


@njit(cache=True, nogil=True, forceinline=True)
def _left(value, threshold, absent):  # type: ignore[no-untyped-def]
    """1.0 for each row that goes left; a missing value goes left where `absent` says so."""
    return at_most(value, fill(threshold)) + missing(value) * fill(1.0 if absent else 0.0)


@njit(cache=True, nogil=True, forceinline=True)
def _ask_four(x, first_x, tree, f, side, on):  # type: ignore[no-untyped-def]
    """side: which way each row goes at each node; on: whether it came there, asked again."""
    first = f.node_from[tree]
    for n in range(first, f.node_from[tree + 1]):
        at, above = U(n - first) * W, f.same[n]
        asked = first_x + U(f.feature[n]) * W
        if f.categorical[n]:
            for r in range(U(0), W):
                goes = in_set(x[asked + r], f.bits, f.word_from[n], f.words[n])
                side[at + r] = 1.0 if goes else 0.0
        else:
            value, threshold = take(x, asked), f.threshold[n]
            if f.missing[n] == MISSING_IS_NAN:
                absent = f.default_left[n]
                put(side, at, _left(value, threshold, absent))
            elif f.missing[n] == MISSING_IS_ZERO:
                for r in range(U(0), W):
                    goes = number_goes_left(
                        x[asked + r], MISSING_IS_ZERO, f.default_left[n], threshold
                    )
                    side[at + r] = 1.0 if goes else 0.0
            else:
                put(side, at, _left(value, threshold, threshold >= 0.0))
        if above != NONE:
            there, want = U(above - first) * W, 1.0 if f.same_left[n] else 0.0
            for r in range(U(0), W):
                on[at + r] = on[there + r] if side[there + r] == want else 0.0
        else:
            put(on, at, fill(1.0))


@njit(cache=True, nogil=True)
def _explain_four(x, first_x, tree, f, g, left, right, side, on, dot, phi):  # type: ignore[no-untyped-def]
    """One tree's contributions to four rows, added to `phi`; both lie at `first_x`."""
    first = f.node_from[tree]
    point, count = U(f.point_from[tree]), U(f.points[tree])
    high = count * W
    _ask_four(x, first_x, tree, f, side, on)
    for q in range(U(0), count):
        put(g, q * W, fill(f.w[point + q]))
    for s in range(f.step_from[tree], f.step_from[tree + 1]):
        n, step = f.steps[s] // STEPS, f.steps[s] % STEPS
        z, repeated = f.before[n], f.same[n] != NONE
        goes, still = take(side, U(n - first) * W), take(on, U(n - first) * W)
        here = U(f.level[n]) * high
        below = here + high
        if step != UP:
            down = step == DOWN_LEFT
            share = f.left_share[n] if down else f.right_share[n]
            way = goes if down else fill(1.0) - goes
            for q in range(U(0), count):
                t, u = f.t[point + q], f.u[point + q]
                b = _factor(t, u, z, share, repeated, way, still)
                put(g, below + q * W, take(g, here + q * W) * b)
            continue
        lshare, rshare = f.left_share[n], f.right_share[n]
        away = fill(1.0) - goes
        up = left if f.is_left[n] else right
        for q in range(U(0), W):
            put(dot, q * W, fill(0.0))
        for q in range(U(0), count):
            at, t, u = q * W, f.t[point + q], f.u[point + q]
            a = take(g, here + at)
            b = fill(f.left_value[n]) if f.left_leaf[n] else take(left, below + at)
            c = fill(f.right_value[n]) if f.right_leaf[n] else take(right, below + at)
            if repeated:
                inverse = 1.0 / (t + u * z)
                a = a * fill(inverse * inverse)
            part = a * (b - c)
            strand = (q & U(3)) * W
            put(dot, strand, take(dot, strand) + part)
            d = _factor(t, u, z, lshare, repeated, goes, still)
            e = _factor(t, u, z, rshare, repeated, away, still)
            put(up, here + at, d * b + e * c)
        one, two = take(dot, U(0)) + take(dot, W), take(dot, W + W) + take(dot, W + W + W)
        whole = one + two
        weight = (goes * fill(rshare) - away * fill(lshare)) * fill(z)
        if repeated:
            weight = weight * still
        at = first_x + U(f.feature[n]) * W
        put(phi, at, take(phi, at) + weight * whole)


@njit(cache=True, nogil=True)
def explain_fours(matrix, low, high, f, levels, points, nodes, out):  # type: ignore[no-untyped-def]
    """Contributions of the rows low..high of `matrix` into `out`, both (rows, features).

    The last four are filled up with the last row.
    """
    features, groups = matrix.shape[1], (high - low + 3) // 4
    size = levels * points * 4
    g, left, right = np.empty(size), np.empty(size), np.empty(size)
    side, on, dot = np.empty(nodes * 4), np.empty(nodes * 4), np.empty(16)
    x, phi = np.empty(groups * features * 4), np.zeros(groups * features * 4)
    for group in range(groups):
        for r in range(4):
            row = min(low + group * 4 + r, high - 1)
            for j in range(features):
                x[(group * features + j) * 4 + r] = matrix[row, j]
    for tree in range(len(f.points)):
        for group in range(groups):
            first = U(group * features * 4)
            _explain_four(x, first, tree, f, g, left, right, side, on, dot, phi)
    for row in range(low, high):
        group, r = (row - low) // 4, (row - low) % 4
        for j in range(features):
            out[row, j] = phi[(group * features + j) * 4 + r]
