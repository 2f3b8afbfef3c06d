"""Training rows as trees read them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Training rows: matrix (n, features), label (n,), moment in microseconds and subject (n,).

    `weight` (n,) says for how many clues a row stands; without it every row stands for itself.
    """

    matrix: Floats
    label: Floats
    moment: npt.NDArray[np.int64]
    subject: npt.NDArray[np.str_]
    weight: Floats | None = None

    def where(self, chosen: npt.NDArray[np.bool_]) -> Rows:
        return Rows(
            self.matrix[chosen],
            self.label[chosen],
            self.moment[chosen],
            self.subject[chosen],
            None if self.weight is None else self.weight[chosen],
        )


def has_both_classes(label: Floats) -> bool:
    """Cases, and clues that became none."""
    return bool(0 < label.sum() < len(label))
