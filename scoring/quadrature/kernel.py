"""TreeSHAP by quadrature for a block of rows; `four_rows` and `one_row` give the same bits.

Method (TreeSHAP: Lundberg et al., 2020). The game of one leaf is a product over the distinct
features of its path: value * prod(1 if the row goes that way else 0, or z if the feature is left
out of the coalition), z being the share of training rows that goes that way. Its Shapley values
are integrals over t in [0, 1] of polynomials in prod(t * o + (1 - t) * z); m Gauss-Legendre points
are exact up to degree 2m - 1, and a path of d features needs d - 1. So everything is kept at m
points:

    G    the product of the path down to a node (times the weight of the point)
    S    the sum over the leaves below a node of value * the product from the node down

A node that asks a feature for the first time splits its rows into shares `hot` (the way the row
goes) and `cold`:

    G of hot child  = G (t + (1-t) hot)     S = (t + (1-t) hot) S_hot + (1-t) cold S_cold
    G of cold child = G (1-t) cold          contribution += cold * sum of G (S_hot - S_cold)

Asked again with the row on the path so far (z = what passes above, a = t + (1-t) z): both factors
divided by a, hot and cold times z, contribution z * cold * sum G / a^2 (S_hot - S_cold). Asked
again with the row off the path: factors are the shares, no contribution. Nothing cancels and no
quotient is taken except by a > 0.

Every sum is taken in one order whatever the kernel: over points in four strands, then strands in
pairs, then nodes, then trees. No fastmath: a missing value is NaN.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from scoring.quadrature.forest import DOWN_LEFT, NONE, STEPS, UP

LANES = 64
ZERO = float(np.float32(1e-35))
MISSING_IS_ZERO, MISSING_IS_NAN = 1, 2
STRANDS = 4


@njit(cache=True, nogil=True, forceinline=True)
def in_set(value, bits, first, words):  # type: ignore[no-untyped-def]
    """Whether a category is in a set of bits; NaN, negative and huge ones are in none."""
    if not (value > -1.0 and value < 2147483648.0):
        return False
    whole = np.int64(value)
    if whole >= 32 * words:
        return False
    return (bits[first + whole // 32] >> np.uint32(whole % 32)) & np.uint32(1) != 0


@njit(cache=True, nogil=True, forceinline=True)
def number_goes_left(value, missing, default_left, threshold):  # type: ignore[no-untyped-def]
    """The decision about a number, as LightGBM takes it, without a branch on the value."""
    absent = value != value
    if missing == MISSING_IS_NAN:
        return (value <= threshold) | (absent & default_left)
    value = 0.0 if absent else value
    below = value <= threshold
    if missing == MISSING_IS_ZERO:
        return default_left if -ZERO <= value <= ZERO else below
    return below


@njit(cache=True, nogil=True)
def _numbers_go_left(x, missing, default_left, threshold, side):  # type: ignore[no-untyped-def]
    """side[r] = 1.0 where row r goes left, else 0.0."""
    otherwise = 1.0 if default_left else 0.0
    if missing == MISSING_IS_NAN:
        for r in range(LANES):
            side[r] = otherwise if x[r] != x[r] else (1.0 if x[r] <= threshold else 0.0)
    elif missing == MISSING_IS_ZERO:
        for r in range(LANES):
            v = x[r] if x[r] == x[r] else 0.0
            side[r] = otherwise if -ZERO <= v <= ZERO else (1.0 if v <= threshold else 0.0)
    else:
        for r in range(LANES):
            v = x[r] if x[r] == x[r] else 0.0
            side[r] = 1.0 if v <= threshold else 0.0


@njit(cache=True, nogil=True)
def _categories_go_left(x, bits, first, words, side):  # type: ignore[no-untyped-def]
    for r in range(LANES):
        side[r] = 1.0 if in_set(x[r], bits, first, words) else 0.0


@njit(cache=True, nogil=True, forceinline=True)
def factors(t, u, z, share, repeated):  # type: ignore[no-untyped-def]
    """What G takes on if the row goes this way, and if it goes the other way."""
    if repeated:
        inverse = 1.0 / (t + u * z)
        part = u * z * share
        return (t + part) * inverse, part * inverse
    return t + u * share, u * share


@njit(cache=True, nogil=True)
def _down_block(above, below, t, u, m, z, share, repeated, side, want, on):  # type: ignore[no-untyped-def]
    for q in range(m):
        hot, cold = factors(t[q], u[q], z, share, repeated)
        a, b = above[q], below[q]
        if repeated:
            for r in range(LANES):
                taken = hot if side[r] == want else cold
                b[r] = a[r] * (taken if on[r] != 0.0 else share)
        else:
            for r in range(LANES):
                b[r] = a[r] * (hot if side[r] == want else cold)


@njit(cache=True, nogil=True)
def _up_block(  # type: ignore[no-untyped-def]
    g, lefts, rights, up, t, u, m, z, lshare, rshare, repeated, side, on, dot, phi
):
    dot[:, :] = 0.0
    for q in range(m):
        lhot, lcold = factors(t[q], u[q], z, lshare, repeated)
        rhot, rcold = factors(t[q], u[q], z, rshare, repeated)
        a, b, c, d, p = g[q], lefts[q], rights[q], up[q], dot[q % STRANDS]
        if repeated:
            inverse = 1.0 / (t[q] + u[q] * z)
            square = inverse * inverse
            for r in range(LANES):
                p[r] += (a[r] * square) * (b[r] - c[r])
            for r in range(LANES):
                one = (lhot if side[r] != 0.0 else lcold) if on[r] != 0.0 else lshare
                two = (rcold if side[r] != 0.0 else rhot) if on[r] != 0.0 else rshare
                d[r] = one * b[r] + two * c[r]
        else:
            for r in range(LANES):
                p[r] += a[r] * (b[r] - c[r])
            for r in range(LANES):
                d[r] = (lhot if side[r] != 0.0 else lcold) * b[r] + (
                    rcold if side[r] != 0.0 else rhot
                ) * c[r]
    for r in range(LANES):
        whole = (dot[0, r] + dot[1, r]) + (dot[2, r] + dot[3, r])
        weight = (rshare if side[r] != 0.0 else -lshare) * z
        if repeated:
            weight = weight if on[r] != 0.0 else 0.0
        phi[r] += weight * whole


@njit(cache=True, nogil=True)
def _still_on(there, want, before, on):  # type: ignore[no-untyped-def]
    """on[r] = 1.0 where row r went this path at every node above that asks the same feature."""
    for r in range(LANES):
        on[r] = before[r] if there[r] == want else 0.0


@njit(cache=True, nogil=True)
def explain_block(x, f, g, left, right, side, on, dot, phi):  # type: ignore[no-untyped-def]
    """Contributions of LANES rows: x and phi are (features, LANES), phi is added to.

    Work space: g, left, right (levels, points, LANES), side, on (nodes, LANES) and dot
    (STRANDS, LANES).
    """
    for tree in range(len(f.points)):
        first, m = f.node_from[tree], f.points[tree]
        t = f.t[f.point_from[tree] : f.point_from[tree] + m]
        u = f.u[f.point_from[tree] : f.point_from[tree] + m]
        for n in range(first, f.node_from[tree + 1]):
            asked, mine = x[f.feature[n]], side[n - first]
            if f.categorical[n]:
                _categories_go_left(asked, f.bits, f.word_from[n], f.words[n], mine)
            else:
                _numbers_go_left(asked, f.missing[n], f.default_left[n], f.threshold[n], mine)
            if f.same[n] != NONE:
                above, want = f.same[n] - first, 1.0 if f.same_left[n] else 0.0
                _still_on(side[above], want, on[above], on[n - first])
            else:
                on[n - first, :] = 1.0
        for q in range(m):
            g[0, q, :] = f.w[f.point_from[tree] + q]
        for s in range(f.step_from[tree], f.step_from[tree + 1]):
            n, step = f.steps[s] // STEPS, f.steps[s] % STEPS
            k, z, repeated = f.level[n], f.before[n], f.same[n] != NONE
            mine, still = side[n - first], on[n - first]
            if step != UP:
                goes = step == DOWN_LEFT
                share = f.left_share[n] if goes else f.right_share[n]
                want = 1.0 if goes else 0.0
                _down_block(g[k], g[k + 1], t, u, m, z, share, repeated, mine, want, still)
                continue
            if f.left_leaf[n]:
                left[k + 1, :m, :] = f.left_value[n]
            if f.right_leaf[n]:
                right[k + 1, :m, :] = f.right_value[n]
            up = left[k] if f.is_left[n] else right[k]
            _up_block(
                g[k], left[k + 1], right[k + 1], up, t, u, m, z, f.left_share[n],
                f.right_share[n], repeated, mine, still, dot, phi[f.feature[n]],
            )  # fmt: skip


@njit(cache=True, nogil=True)
def explain_blocks(matrix, low, high, f, levels, points, nodes, out):  # type: ignore[no-untyped-def]
    """Contributions of the rows low..high of `matrix` into `out`, both (rows, features)."""
    features = matrix.shape[1]
    g, left, right = (
        np.empty((levels, points, LANES)),
        np.empty((levels, points, LANES)),
        np.empty((levels, points, LANES)),
    )
    side, on = np.empty((nodes, LANES)), np.empty((nodes, LANES))
    dot, x = np.empty((STRANDS, LANES)), np.zeros((features, LANES))
    phi = np.empty((features, LANES))
    for begin in range(low, high, LANES):
        rows = min(LANES, high - begin)
        for r in range(rows):
            for j in range(features):
                x[j, r] = matrix[begin + r, j]
        phi[:, :] = 0.0
        explain_block(x, f, g, left, right, side, on, dot, phi)
        for r in range(rows):
            for j in range(features):
                out[begin + r, j] = phi[j, r]
