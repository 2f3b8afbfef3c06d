"""Lineage: the governed records behind one value of one feature.

What is told is enough to compute the value again: an extreme needs one record, a sum all that have
a value, a count all that count, a share the counted ones and those in its numerator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from duckdb import DuckDBPyConnection

from base.errors import NotFound, nearest
from features.as_raised import moment_of
from features.definition import Feature, FeatureSet, Grouping
from governance.checks import quoted
from governance.reading import Records

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


@dataclass(frozen=True)
class Behind:
    """The records behind a value, as a query: record_no and hit, one row each, in no order.

    `shares`: the value is a share, whose numerator are the hits.
    """

    record_set: str
    select: str
    parameters: Mapping[str, Any]
    shares: bool = False


def records_behind(
    definitions: FeatureSet, name: str, clue: Mapping[str, Any], records: Records
) -> Lineage:
    """The records behind feature `name` of `clue` (its columns, with raised_at as the moment, and
    its raising beside it where that was another: clues.clue.clue_asked_at).

    Raises NotFound for an unknown feature.
    """
    feature = _known_feature(definitions, name)
    behind = behind_value(definitions, name, clue, records)
    if behind is None:
        return Lineage(feature.source, ())
    source = quoted(behind.record_set)
    query = f"""
        SELECT record_no, hit FROM ({behind.select}) JOIN {source} USING (record_no)
        ORDER BY happened_at, record_no
    """
    rows = _asked(records, query, behind.parameters).fetchall()
    hits = tuple(number for number, hit in rows if hit) if behind.shares else ()
    return Lineage(behind.record_set, tuple(number for number, _ in rows), hits)


def behind_value(
    definitions: FeatureSet, name: str, clue: Mapping[str, Any], records: Records
) -> Behind | None:
    """The same as a query, for who reads page by page; None where there are none to ask for:
    the value stands in the clue itself, or the clue has no key. Raises NotFound as above.
    """
    feature = _known_feature(definitions, name)
    if feature.grouping is None:
        return None
    if feature.ratio is not None:
        return _ratio_behind(feature, clue, records)
    return _counting(
        feature.grouping,
        feature.window_days,
        clue,
        valued=feature.column if feature.kind in OVER_VALUES else None,
        chosen=_chosen(feature),
    )


def _known_feature(definitions: FeatureSet, name: str) -> Feature:
    if name not in definitions.names:
        raise NotFound(wanted="a feature", got=repr(name), cure=nearest(name, definitions.names))
    return definitions.feature(name)


def _chosen(feature: Feature) -> str | None:
    """How records are ordered so that the first is the one an extreme stands for; None for all."""
    column = quoted(str(feature.column))
    return {
        "min": f"{column} ASC, {LATEST_ENTERED}",
        "max": f"{column} DESC, {LATEST_ENTERED}",
        "last": LATEST,
        "days_since_last": LATEST,
    }.get(feature.kind)


def _ratio_behind(feature: Feature, clue: Mapping[str, Any], records: Records) -> Behind | None:
    """Of the most specific step that has any record."""
    ratio = feature.ratio
    assert ratio is not None
    for step in ratio.ladder:
        grouping = Grouping(ratio.source, tuple(step.items()), ratio.where)
        found = _counting(grouping, feature.window_days, clue, ratio.numerator)
        if found is not None:
            any_row = f"SELECT 1 FROM ({found.select}) LIMIT 1"
            if _asked(records, any_row, found.parameters).fetchone():
                return replace(found, shares=True)
    return None


def _counting(
    grouping: Grouping,
    window_days: int | None,
    clue: Mapping[str, Any],
    numerator: str = "true",
    valued: str | None = None,
    chosen: str | None = None,
) -> Behind | None:
    """record_no and hit of the records that count at the clue's moment; None without the key.

    Only those with a value in the column `valued`; only the first in the order `chosen`.
    """
    if any(clue.get(ours) is None for ours, _ in grouping.key):
        return None
    conditions = [f"({grouping.where})"] if grouping.where else []
    parameters: dict[str, Any] = {"moment": moment_of(grouping, clue)}
    for at, (ours, theirs) in enumerate(grouping.key):
        conditions.append(f"{quoted(theirs)}::VARCHAR = $key{at}::VARCHAR")
        parameters[f"key{at}"] = clue[ours]
    if window_days is not None:
        conditions.append(f"happened_at >= $moment - INTERVAL {window_days} DAY")
    if valued is not None:
        conditions.append(f"{quoted(valued)} IS NOT NULL")
    select = f"""
        SELECT record_no, ({numerator}) IS TRUE AS hit FROM {quoted(grouping.source)}
        WHERE known_at < $moment AND happened_at < $moment
          AND (retracted_at IS NULL OR retracted_at >= $moment)
          {"".join(f" AND {condition}" for condition in conditions)}
        {f"ORDER BY {chosen} LIMIT 1" if chosen else ""}
    """
    return Behind(grouping.source, select, parameters)


def _asked(records: Records, query: str, parameters: Mapping[str, Any]) -> DuckDBPyConnection:
    return records.connection().cursor().execute(query, dict(parameters))
