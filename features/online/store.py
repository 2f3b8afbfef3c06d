"""The online store: every feature of a clue now, equal to the batch engine's, bit for bit.

OnlineStore.features -> catch up where a record set has a newer version -> one view for the call
                     -> per clue and grouping: the key's records (answer.py) -> the feature table

Readers map the files of one generation and keep them for a whole call; a writer adds files and
replaces the manifest. Any number of processes may read while one writes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from base.moment import to_micros
from base.progress import Bar
from clues.clue import RAISING
from features.as_raised import REGISTER
from features.definition import Feature, FeatureSet, Grouping
from features.online.answer import Answer, History, Value
from features.online.arrivals import arrivals_of, is_behind, sources_of
from features.online.catching_up import catch_up, read_codebook
from features.online.manifest import NAME, Manifest, only_writer, read_manifest
from features.online.plan import Kept, kept_groupings, steps_of
from features.online.segment import Segment
from features.slices import micros
from features.table import assembled, plain
from governance.engine import connect
from governance.home import Home

TRIES = 20


@dataclass(frozen=True)
class View:
    """One generation, mapped."""

    manifest: Manifest
    histories: Mapping[Grouping, History]

    @property
    def versions(self) -> dict[str, int]:
        """The version of each record set taken in."""
        return {name: note.version for name, note in self.manifest.sources.items()}


class StoreReader:
    """Maps a store's files, and maps anew only what a later generation changed."""

    def __init__(self, folder: Path, definitions: FeatureSet) -> None:
        self.folder, self.definitions = folder, definitions
        self._kept = kept_groupings(definitions)
        self._stamp: tuple[int, int] | None = None
        self._view = View(Manifest(), self._histories(Manifest(), {}))
        self._lock = threading.Lock()

    def view(self) -> View:
        """The newest generation."""
        stamp = _stamp(self.folder / NAME)
        if stamp == self._stamp:
            return self._view
        with self._lock:
            for attempt in range(TRIES):
                try:
                    stamp = _stamp(self.folder / NAME)
                    manifest = read_manifest(self.folder)
                    self._view = View(manifest, self._histories(manifest, self._opened()))
                    self._stamp = stamp
                    break
                except FileNotFoundError:
                    # A writer went on while the files of its last generation were being opened.
                    if attempt == TRIES - 1:
                        raise
            return self._view

    def _opened(self) -> dict[tuple[str, str], Segment]:
        return {
            (note.name, note.tiles): segment
            for kept, history in zip(
                self._kept.values(), self._view.histories.values(), strict=True
            )
            for note, segment in zip(
                self._view.manifest.groupings[kept.name].segments
                if kept.name in self._view.manifest.groupings
                else (),
                history.segments,
                strict=True,
            )
        }

    def _histories(
        self, manifest: Manifest, opened: Mapping[tuple[str, str], Segment]
    ) -> dict[Grouping, History]:
        return {
            grouping: self._history(kept, manifest, opened) for grouping, kept in self._kept.items()
        }

    def _history(
        self, kept: Kept, manifest: Manifest, opened: Mapping[tuple[str, str], Segment]
    ) -> History:
        note = manifest.groupings.get(kept.name)
        if note is None:
            return History(kept, (), {name: pa.nulls(0) for name in kept.codes})
        segments = tuple(
            opened.get((each.name, each.tiles)) or Segment.open(self.folder, each.name, each.tiles)
            for each in note.segments
        )
        empty = pa.nulls(0)
        books = {
            name: read_codebook(self.folder / note.codebooks[name])
            if name in note.codebooks
            else empty
            for name in kept.codes
        }
        return History(kept, segments, books)


class OnlineStore:
    """The store of a home's definitions. Safe to share between threads."""

    def __init__(self, home: Home, definitions: FeatureSet, folder: Path | None = None) -> None:
        self.home, self.definitions = home, definitions
        self.sources = sources_of(definitions)
        self.folder = folder or home.online / definitions.fingerprint[:16]
        self.reader = StoreReader(self.folder, definitions)

    def catch_up(self, progress: Bar | None = None) -> Manifest:
        """Take in what is new in the home's record sets. Waits for another writer to end."""
        with only_writer(self.folder), connect(self.home.scratch) as connection:
            manifest = read_manifest(self.folder)
            arrivals = list(arrivals_of(self.home, self.definitions, manifest, connection))
            return catch_up(self.folder, self.definitions, connection, arrivals, manifest, progress)

    def view(self) -> View:
        """A view that knows every record admitted before the call."""
        view = self.view_at_hand()
        if view is None:
            self.catch_up()
            view = self.reader.view()
        return view

    def view_at_hand(self) -> View | None:
        """The same where nothing has to be taken in first; else None, at once."""
        view = self.reader.view()
        return None if is_behind(self.home, self.sources, view.manifest) else view

    def features(self, clues: pa.Table) -> tuple[pa.Table, dict[str, int]]:
        """The feature table of `clues` as `build_features` gives it, and the versions it is of.

        Raises Refused where a number cannot be added up, or a key has no one spelling.
        """
        view = self.view()
        versions = dict.fromkeys(self.sources, -1) | view.versions
        return online_features(self.definitions, clues, view), versions


def online_features(definitions: FeatureSet, clues: pa.Table, view: View) -> pa.Table:
    """Every feature of every clue, strictly before its moment: what `build_features` gives."""
    rows, moments = clues.to_pylist(), micros(clues["raised_at"]).tolist()
    columns: dict[str, list[Value]] = {
        feature.name: [] for feature in definitions.features if feature.grouping is not None
    }
    for clue, moment in zip(rows, moments, strict=True):
        for name, value in online_values(definitions, clue, moment, view).items():
            columns[name].append(value)
    arrays = {
        feature.name: plain(feature, clues)
        if feature.grouping is None
        else pa.array(columns[feature.name], _type_of(feature))
        for feature in definitions.features
    }
    return assembled(definitions, clues, arrays)


def _type_of(feature: Feature) -> pa.DataType:
    return pa.string() if feature.type == "category" else pa.float64()


def online_values(
    definitions: FeatureSet, clue: dict[str, Any], moment: int, view: View
) -> dict[str, Value]:
    """The history and ratio features of one clue (its columns) at `moment` (microseconds)."""
    raised = clue.get(RAISING)
    as_raised = moment if raised is None else min(moment, to_micros(raised))
    answers = {
        grouping: history.ask(clue, as_raised if grouping.source == REGISTER else moment)
        for grouping, history in view.histories.items()
    }
    values: dict[str, Value] = {}
    for feature in definitions.features:
        if feature.ratio is not None:
            values[feature.name] = _share(feature, answers)
        elif feature.grouping is not None:
            answer = answers[feature.grouping]
            values[feature.name] = None if answer is None else answer.value(feature)
    return values


def _share(feature: Feature, answers: Mapping[Grouping, Answer | None]) -> float:
    """Shrunk from the root of the ladder upwards: p = (k + s * p_parent) / (n + s)."""
    ratio = feature.ratio
    assert ratio is not None
    share = ratio.prior
    for grouping in reversed(steps_of(ratio)):
        answer = answers[grouping]
        count = hits = 0
        if answer is not None:
            count = answer.count(feature.window_days)
            hits = answer.hits(ratio.numerator, feature.window_days)
        share = (hits + ratio.strength * share) / (count + ratio.strength)
    return share


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_mtime_ns, stat.st_ino
