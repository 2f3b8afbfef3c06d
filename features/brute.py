"""The oracle: every feature by plain loops straight from its definition. Slow on purpose.

Nothing is shared with the sweep but the definitions. Tests demand equality, bit for bit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from clues.clue import RAISING
from features.definition import Feature, FeatureSet, Grouping
from governance.checks import quoted
from governance.reading import Records

Row = Mapping[str, Any]
Value = float | str | None
Key = tuple[str | None, ...]


def brute_features(
    definitions: FeatureSet, clues: pa.Table, records: Records
) -> dict[str, list[Value]]:
    """Feature -> one value per clue, in the order of `clues`."""
    past = Past(clues, records)
    return {
        feature.name: [_value(feature, clue, row, past) for row, clue in enumerate(past.clues)]
        for feature in definitions.features
    }


class Past:
    """What lies behind some clues: for each grouping the records of their keys, fetched once."""

    def __init__(self, clues: pa.Table, records: Records) -> None:
        self.clues: list[Row] = clues.to_pylist()
        self._table, self._records = clues, records
        self._fetched: dict[tuple[Grouping, str], tuple[list[Key], dict[Key, list[Row]]]] = {}
        self._active: dict[tuple[Grouping, str, int | None, int], list[Row] | None] = {}

    def active(
        self, grouping: Grouping, window_days: int | None, row: int, carried: str = "0"
    ) -> list[Row] | None:
        """Records that count at the moment of the clue in `row`; None where its key is missing.

        `carried` is a SQL expression, given as `carried` in every record. They come in the order
        they happened; of equals, by when they could be used, then by their number.
        """
        asked = (grouping, carried, window_days, row)
        if asked not in self._active:
            keys, behind = self._by_key(grouping, carried)
            rows = None if None in keys[row] else behind.get(keys[row], [])
            moment = looking(self.clues[row], grouping.source)
            self._active[asked] = rows and [r for r in rows if counts(r, moment, window_days)]
        return self._active[asked]

    def _by_key(self, grouping: Grouping, carried: str) -> tuple[list[Key], dict[Key, list[Row]]]:
        """Each clue's key, and the records of every such key in order. Keys are texts."""
        if (grouping, carried) not in self._fetched:
            connection = self._records.connection().cursor()
            connection.register("asking", self._table)
            ours, theirs = (
                "[" + ", ".join(f"{quoted(pair[side])}::VARCHAR" for pair in grouping.key) + "]"
                for side in (0, 1)
            )
            keys = connection.sql(f"SELECT {ours} FROM asking").fetchall()
            found = connection.sql(f"""
                SELECT *, ({carried}) AS carried, {theirs} AS key_text
                FROM {quoted(grouping.source)} WHERE ({grouping.where or "true"})
                 AND key_text IN (SELECT {ours} FROM asking)
            """)
            behind: dict[Key, list[Row]] = defaultdict(list)
            for record in sorted(found.to_arrow_table().to_pylist(), key=in_order):
                behind[tuple(record["key_text"])].append(record)
            self._fetched[grouping, carried] = [tuple(key) for (key,) in keys], behind
        return self._fetched[grouping, carried]


def looking(clue: Row, source: str | None) -> datetime:
    """When a clue looks at a source: other clues are those known when it was raised itself."""
    moment: datetime = clue["raised_at"]
    if source == "clues" and clue.get(RAISING) is not None and clue[RAISING] < moment:
        raised: datetime = clue[RAISING]
        return raised
    return moment


def counts(record: Row, moment: datetime, window_days: int | None) -> bool:
    """The rule: known before, happened before and within the window, not retracted before."""
    return bool(
        record["known_at"] < moment
        and record["happened_at"] < moment
        and (record["retracted_at"] is None or record["retracted_at"] >= moment)
        and (window_days is None or record["happened_at"] >= moment - timedelta(days=window_days))
    )


def in_order(record: Row) -> tuple[datetime, datetime, int]:
    """When it happened; of equals, when it could be used, then its number."""
    happened, known = record["happened_at"], record["known_at"]
    return happened, max(known, happened), record["record_no"]


def _value(feature: Feature, clue: Row, row: int, past: Past) -> Value:
    if feature.kind == "column":
        return _told(clue[str(feature.column)], feature)
    if feature.kind == "calendar":
        return float(_part(clue["raised_at"], str(feature.column)))
    if feature.kind == "ratio":
        return _ratio(feature, row, past)
    assert feature.grouping is not None
    rows = past.active(feature.grouping, feature.window_days, row)
    return None if rows is None else AGGREGATES[feature.kind](feature, clue, rows)


def _told(value: Any, feature: Feature) -> Value:
    """A category is a text (true, 3, 2024-01-31), all else the nearest float64."""
    if value is None:
        return None
    if feature.type == "category":
        return str(value).lower() if isinstance(value, bool) else str(value)
    return float(value)


def _part(moment: datetime, part: str) -> int:
    return {
        "month": moment.month,
        "weekday": moment.isoweekday(),
        "quarter": (moment.month - 1) // 3 + 1,
        "day_of_year": moment.timetuple().tm_yday,
    }[part]


def _ratio(feature: Feature, row: int, past: Past) -> float:
    """Shrunk from the last step of the ladder upwards: (k + s * parent) / (n + s)."""
    declared = feature.ratio
    assert declared is not None
    share = declared.prior
    for step in reversed(declared.ladder):
        grouping = Grouping(declared.source, tuple(step.items()), declared.where)
        rows = past.active(grouping, feature.window_days, row, declared.numerator) or []
        hits = sum(1 for record in rows if record["carried"])
        share = (hits + declared.strength * share) / (len(rows) + declared.strength)
    return share


def _values(feature: Feature, rows: list[Row]) -> list[Any]:
    """The column's values, those that are there."""
    found = [row[str(feature.column)] for row in rows]
    return [value for value in found if value is not None]


def _mean(feature: Feature, _: Row, rows: list[Row]) -> Value:
    values = _values(feature, rows)
    return float(sum(values)) / len(values) if values else None


def _extreme(choose: Callable[[list[Any]], Any]) -> Callable[[Feature, Row, list[Row]], Value]:
    def extreme(feature: Feature, _: Row, rows: list[Row]) -> Value:
        values = _values(feature, rows)
        return float(choose(values)) if values else None

    return extreme


def _last(feature: Feature, _: Row, rows: list[Row]) -> Value:
    return _told(rows[-1][str(feature.column)], feature) if rows else None


def _days_since_last(feature: Feature, clue: Row, rows: list[Row]) -> Value:
    if not rows:
        return None
    return float((looking(clue, feature.source) - rows[-1]["happened_at"]).days)


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
