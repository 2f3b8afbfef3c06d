"""What a split teaches: ripe labels known before its test, how much each counts, its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from base.errors import Refused
from features.slices import micros
from governance.reading import Records
from scoring.bundle import ScoredFeature
from scoring.matrix import to_matrix
from training.experiment import OutcomeLabel, Split
from training.held_out import without_held_out
from training.label import Labels, label_clues
from training.note import Note
from training.propensity import scaled
from training.question import Question
from training.rows import Rows
from training.selection import weigh_selection
from training.training_set import TrainingSet, make_training_set, scored_features

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Taught:
    """A split's training rows: as they are kept, and as trees read them. `notes`: how labels and
    weights came about."""

    training_set: TrainingSet
    features: tuple[ScoredFeature, ...]
    rows: Rows
    labels: Labels
    notes: tuple[Note, ...]


def teach_split(question: Question, split: Split, records: Records) -> Taught:
    """The labelled clues of [train_from, train_until), by labels known strictly before the test.

    Raises Refused where none has a label.
    """
    chosen = between(question.clues, split.train_from, split.train_until)
    clues, table = question.clues.filter(chosen), question.rows.filter(chosen)
    labels = label_clues(question.experiment.label, clues, records, split.test_from)
    labels, held = without_held_out(labels, clues, question.held_out)
    _require_labels(labels, split)
    weight, notes = _weights(question, clues, labels)
    identity = {**question.identity, "split": split.model_dump(mode="json")}
    training_set = make_training_set(table, clues, labels.values, question.chosen, identity, weight)
    kept = training_set.table
    features = scored_features(question.chosen, kept, question.titles)
    rows = Rows(
        to_matrix(features, kept),
        training_set.label,
        micros(kept["moment"]),
        np.array(kept["subject_id"].to_pylist(), dtype=str),
        training_set.weight,
    )
    return Taught(training_set, features, rows, labels, held + notes)


def between(clues: pa.Table, start: datetime, until: datetime) -> pa.Array:
    """Which clues were raised in [start, until)."""
    moments = micros(clues["raised_at"])
    low, high = micros(pa.array([start, until], pa.timestamp("us")))
    return pa.array((moments >= low) & (moments < high))


def _weights(
    question: Question, clues: pa.Table, labels: Labels
) -> tuple[Floats | None, tuple[Note, ...]]:
    """For how many clues each label stands: of those followed as long, of those not pursued."""
    experiment, selection = question.experiment, question.experiment.selection
    label = experiment.label
    follows = isinstance(label, OutcomeLabel) and label.survival is not None
    weight = labels.weight if follows else None
    notes = labels.notes
    if selection is not None and selection.train:
        chosen = weigh_selection(selection, clues, labels, question.noted, experiment.seed)
        weight = chosen.weight if weight is None else weight * chosen.weight
        notes += chosen.notes
    if weight is None:
        return None, notes
    return scaled(weight, ~np.isnan(labels.values)), notes


def _require_labels(labels: Labels, split: Split) -> None:
    counts = labels.counts
    if counts["labelled"]:
        return
    raise Refused(
        wanted=f"clues with a label known before {split.test_from:%Y-%m-%d}, raised from"
        f" {split.train_from:%Y-%m-%d} to {split.train_until:%Y-%m-%d}",
        got=f"{len(labels.values)} clues there, none labelled: {counts['unripe']} unripe,"
        f" {counts['unpursued']} never pursued",
        cure="let the test begin later, or train_from earlier; or admit outcomes",
        where="splits",
    )
