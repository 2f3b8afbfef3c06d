"""Feature tables to LightGBM's matrix: by name, in the manifest's order, nothing on trust."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from base.errors import Fault, Refused
from scoring.bundle import ScoredFeature

Floats = npt.NDArray[np.float64]
RARELY_MISSING = 0.001


def to_matrix(features: Sequence[ScoredFeature], table: pa.Table) -> Floats:
    """A (rows, features) float64 matrix. Categories become their place in the manifest, unknown
    ones and nulls NaN; a feature the table does not have is NaN throughout. Infinities are refused.
    """
    matrix = np.full((table.num_rows, len(features)), np.nan)
    faults = []
    for at, feature in enumerate(features):
        if feature.name not in table.column_names:
            continue
        column = table[feature.name]
        matrix[:, at] = _codes(feature, column) if feature.type == "category" else _numbers(column)
        if np.isinf(matrix[:, at]).any():
            cure = "leave the value out (missing) if it is not known"
            faults.append(Fault("a finite number", "an infinite one", cure, feature.name))
    if faults:
        raise Refused.gather(faults)
    return matrix


def input_flags(features: Sequence[ScoredFeature], table: pa.Table) -> list[list[str]]:
    """Per row, what is odd about its inputs: missing, unknown category, outside what was seen."""
    flags: list[list[str]] = [[] for _ in range(table.num_rows)]
    for feature in features:
        if feature.name not in table.column_names:
            for row in flags:
                row.append(f"missing:{feature.name}")
            continue
        for word, odd in _oddities(feature, table[feature.name]):
            for at in np.flatnonzero(odd):
                flags[at].append(f"{word}:{feature.name}")
    return flags


def _oddities(
    feature: ScoredFeature, column: pa.ChunkedArray
) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    absent = np.asarray(column.is_null().to_numpy(), bool)
    found = []
    if feature.missing_share < RARELY_MISSING:
        found.append(("missing", absent))
    if feature.type == "category":
        found.append(("unknown_category", np.isnan(_codes(feature, column)) & ~absent))
    elif feature.minimum is not None and feature.maximum is not None:
        numbers = _numbers(column)
        with np.errstate(invalid="ignore"):
            outside = (numbers < feature.minimum) | (numbers > feature.maximum)
        found.append(("out_of_range", outside))
    return found


def _codes(feature: ScoredFeature, column: pa.ChunkedArray) -> Floats:
    places = pc.index_in(
        column.cast(pa.string()), value_set=pa.array(feature.categories, pa.string())
    )
    return np.asarray(places.cast(pa.float64()).to_numpy(), np.float64)


def _numbers(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
