"""Training sets: feature rows with labels, kept as Parquet, known by a digest of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from base.bilingual import Bilingual
from base.errors import Fault, Refused, nearest
from features.definition import Feature, FeatureSet
from governance.home import Home
from governance.pseudonyms import told_apart
from scoring.bundle import FeatureGroup, ScoredFeature
from training.experiment import Experiment

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrainingSet:
    """`table`: clue_id, moment, subject_id, label (0/1), label_weight where it has one, then
    the features. Labelled rows only."""

    table: pa.Table
    digest: str

    @property
    def label(self) -> Floats:
        return np.asarray(self.table["label"].to_numpy(), np.float64)

    @property
    def weight(self) -> Floats | None:
        """(n,), or None where every row stands for itself."""
        if "label_weight" not in self.table.column_names:
            return None
        return np.asarray(self.table["label_weight"].to_numpy(), np.float64)


def chosen_features(definitions: FeatureSet, experiment: Experiment) -> tuple[Feature, ...]:
    """The features an experiment learns from. A pattern that leaves nothing out is a mistake."""
    faults = [
        Fault(
            "a feature, or a pattern that some feature has",
            repr(pattern),
            nearest(pattern, definitions.names),
            "features.exclude",
        )
        for pattern in experiment.features.exclude
        if not any(fnmatchcase(name, pattern) for name in definitions.names)
    ]
    past = experiment.past_cases
    if past is not None and past.feature not in definitions.names:
        cure = nearest(past.feature, definitions.names)
        faults.append(Fault("a declared feature", repr(past.feature), cure, "past_cases.feature"))
    chosen = tuple(
        feature
        for feature in definitions.features
        if not any(fnmatchcase(feature.name, each) for each in experiment.features.exclude)
    )
    if not chosen:
        got, cure = f"all {len(definitions.names)} excluded", "exclude fewer"
        faults.append(Fault("a feature to learn from", got, cure, "features.exclude"))
    if faults:
        raise Refused.gather(faults)
    return chosen


def make_training_set(
    rows: pa.Table,
    clues: pa.Table,
    label: Floats,
    chosen: tuple[Feature, ...],
    identity: Any,
    weight: Floats | None = None,
) -> TrainingSet:
    """Put labels beside feature rows, unknown ones left out.

    `rows` (from build_features), `clues`, `label` (1, 0 or NaN) and `weight` (for how many clues a
    label stands) are parallel. The digest covers
    `identity` (what was asked: versions, definitions, label, split) and every value.
    """
    known = pa.array(~np.isnan(label))
    table = pa.table(
        {
            "clue_id": rows["clue_id"],
            "moment": rows["moment"],
            "subject_id": clues["subject_id"],
            "label": pa.array(label),
            **({} if weight is None else {"label_weight": pa.array(weight)}),
            **{feature.name: rows[feature.name] for feature in chosen},
        }
    ).filter(known)
    table = table.sort_by([("moment", "ascending"), ("clue_id", "ascending")]).combine_chunks()
    return TrainingSet(table, _digest(table, identity))


def keep_training_set(training_set: TrainingSet, home: Home) -> Path:
    """Write it once, under its digest: what a data scientist may not know, under pseudonyms."""
    folder = home.training_sets
    path = folder / f"{training_set.digest}.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # A kill in the middle must not leave half a file under a whole one's name.
        draft = path.with_suffix(".new")
        table = told_apart(home, training_set.table, "data_scientist", "training")
        pq.write_table(table, draft)
        draft.replace(path)
    return path


def scored_features(
    chosen: tuple[Feature, ...], table: pa.Table, labels: Mapping[str, Mapping[str, Bilingual]]
) -> tuple[ScoredFeature, ...]:
    """What a bundle tells about its inputs, with the ranges and categories of `table`.

    `labels` maps a clue column to the titles of its values, for sentences.
    """
    return tuple(_scored(feature, table[feature.name], labels) for feature in chosen)


def _scored(
    feature: Feature, column: pa.ChunkedArray, labels: Mapping[str, Mapping[str, Bilingual]]
) -> ScoredFeature:
    missing = column.null_count / max(1, len(column))
    told_in = feature.told_in
    common: dict[str, Any] = {
        "name": feature.name,
        "type": feature.type,
        "show": feature.show,
        "window_days": feature.window_days,
        "sentence": feature.sentence,
        "missing_share": missing,
        "title": feature.title,
        "group": told_in and FeatureGroup(name=told_in.name, title=told_in.title),
    }
    if feature.type == "category":
        seen = sorted({str(value) for value in column.unique().to_pylist() if value is not None})
        titles = labels.get(str(feature.column), {})
        return ScoredFeature(
            **common,
            categories=tuple(seen),
            # Declared codes that training never saw have their titles too.
            labels={
                **{value: titles[value] for value in seen if value in titles},
                **feature.values,
            },
        )
    span = pc.min_max(column).as_py()
    return ScoredFeature(**common, minimum=span["min"], maximum=span["max"])


def _digest(table: pa.Table, identity: Any) -> str:
    """sha256 hex over the canonical identity and each column's plain values."""
    whole = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode())
    for name in table.column_names:
        column = table[name]
        whole.update(name.encode())
        if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
            values = column.cast(pa.string()).to_pylist()
            whole.update(json.dumps(values, ensure_ascii=False).encode())
        else:
            numbers = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
            whole.update(np.ascontiguousarray(numbers.to_numpy()).tobytes())
    return whole.hexdigest()
