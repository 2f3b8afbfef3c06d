"""One row alone: the same sums as `kernel.explain_block`, with the points side by side.

Points come in fours (filled up with points of weight 0, which add nothing); each four is read,
worked on and written as one, so that the compiler makes one instruction of it. Work space is flat
and indices are unsigned: views and negative indices would cost more than the sums.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from scoring.quadrature.forest import DOWN_LEFT, NONE, STEPS, UP
from scoring.quadrature.four import fill, put, take, total
from scoring.quadrature.kernel import in_set, number_goes_left

U = np.uint64


@njit(cache=True, nogil=True, forceinline=True)
def _factor(t, u, z, share, repeated, goes):  # type: ignore[no-untyped-def]
    """The one of `kernel.factors` that `goes` (1.0 or 0.0) chooses, without a branch."""
    if repeated:
        whole = t + u * fill(z)
        return (t * fill(goes) + u * fill(z) * fill(share)) * (fill(1.0) / whole)
    return t * fill(goes) + u * fill(share)


@njit(cache=True, nogil=True)
def explain_row(x, f, g, left, right, side, on, phi):  # type: ignore[no-untyped-def]  # noqa: C901  # a call would copy the tables
    """Contributions of one row: x and phi are (features,), phi is added to.

    Work space: g, left, right (levels * points filled up to fours), side, on (nodes,).
    """
    for tree in range(len(f.points)):
        first = f.node_from[tree]
        point, wide = U(f.point_from[tree]), U((f.points[tree] + 3) // 4 * 4)
        for n in range(first, f.node_from[tree + 1]):
            value, above = x[f.feature[n]], f.same[n]
            if f.categorical[n]:
                left_it_is = in_set(value, f.bits, f.word_from[n], f.words[n])
            else:
                left_it_is = number_goes_left(
                    value, f.missing[n], f.default_left[n], f.threshold[n]
                )
            side[n - first] = 1.0 if left_it_is else 0.0
            on[n - first] = above == NONE or (
                on[above - first] and (side[above - first] != 0.0) == f.same_left[n]
            )
        for q in range(U(0), wide):
            g[q] = f.w[point + q]
        for s in range(f.step_from[tree], f.step_from[tree + 1]):
            n, step = f.steps[s] // STEPS, f.steps[s] % STEPS
            z, repeated = f.before[n], f.same[n] != NONE
            goes, still = side[n - first], on[n - first]
            here = U(f.level[n]) * wide
            below = here + wide
            if step != UP:
                down = step == DOWN_LEFT
                share = f.left_share[n] if down else f.right_share[n]
                way = goes if down else 1.0 - goes
                for q in range(U(0), wide, U(4)):
                    b = fill(share)
                    if still:
                        b = _factor(
                            take(f.t, point + q), take(f.u, point + q), z, share, repeated, way
                        )
                    put(g, below + q, take(g, here + q) * b)
                continue
            lshare, rshare = f.left_share[n], f.right_share[n]
            up = left if f.is_left[n] else right
            dot = fill(0.0)
            for q in range(U(0), wide, U(4)):
                a, t, u = take(g, here + q), take(f.t, point + q), take(f.u, point + q)
                b = fill(f.left_value[n]) if f.left_leaf[n] else take(left, below + q)
                c = fill(f.right_value[n]) if f.right_leaf[n] else take(right, below + q)
                d, e = fill(lshare), fill(rshare)
                if still:
                    if repeated:
                        inverse = fill(1.0) / (t + u * fill(z))
                        a = a * (inverse * inverse)
                    dot = dot + a * (b - c)
                    d = _factor(t, u, z, lshare, repeated, goes)
                    e = _factor(t, u, z, rshare, repeated, 1.0 - goes)
                put(up, here + q, d * b + e * c)
            if still:
                weight = (rshare if goes != 0.0 else -lshare) * z
                phi[f.feature[n]] += weight * total(dot)


@njit(cache=True, nogil=True)
def explain_each(matrix, low, high, f, levels, points, nodes, out):  # type: ignore[no-untyped-def]
    """Contributions of the rows low..high of `matrix` into `out`, one row after the other."""
    size = levels * ((points + 3) // 4 * 4)
    g, left, right = np.zeros(size), np.zeros(size), np.zeros(size)
    side, on = np.empty(nodes), np.empty(nodes, np.bool_)
    for r in range(low, high):
        out[r, :] = 0.0
        explain_row(matrix[r], f, g, left, right, side, on, out[r])
