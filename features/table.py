"""The feature table: one row per clue, one column per feature, each at the clue's own moment.

build_features -> plain and calendar columns
               -> per grouping: slices (DuckDB sorts once) -> sweep (numba) -> columns
               -> ratios: counts per step of the ladder -> shrunk shares
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from base.errors import Refused
from base.progress import Bar, SilentBar
from features.as_raised import REGISTER, as_raised
from features.condition import columns_used
from features.definition import Feature, FeatureSet, Grouping
from features.shapes import RatioGroup
from features.slices import Asked, Ints, slices_in_runs
from features.sweep import Floats, Sweep, finite
from governance.reading import Records

CATEGORY = pa.dictionary(pa.int32(), pa.string())
NEEDS_VALUES = {"sum", "mean", "min", "max", "last", "distinct", "rank"}


def build_features(
    definitions: FeatureSet,
    clues: pa.Table,
    records: Records,
    *,
    threads: int,
    progress: Bar | None = None,
) -> pa.Table:
    """Compute every feature of every clue, strictly before its moment.

    `clues` has clue_id, raised_at (the moment), the columns the definitions use and, where they are
    asked about after their raising, clues.clue.RAISING; rows come back in its order as clue_id,
    moment, then the features: float64, or dictionary<string> for categories; null = missing.
    """
    bar = progress or SilentBar()
    groups = _by_grouping(definitions)
    ratios = definitions.declared.ratios
    bar.expect(len(groups) + len(ratios))
    columns: dict[str, pa.Array] = {}
    asked = _AskedOf(records, clues)
    for grouping, features in groups.items():
        columns |= _swept(grouping, features, asked.source(grouping.source), threads)
        bar.advance()
    for ratio in ratios:
        columns |= _ratios(ratio, definitions, asked.source(ratio.source), threads)
        bar.advance()
    columns |= {f.name: plain(f, clues) for f in definitions.features if f.grouping is None}
    return assembled(definitions, clues, columns)


class _AskedOf:
    """The clues as each source is asked about them: the register, as they were raised."""

    def __init__(self, records: Records, clues: pa.Table) -> None:
        self._moments = Asked(records, clues)
        raised = as_raised(clues)
        self._raisings = self._moments if raised is clues else Asked(records, raised)

    def source(self, name: str) -> Asked:
        return self._raisings if name == REGISTER else self._moments


def _by_grouping(definitions: FeatureSet) -> dict[Grouping, list[Feature]]:
    groups: dict[Grouping, list[Feature]] = defaultdict(list)
    for feature in definitions.features:
        if feature.grouping is not None and feature.ratio is None:
            groups[feature.grouping].append(feature)
    return dict(groups)


def _swept(
    grouping: Grouping, features: list[Feature], asked: Asked, threads: int
) -> dict[str, pa.Array]:
    """Each feature's values in the order of `clues`; large sources in runs of whole keys."""
    columns = [str(f.column) for f in features if f.kind in NEEDS_VALUES]
    parts: list[Ints] = []
    done: list[dict[str, pa.Array]] = []
    for part, asking, slices in slices_in_runs(asked, grouping, columns):
        parts.append(part)
        done.append(Sweep(slices, asking, threads).columns(features))
        del slices
    if len(done) == 1:
        return done[0]
    back = pa.array(np.argsort(np.concatenate(parts)))
    return {
        feature.name: pa.concat_arrays([each.pop(feature.name) for each in done]).take(back)
        for feature in features
    }


def _ratios(
    ratio: RatioGroup, definitions: FeatureSet, asked: Asked, threads: int
) -> dict[str, pa.Array]:
    """Shares shrunk from the root of the ladder upwards: p = (k + s * p_parent) / (n + s)."""
    features = [feature for feature in definitions.features if feature.ratio == ratio]
    hit = f"CASE WHEN {ratio.numerator} THEN 1 ELSE 0 END::BIGINT"
    used = sorted(columns_used(ratio.numerator) | columns_used(ratio.where))
    shares: dict[str, Floats] = {
        feature.name: np.full(asked.clues.num_rows, ratio.prior) for feature in features
    }
    for step in reversed(ratio.ladder):
        grouping = Grouping(ratio.source, tuple(step.items()), ratio.where)
        for part, asking, slices in slices_in_runs(asked, grouping, used, [hit]):
            sweep = Sweep(slices, asking, threads)
            for feature in features:
                count, hits = sweep.counts("c0", feature.window_days)
                share = shares[feature.name]
                share[part] = (hits + ratio.strength * share[part]) / (count + ratio.strength)
    return {name: pa.array(values) for name, values in shares.items()}


def plain(feature: Feature, clues: pa.Table) -> pa.Array:
    """A plain column or calendar feature, one value per clue: float64, or strings for a category.

    Raises Refused for a date or time, which is no number.
    """
    if feature.kind == "calendar":
        return _calendar_part(clues["raised_at"], str(feature.column))
    column = clues[str(feature.column)].combine_chunks()
    if feature.type == "category":
        return column.cast(pa.string())
    if pa.types.is_temporal(column.type):
        raise Refused(
            wanted=f"a number in {feature.column}",
            got=str(column.type),
            cure="give days or years in the supervision model's SELECT",
        )
    # Beyond 2^53 the nearest number; NaN and infinity mean nothing to a tree or to a reader.
    return finite(column, f"the clue's {feature.column}").cast(pa.float64(), safe=False)


def _calendar_part(moments: pa.ChunkedArray, part: str) -> pa.Array:
    parts = {
        "month": pc.month,
        "quarter": pc.quarter,
        "day_of_year": pc.day_of_year,
        "weekday": lambda times: pc.day_of_week(times, count_from_zero=False),
    }
    return parts[part](moments.combine_chunks()).cast(pa.float64())


def assembled(definitions: FeatureSet, clues: pa.Table, columns: dict[str, pa.Array]) -> pa.Table:
    """The feature table from one array per feature (float64 or strings), in the order of clues."""
    arrays, names = [clues["clue_id"], clues["raised_at"]], ["clue_id", "moment"]
    for feature in definitions.features:
        values = columns[feature.name]
        if feature.type == "category":
            values = values.cast(pa.string()).dictionary_encode().cast(CATEGORY)
        arrays.append(values)
        names.append(feature.name)
    return pa.table(arrays, names=names)
