"""Lineage: the governed records behind one value of one feature.

What is told is enough to compute the value again: an extreme needs one record, a sum all that have
a value, a count all that count, a share the counted ones and those in its numerator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from base.errors import NotFound, nearest
from features.definition import Feature, FeatureSet, Grouping
from governance.checks import quoted
from governance.reading import Records

NOTHING = pa.table({"record_no": pa.array([], pa.int64())})
ENTRY = "greatest(known_at, happened_at)"
LATEST = f"happened_at DESC, {ENTRY} DESC, record_no DESC"
# Of equal values the sweep keeps the one that could be used last.
LATEST_ENTERED = f"{ENTRY} DESC, happened_at DESC, record_no DESC"
OVER_VALUES = {"sum", "mean", "min", "max", "distinct", "rank"}


@dataclass(frozen=True)
class Lineage:
    """`record_nos` of `record_set` that the value was computed from, in order of happening.

    min, max, last and days_since_last have one record, or none; of equals it is the one the sweep
    chooses. sum, mean, distinct and rank have the records with a value, count and exists all that
    count. For a ratio these are the counted records of the ladder's most specific step that has
    any, and `hits` those in the numerator. A plain column or calendar feature has no record set:
    its value stands in the clue itself.
    """

    record_set: str | None
    record_nos: tuple[int, ...]
    hits: tuple[int, ...] = ()


def records_behind(
    definitions: FeatureSet, name: str, clue: Mapping[str, Any], records: Records
) -> Lineage:
    """The records behind feature `name` of `clue` (its columns, with raised_at as the moment).

    Raises NotFound for an unknown feature.
    """
    if name not in definitions.names:
        raise NotFound(wanted="a feature", got=repr(name), cure=nearest(name, definitions.names))
    feature = definitions.feature(name)
    if feature.grouping is None:
        return Lineage(None, ())
    if feature.ratio is not None:
        return _ratio_lineage(feature, clue, records)
    found = _counting(
        feature.grouping,
        feature.window_days,
        clue,
        records,
        valued=feature.column if feature.kind in OVER_VALUES else None,
        chosen=_chosen(feature),
    )
    return Lineage(feature.source, tuple(found["record_no"].to_pylist()))


def _chosen(feature: Feature) -> str | None:
    """How records are ordered so that the first is the one an extreme stands for; None for all."""
    column = quoted(str(feature.column))
    return {
        "min": f"{column} ASC, {LATEST_ENTERED}",
        "max": f"{column} DESC, {LATEST_ENTERED}",
        "last": LATEST,
        "days_since_last": LATEST,
    }.get(feature.kind)


def _ratio_lineage(feature: Feature, clue: Mapping[str, Any], records: Records) -> Lineage:
    ratio = feature.ratio
    assert ratio is not None
    for step in ratio.ladder:
        grouping = Grouping(ratio.source, tuple(step.items()), ratio.where)
        found = _counting(grouping, feature.window_days, clue, records, ratio.numerator)
        if found.num_rows:
            rows = found.to_pylist()
            every = tuple(row["record_no"] for row in rows)
            return Lineage(ratio.source, every, tuple(r["record_no"] for r in rows if r["hit"]))
    return Lineage(ratio.source, ())


def _counting(
    grouping: Grouping,
    window_days: int | None,
    clue: Mapping[str, Any],
    records: Records,
    numerator: str = "true",
    valued: str | None = None,
    chosen: str | None = None,
) -> pa.Table:
    """record_no and hit of the records that count at the clue's moment.

    Only those with a value in the column `valued`; only the first in the order `chosen`.
    """
    if any(clue.get(ours) is None for ours, _ in grouping.key):
        return NOTHING
    conditions = [f"({grouping.where})"] if grouping.where else []
    parameters: dict[str, Any] = {"moment": clue["raised_at"]}
    for at, (ours, theirs) in enumerate(grouping.key):
        conditions.append(f"{quoted(theirs)}::VARCHAR = $key{at}::VARCHAR")
        parameters[f"key{at}"] = clue[ours]
    if window_days is not None:
        conditions.append(f"happened_at >= $moment - INTERVAL {window_days} DAY")
    if valued is not None:
        conditions.append(f"{quoted(valued)} IS NOT NULL")
    query = f"""
        SELECT record_no, ({numerator}) IS TRUE AS hit FROM {quoted(grouping.source)}
        WHERE known_at < $moment AND happened_at < $moment
          AND (retracted_at IS NULL OR retracted_at >= $moment)
          {"".join(f" AND {condition}" for condition in conditions)}
        ORDER BY {chosen or "happened_at, record_no"} {"LIMIT 1" if chosen else ""}
    """
    return records.connection().cursor().sql(query, params=parameters).to_arrow_table()
