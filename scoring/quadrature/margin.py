"""Margins of few rows: the leaves that a row comes to, added up tree by tree as LightGBM does.

LightGBM's own prediction of one row spends more time on the way in and out than in the trees. The
bits are the same: it adds the same leaves in the same order, from 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from scoring.quadrature.forest import Forest
from scoring.quadrature.kernel import in_set, number_goes_left

Floats = npt.NDArray[np.float64]


def margins(forest: Forest, matrix: Floats) -> Floats:
    """Margins (rows,) of float64 rows (rows, features) with NaN for missing; one thread.

    Only of a forest that is `walkable`.
    """
    rows = np.ascontiguousarray(matrix, np.float64)
    assert rows.shape[1] == forest.features, "the kernel looks no index up twice"
    out = np.empty(len(rows))
    _walk(rows, forest.tables, out)
    return out


# It keeps the interpreter: so short a walk would often wait longer to get it back.
@njit(cache=True)
def _walk(rows, f, out):  # type: ignore[no-untyped-def]
    for row in range(len(rows)):
        margin = 0.0
        for tree in range(len(f.points)):
            n, leaf = f.node_from[tree], False
            while not leaf:
                value = rows[row, f.feature[n]]
                if f.categorical[n]:
                    left = in_set(value, f.bits, f.word_from[n], f.words[n])
                else:
                    left = number_goes_left(value, f.missing[n], f.default_left[n], f.threshold[n])
                if left:
                    leaf, reached, n = f.left_leaf[n], f.left_value[n], f.left_at[n]
                else:
                    leaf, reached, n = f.right_leaf[n], f.right_value[n], f.right_at[n]
            margin += reached
        out[row] = margin
