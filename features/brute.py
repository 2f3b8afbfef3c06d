"""The oracle: every feature by plain loops straight from its definition. Slow on purpose.

Nothing is shared with the sweep but the definitions. Tests demand equality, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from features.definition import Feature, FeatureSet, Grouping
from governance.reading import Records

Row = Mapping[str, Any]
Value = float | str | None


def brute_features(
    definitions: FeatureSet, clues: pa.Table, records: Records
) -> dict[str, list[Value]]:
    """Feature -> one value per clue, in the order of `clues`."""
    return {
        feature.name: [_value(feature, clue, records) for clue in clues.to_pylist()]
        for feature in definitions.features
    }


def active_records(
    grouping: Grouping, window_days: int | None, clue: Row, records: Records, carried: str = "0"
) -> list[Row] | None:
    """Records of the grouping that count at the clue's moment; None where its key is missing.

    `carried` is a SQL expression, given as `carried` in every row. Ordered by when a record
    happened; of equals, by when it could be used, then by its number.
    """
    if any(clue[ours] is None for ours, _ in grouping.key):
        return None
    where = f"WHERE ({grouping.where})" if grouping.where else ""
    query = f'SELECT *, ({carried}) AS carried FROM "{grouping.source}" {where}'
    rows = records.connection().sql(query).to_arrow_table().to_pylist()
    moment: datetime = clue["raised_at"]
    kept = [
        row
        for row in rows
        if all(_text(row[theirs]) == _text(clue[ours]) for ours, theirs in grouping.key)
        and row["known_at"] < moment
        and row["happened_at"] < moment
        and (row["retracted_at"] is None or row["retracted_at"] >= moment)
        and (window_days is None or row["happened_at"] >= moment - timedelta(days=window_days))
    ]
    return sorted(kept, key=_order)


def _order(row: Row) -> tuple[datetime, datetime, int]:
    return row["happened_at"], max(row["known_at"], row["happened_at"]), row["record_no"]


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _value(feature: Feature, clue: Row, records: Records) -> Value:
    if feature.kind == "column":
        value = clue[str(feature.column)]
        return value if value is None or feature.type == "category" else float(value)
    if feature.kind == "calendar":
        return float(_part(clue["raised_at"], str(feature.column)))
    if feature.kind == "ratio":
        return _ratio(feature, clue, records)
    assert feature.grouping is not None
    rows = active_records(feature.grouping, feature.window_days, clue, records)
    return None if rows is None else AGGREGATES[feature.kind](feature, clue, rows)


def _part(moment: datetime, part: str) -> int:
    return {
        "month": moment.month,
        "weekday": moment.isoweekday(),
        "quarter": (moment.month - 1) // 3 + 1,
        "day_of_year": moment.timetuple().tm_yday,
    }[part]


def _ratio(feature: Feature, clue: Row, records: Records) -> float:
    """Shrunk from the last step of the ladder upwards: (k + s * parent) / (n + s)."""
    declared = feature.ratio
    assert declared is not None
    share = declared.prior
    for step in reversed(declared.ladder):
        grouping = Grouping(declared.source, tuple(step.items()), declared.where)
        rows = active_records(grouping, feature.window_days, clue, records, declared.numerator)
        hits = sum(1 for row in rows or [] if row["carried"])
        share = (hits + declared.strength * share) / (len(rows or []) + declared.strength)
    return share


def _values(feature: Feature, rows: list[Row]) -> list[Any]:
    """The column's values, those that are there."""
    found = [row[str(feature.column)] for row in rows]
    return [value for value in found if value is not None]


def _mean(feature: Feature, _: Row, rows: list[Row]) -> Value:
    values = _values(feature, rows)
    return sum(values) / len(values) if values else None


def _extreme(choose: Callable[[list[Any]], Any]) -> Callable[[Feature, Row, list[Row]], Value]:
    def extreme(feature: Feature, _: Row, rows: list[Row]) -> Value:
        values = _values(feature, rows)
        return float(choose(values)) if values else None

    return extreme


def _last(feature: Feature, _: Row, rows: list[Row]) -> Value:
    if not rows:
        return None
    value = rows[-1][str(feature.column)]
    return value if value is None or feature.type == "category" else float(value)


def _days_since_last(_: Feature, clue: Row, rows: list[Row]) -> Value:
    return float((clue["raised_at"] - rows[-1]["happened_at"]).days) if rows else None


def _rank(feature: Feature, clue: Row, rows: list[Row]) -> Value:
    own, values = clue[str(feature.of)], _values(feature, rows)
    if own is None or not values:
        return None
    return sum(1 for value in values if value < own) / len(values)


AGGREGATES: dict[str, Callable[[Feature, Row, list[Row]], Value]] = {
    "count": lambda _, __, rows: float(len(rows)),
    "exists": lambda _, __, rows: float(bool(rows)),
    "sum": lambda feature, _, rows: float(sum(_values(feature, rows))),
    "mean": _mean,
    "min": _extreme(min),
    "max": _extreme(max),
    "last": _last,
    "days_since_last": _days_since_last,
    "distinct": lambda feature, _, rows: float(len(set(_values(feature, rows)))),
    "rank": _rank,
}
