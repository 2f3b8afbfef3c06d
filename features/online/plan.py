"""What the online store keeps of each grouping: the columns its features and ratios need."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from base.errors import Refused
from features.definition import Feature, FeatureSet, Grouping
from features.shapes import RatioGroup
from governance.checks import quoted

NUMERIC = {"sum", "mean", "min", "max", "rank"}


@dataclass(frozen=True)
class Kept:
    """One grouping, asked over `windows` (days; None = all), and the columns kept for it.

    `numbers` are kept as values, `codes` as numbers into a codebook; `summed` and `ranked` are
    some of the numbers, `distinct` some of the codes; `hits` are numerators, kept as 0 or 1.
    """

    grouping: Grouping
    numbers: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()
    ranked: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    distinct: tuple[str, ...] = ()
    hits: tuple[str, ...] = ()
    windows: tuple[int | None, ...] = ()

    @property
    def name(self) -> str:
        """Short, and the same wherever the same is kept."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of the value arrays: the numbers, then the hits."""
        return (*self.numbers, *(hit_name(self, hit) for hit in self.hits))


def hit_name(kept: Kept, numerator: str) -> str:
    """The array of a numerator; a column's name never holds a space."""
    return f"hit {kept.hits.index(numerator)}"


def kept_groupings(definitions: FeatureSet) -> dict[Grouping, Kept]:
    """Everything that has to be kept for `definitions`."""
    features: dict[Grouping, list[Feature]] = defaultdict(list)
    hits: dict[Grouping, list[str]] = defaultdict(list)
    for feature in definitions.features:
        if feature.ratio is not None:
            for grouping in steps_of(feature.ratio):
                features[grouping].append(feature)
                hits[grouping].append(feature.ratio.numerator)
        elif feature.grouping is not None:
            features[feature.grouping].append(feature)
    return {
        grouping: _kept(grouping, asking, hits[grouping]) for grouping, asking in features.items()
    }


def steps_of(ratio: RatioGroup) -> tuple[Grouping, ...]:
    """The groupings of a ladder, the most specific first."""
    return tuple(Grouping(ratio.source, tuple(step.items()), ratio.where) for step in ratio.ladder)


def _kept(grouping: Grouping, features: list[Feature], hits: list[str]) -> Kept:
    def columns(wanted: set[str], kind: str | None = None) -> tuple[str, ...]:
        found = {str(f.column) for f in features if f.kind in wanted and kind in (None, f.type)}
        return tuple(sorted(found))

    return Kept(
        grouping,
        numbers=tuple(sorted({*columns(NUMERIC), *columns({"last"}, "numeric")})),
        summed=columns({"sum", "mean"}),
        ranked=columns({"rank"}),
        codes=tuple(sorted({*columns({"distinct"}), *columns({"last"}, "category")})),
        distinct=columns({"distinct"}),
        hits=tuple(sorted(set(hits))),
        windows=tuple(dict.fromkeys(feature.window_days for feature in features)),
    )


def key_sql(grouping: Grouping) -> str:
    """A record's key as one text, NULL where any part is; parts are told apart by their length."""
    parts = [f"{quoted(theirs)}::VARCHAR" for _, theirs in grouping.key]
    if not parts:
        return "''"
    if len(parts) == 1:
        return parts[0]
    return " || ".join(f"length({part}) || ':' || {part}" for part in parts)


def key_text(grouping: Grouping, clue: Mapping[str, Any]) -> str | None:
    """The same of a clue; None where any part is missing."""
    parts = []
    for ours, _ in grouping.key:
        value = clue[ours]
        if value is None:
            return None
        parts.append(_text(ours, value))
    if len(parts) < 2:
        return "".join(parts)
    return "".join(f"{len(part)}:{part}" for part in parts)


def _text(name: str, value: Any) -> str:
    """As the engine writes it. Raises Refused for kinds of values that have several spellings."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or (isinstance(value, date) and not isinstance(value, datetime)):
        return str(value)
    raise Refused(
        wanted=f"text, a whole number or a date in {name}, a key",
        got=type(value).__name__,
        cure="make the key column a string in the supervision model's SELECT",
    )
