"""The learning curve: what a scorer would be worth had it only the latest share of its rows.

The latest, not a drawn share: a year less of history is what a new province lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from base.errors import Refused

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CurvePoint:
    """A scorer of the latest `share` of the training rows: `rows`, `cases` among them, figures.

    `figures` is None where that share cannot teach; `why` then says so.
    """

    share: float
    rows: int
    cases: int
    figures: Mapping[str, Any] | None
    why: str = ""


def learning_curve(
    moment: npt.NDArray[np.int64],
    label: Floats,
    shares: Sequence[float],
    teach: Callable[[Bools], Mapping[str, Any]],
    whole: Mapping[str, Any] | None = None,
) -> tuple[CurvePoint, ...]:
    """Points in rising order of `shares` (each above 0, at most 1).

    `moment` and `label` (0/1) of the training rows, (n,). `teach` fits on the rows marked and
    returns the figures on the test rows; where it raises Refused (one class only, say) the point
    stays without figures. `whole`: figures of the scorer that had every row, added as share 1.
    """
    told = sorted(set(shares) - ({1.0} if whole is not None else set()))
    points = [_point(moment, label, share, teach) for share in told]
    if whole is not None:
        points.append(CurvePoint(1.0, len(label), int(label.sum()), whole))
    return tuple(points)


def latest_share(moment: npt.NDArray[np.int64], share: float) -> Bools:
    """The latest rows, at least `share` of them; rows of one moment are never cut apart.

    Raises Refused for a share that is none.
    """
    if not 0 < share <= 1:
        raise Refused(
            wanted="a share of the training rows above 0, at most 1",
            got=str(share),
            cure="write 0.25 for a quarter",
            where="learning_curve",
        )
    if not len(moment):
        return np.zeros(0, bool)
    first = np.sort(moment)[len(moment) - max(1, round(len(moment) * share))]
    return np.asarray(moment >= first, bool)


def _point(
    moment: npt.NDArray[np.int64],
    label: Floats,
    share: float,
    teach: Callable[[Bools], Mapping[str, Any]],
) -> CurvePoint:
    chosen = latest_share(moment, share)
    rows, cases = int(chosen.sum()), int(label[chosen].sum())
    try:
        return CurvePoint(share, rows, cases, teach(chosen))
    except Refused as refusal:
        return CurvePoint(share, rows, cases, None, refusal.got)
