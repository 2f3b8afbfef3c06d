"""Feature definitions: declared once in YAML, frozen, and known by their hash.

`load_features` turns a `features.yaml` into a `FeatureSet`: one `Feature` per column of the
feature table, in the file's order. Whatever names something that does not exist is refused, all
faults together, with the nearest name that does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from base.bilingual import Bilingual, Language
from base.declared import declared_faults, load_declared
from base.errors import Fault, Refused, nearest
from features.condition import condition_faults
from features.shapes import (
    ColumnFeature,
    FeatureFile,
    HistoryFeature,
    HistoryGroup,
    RatioGroup,
    ReasonGroup,
    Show,
    ValueType,
    Window,
)

Types = Mapping[str, str]
LANGUAGES: tuple[Language, ...] = get_args(Language)
# Types whose values may be equal; a whole number and a text are compared as text.
ALIKE = (
    {"integer", "number"},
    {"date", "timestamp"},
    {"integer", "string"},
    {"date", "string"},
)
# Words for readers: an edit of them asks for no new training.
WORDS_ONLY: dict[str, Any] = {
    "groups": True,
    "columns": {"__all__": {"title", "values", "to_check"}},
    "history": {"__all__": {"title": True, "to_check": True, "features": {"__all__": {"values"}}}},
    "ratios": {"__all__": {"title"}},
}
DEFAULT_SHOW: dict[str, Show] = {"days_since_last": "days", "rank": "share"}


@dataclass(frozen=True)
class Grouping:
    """Records that are looked at together: one source, one key, one filter."""

    source: str
    key: tuple[tuple[str, str], ...]
    where: str | None = None


@dataclass(frozen=True)
class Feature:
    """One column of the feature table, and the sentence a reviewer reads for it."""

    name: str
    kind: str
    type: ValueType
    show: Show
    sentence: Bilingual
    column: str | None = None
    window_days: int | None = None
    grouping: Grouping | None = None
    of: str | None = None
    ratio: RatioGroup | None = None
    # The group of `groups` a reviewer reads it in, if any.
    told_in: ReasonGroup | None = None
    # What it is of, for where nothing is known, and the titles of a category's codes.
    title: Bilingual | None = None
    values: Mapping[str, Bilingual] = field(default_factory=dict, hash=False)
    # Whether a reviewer could look it up.
    to_check: bool = True

    @property
    def source(self) -> str | None:
        return self.grouping.source if self.grouping else None


@dataclass(frozen=True)
class FeatureSet:
    """All features, in order. `fingerprint` (sha256 hex) is their identity."""

    features: tuple[Feature, ...]
    declared: FeatureFile

    @cached_property
    def fingerprint(self) -> str:
        canonical = json.dumps(
            self.declared.model_dump(mode="json", exclude=WORDS_ONLY),
            sort_keys=True,
            ensure_ascii=False,
        )
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    def feature(self, name: str) -> Feature:
        return next(feature for feature in self.features if feature.name == name)


def load_features(
    given: Path | Mapping[str, Any],
    *,
    sources: Mapping[str, Types],
    clue_columns: Types,
    titles: Mapping[str, Bilingual] | None = None,
) -> FeatureSet:
    """Read and check definitions.

    `sources` maps record set -> column -> type, `clue_columns` the clue's columns -> type (types
    are those of contracts), `titles` the clue's columns -> title. Raises Refused with every fault.
    Sentences are what reviewers read, so those of a file must tell its features apart; definitions
    made in code may repeat themselves.
    """
    where = given.name if isinstance(given, Path) else "features"
    declared = _declared(given, where)
    checker = _Checker(sources, clue_columns, where)
    faults = checker.check(declared)
    if isinstance(given, Path) and not faults:
        faults = _sentence_faults(_expanded(declared), where)
    if faults:
        raise Refused.gather(faults)
    return FeatureSet(features=tuple(_expanded(declared, titles)), declared=declared)


def _declared(given: Path | Mapping[str, Any], where: str) -> FeatureFile:
    if isinstance(given, Path):
        return load_declared(given, FeatureFile)
    try:
        return FeatureFile.model_validate(given)
    except ValidationError as error:
        raise Refused.gather(declared_faults(error, FeatureFile, where)) from None


def _expanded(
    declared: FeatureFile, titles: Mapping[str, Bilingual] | None = None
) -> list[Feature]:
    told_in = {member: group for group in declared.groups for member in group.of}
    plain = [_plain(each, titles or {}) for each in declared.columns]
    calendar = [
        Feature(f.name, "calendar", "numeric", f.show, f.sentence, f.part)
        for f in declared.calendar
    ]
    history = [
        replace(_history(group, feature, window), told_in=told_in.get(group.group))
        for group in declared.history
        for feature in group.features
        for window in _windows(group, feature)
    ]
    ratios = [
        replace(_ratio(group, window), told_in=told_in.get(group.group))
        for group in declared.ratios
        for window in group.windows
    ]
    single = [replace(each, told_in=told_in.get(each.name)) for each in (*plain, *calendar)]
    return [*single, *history, *ratios]


def _plain(column: ColumnFeature, titles: Mapping[str, Bilingual]) -> Feature:
    return Feature(
        name=column.name,
        kind="column",
        type=column.type,
        show=column.show,
        sentence=column.sentence,
        column=column.column,
        title=column.title or titles.get(column.column),
        values=column.values,
        to_check=column.to_check,
    )


def _windows(group: HistoryGroup, feature: HistoryFeature) -> tuple[Window, ...]:
    if feature.windows is not None:
        return feature.windows
    return ("all",) if feature.kind == "days_since_last" else group.windows


def _history(group: HistoryGroup, feature: HistoryFeature, window: Window) -> Feature:
    parts = [feature.kind, *([feature.column] if feature.column else [])]
    show = feature.show or DEFAULT_SHOW.get(feature.kind)
    return Feature(
        name=f"{group.group}__{'_'.join(parts)}_{window_word(window)}",
        kind=feature.kind,
        type=feature.type,
        show=show or ("text" if feature.type == "category" else "number"),
        sentence=feature.sentence,
        column=feature.column,
        window_days=None if window == "all" else window,
        grouping=Grouping(group.source, tuple(group.key.items()), group.where),
        of=feature.of,
        title=group.title,
        values=feature.values,
        to_check=group.to_check,
    )


def _ratio(group: RatioGroup, window: Window) -> Feature:
    return Feature(
        name=f"{group.group}__ratio_{window_word(window)}",
        kind="ratio",
        type="numeric",
        show="share",
        sentence=group.sentence,
        window_days=None if window == "all" else window,
        grouping=Grouping(group.source, tuple(group.ladder[0].items()), group.where),
        ratio=group,
        title=group.title,
    )


def window_word(window: Window) -> str:
    """How a window stands in a feature's name."""
    return "all" if window == "all" else f"{window}d"


class _Checker:
    """Finds every name in a file that does not exist, and every aggregate that could not be."""

    def __init__(self, sources: Mapping[str, Types], clue_columns: Types, where: str) -> None:
        self.sources, self.clue, self.where = sources, clue_columns, where

    def check(self, declared: FeatureFile) -> list[Fault]:
        faults: list[Fault] = []
        for plain in declared.columns:
            faults += self._known(plain.column, self.clue, "a column of the clue", plain.name)
            if plain.type == "numeric":
                faults += self._number(plain.column, plain.name, "write type: category")
        for group in declared.history:
            faults += self._history(group)
        for ratio in declared.ratios:
            faults += self._ratio(ratio)
        return faults + self._twice(declared) + self._told_groups(declared)

    def _history(self, group: HistoryGroup) -> list[Fault]:
        place = group.group
        if group.source not in self.sources:
            return self._known(group.source, self.sources, "a record set", place)
        columns = self.sources[group.source]
        faults = self._key(group.key, group.source, place)
        for feature in group.features:
            faults += self._windowed(_windows(group, feature), f"{place}: {feature.kind}")
        faults += self._condition(group.where, group.source, place)
        for feature in group.features:
            if feature.column is not None:
                wanted = f"a column of {group.source}"
                faults += self._known(feature.column, columns, wanted, place)
                faults += self._summable(feature, columns, place)
            if feature.of is not None:
                faults += self._known(feature.of, self.clue, "a column of the clue", place)
                faults += self._number(feature.of, place, "name a number of the clue in `of`")
        return faults

    def _ratio(self, ratio: RatioGroup) -> list[Fault]:
        if ratio.source not in self.sources:
            return self._known(ratio.source, self.sources, "a record set", ratio.group)
        faults = self._windowed(ratio.windows, ratio.group)
        faults += self._condition(ratio.where, ratio.source, ratio.group)
        faults += self._condition(ratio.numerator, ratio.source, ratio.group)
        for step in ratio.ladder:
            faults += self._key(step, ratio.source, ratio.group)
        return faults

    def _windowed(self, windows: tuple[Window, ...], place: str) -> list[Fault]:
        if windows:
            return []
        return [Fault("a window", "none", "write windows: [all]", f"{self.where}: {place}")]

    def _condition(self, condition: str | None, source: str, place: str) -> list[Fault]:
        others = {name: types for name, types in self.sources.items() if name != source}
        if source != "clues":
            others["the clue"] = self.clue
        return condition_faults(
            condition,
            self.sources[source],
            f"{self.where}: {place}",
            source=source,
            others=others,
        )

    def _key(self, key: Mapping[str, str], source: str, place: str) -> list[Fault]:
        faults = []
        for ours, theirs in key.items():
            faults += self._known(ours, self.clue, "a column of the clue (key)", place)
            wanted = f"a column of {source} (key)"
            faults += self._known(theirs, self.sources[source], wanted, place)
            faults += self._comparable(ours, theirs, source, place)
        return faults

    def _comparable(self, ours: str, theirs: str, source: str, place: str) -> list[Fault]:
        """Values that are never equal would count nothing, without a word."""
        one, other = self.clue.get(ours), self.sources[source].get(theirs)
        if one is None or other is None or one == other or {one, other} in ALIKE:
            return []
        got = f"{ours} ({one}) of the clue and {theirs} ({other}) of {source}"
        cure = "give both the same type, in the contract or in clue_columns"
        return [Fault("a key of one type on both sides", got, cure, f"{self.where}: {place}")]

    def _number(self, column: str, place: str, cure: str) -> list[Fault]:
        kind = self.clue.get(column, "number")
        if kind in ("integer", "number", "boolean"):
            return []
        if kind in ("date", "timestamp"):
            cure = "give days or years in the supervision model's SELECT"
        got = f"{column} ({kind})"
        return [Fault("a number of the clue", got, cure, f"{self.where}: {place}")]

    def _known(self, name: str, known: Mapping[str, Any], wanted: str, place: str) -> list[Fault]:
        if name in known:
            return []
        return [Fault(wanted, repr(name), nearest(name, known), f"{self.where}: {place}")]

    def _summable(self, feature: HistoryFeature, columns: Types, place: str) -> list[Fault]:
        kind = columns.get(str(feature.column), "integer")
        where = f"{self.where}: {place}"
        if feature.kind in ("sum", "mean") and kind != "integer":
            cure = "declare the column in whole units (cents), so that sums are exact in any order"
            return [Fault("an integer column to add up", f"{feature.column} ({kind})", cure, where)]
        numeric = kind in ("integer", "number")
        if feature.kind in ("min", "max", "rank") and not numeric:
            cure = "use last or distinct, or a number"
            return [Fault("a number to compare", f"{feature.column} ({kind})", cure, where)]
        if feature.kind == "last" and feature.type == "numeric" and not numeric:
            cure = "write type: category"
            return [Fault("a number", f"{feature.column} ({kind})", cure, where)]
        if feature.type == "category" and kind in ("number", "timestamp"):
            wanted = "a column whose values are written alike everywhere, for a category"
            cure = "use a string, integer, boolean or date column, or type: numeric"
            return [Fault(wanted, f"{feature.column} ({kind})", cure, where)]
        return []

    def _twice(self, declared: FeatureFile) -> list[Fault]:
        names = [feature.name for feature in _expanded(declared)]
        twice = sorted({name for name in names if names.count(name) > 1})
        cure = "rename the group, or leave one out"
        return [Fault("each feature once", f"{name} twice", cure, self.where) for name in twice]

    def _told_groups(self, declared: FeatureFile) -> list[Fault]:
        """Groups that reviewers read: each member there, and in one group only."""
        members = [each.name for each in declared.columns]
        members += [each.name for each in declared.calendar]
        members += [group.group for group in declared.history]
        members += [group.group for group in declared.ratios]
        named = [(member, group.name) for group in declared.groups for member in group.of]
        faults: list[Fault] = []
        for member, group in named:
            wanted = "a group of history or ratios, or a plain or calendar feature"
            faults += self._known(member, dict.fromkeys(members), wanted, f"groups: {group}")
        of = [member for member, _ in named]
        titled = [group.name for group in declared.groups]
        for words in (of, titled):
            twice = sorted({word for word in words if words.count(word) > 1})
            cure = "name it once"
            faults += [
                Fault("each once", f"{x} twice", cure, f"{self.where}: groups") for x in twice
            ]
        return faults


def _sentence_faults(features: list[Feature], where: str) -> list[Fault]:
    """A reviewer must be able to tell two features apart by what he reads.

    Sentences of a file must be there in both languages, hold nothing to fill in but {value} and
    {window}, and differ once the window is filled in.
    """
    faults, first = [], dict[tuple[Language, str], str]()
    for feature in features:
        place = f"{where}: {feature.name}"
        for language in LANGUAGES:
            told = feature.sentence.in_language(language)
            read = told.replace("{window}", window_word(feature.window_days or "all")).strip()
            if not read:
                cure = f"write what the value means, with {{value}} where it belongs ({language})"
                faults.append(Fault(f"a sentence ({language})", repr(told), cure, place))
            elif "{" in read.replace("{value}", "") or "}" in read.replace("{value}", ""):
                cure = "{value} and {window} are all that is filled in"
                faults.append(Fault(f"a sentence ({language})", repr(told), cure, place))
            elif (other := first.setdefault((language, read), feature.name)) != feature.name:
                wanted = f"a sentence of its own ({language})"
                cure = "say what tells the two apart; {window} names the window"
                faults.append(Fault(wanted, f"{told!r}, as of {other}", cure, place))
    return faults
