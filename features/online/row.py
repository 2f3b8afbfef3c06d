"""One clue's features from plain values, no table on the way: for a request that cannot wait.

What it gives is what `build_features` gives for the same clue; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from operator import itemgetter
from typing import Any

import pyarrow as pa

from base.moment import to_micros
from features.definition import Feature, FeatureSet
from features.online.answer import Value
from features.online.store import View, online_values

Clue = Mapping[str, Any]
Reading = Callable[[Any], Value]
NUMBERS = ("integer", "number", "boolean")
WORDS: dict[str, Reading] = {
    "string": str,
    "integer": str,
    "boolean": lambda value: "true" if value else "false",
    "date": date.isoformat,
}
PARTS: dict[str, Callable[[datetime], float]] = {
    "month": lambda moment: float(moment.month),
    "quarter": lambda moment: float((moment.month + 2) // 3),
    "day_of_year": lambda moment: float(moment.timetuple().tm_yday),
    "weekday": lambda moment: float(moment.isoweekday()),
}


class RowMaker:
    """Values of every feature of one clue, in the order of the definitions; None = missing.

    `types`: clue column -> declared type. `able` is False where a plain column has a kind of value
    that only the table's engine spells; then only the table will do.
    """

    def __init__(self, definitions: FeatureSet, types: Mapping[str, str]) -> None:
        self.definitions = definitions
        self.able = True
        self._looked_up: list[tuple[int, str]] = []
        self._read: list[tuple[int, Reading]] = []
        columns = []
        for at, feature in enumerate(definitions.features):
            columns.append("raised_at")
            if feature.grouping is not None:
                self._looked_up.append((at, feature.name))
            elif feature.kind == "calendar":
                self._read.append((at, PARTS[str(feature.column)]))
            else:
                columns[at] = str(feature.column)
                self._plain(at, feature, types[columns[at]])
        self.needs_store = bool(self._looked_up)
        # One call takes all columns; a second name keeps the answer a tuple where there is one.
        self._columns = itemgetter(*columns, "raised_at")

    def _plain(self, at: int, feature: Feature, kind: str) -> None:
        if feature.type == "category" and kind in WORDS:
            self._read.append((at, WORDS[kind]))
        elif feature.type == "category" or kind not in NUMBERS:
            self.able = False

    def values(self, clue: Clue, view: View | None) -> list[Value]:
        """`clue` holds every column as the clue table would; `view` unless nothing is looked up.

        A whole number stays one: it is the same value.
        """
        row = list(self._columns(clue))
        moment: datetime = row.pop()
        for at, read in self._read:
            if row[at] is not None:
                row[at] = read(row[at])
        if self.needs_store:
            assert view is not None
            found = online_values(self.definitions, dict(clue), to_micros(moment), view)
            for at, name in self._looked_up:
                row[at] = found[name]
        return row


def table_of(definitions: FeatureSet, rows: Sequence[Sequence[Value]]) -> pa.Table:
    """Rows that a RowMaker made, as a table with a column per feature."""
    columns = {}
    for at, feature in enumerate(definitions.features):
        values = [row[at] for row in rows]
        if feature.type == "category":
            columns[feature.name] = pa.array(values, pa.string())
        else:
            told = [None if value is None else float(value) for value in values]
            columns[feature.name] = pa.array(told, pa.float64())
    return pa.table(columns)
