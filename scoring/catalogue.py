"""The catalogue: what is held, how good it was over time, and who uses which column of it.

A supervision model uses the columns its SQL reads; a feature those it counts, filters and joins by;
a scorer those of its features. So a steward sees what a changed column would touch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from base.moment import Clock
from clues.clue import clue_column_types
from clues.permitted import SYSTEM_COLUMNS
from clues.register import read_clues
from clues.supervision import SupervisionModel, load_supervision_models
from features.condition import columns_used
from features.declared import declared_features
from features.definition import Feature, FeatureSet
from governance.freshness import Standing, quarantined_share, standing
from governance.holdings import Held, held
from governance.home import Home
from scoring.bundle import read_manifest
from scoring.champion import find_champion

CLUES = "clues"
Column = tuple[str, str]  # record set, column
USERS = ("supervision_models", "features", "scorers")


@dataclass(frozen=True)
class Entry:
    """One record set, or the clues. `quality`: its batches, the oldest first; `columns`: each with
    its type, its classification and the names of those who use it. `due`: when the next batch is
    to come, as the contract promises; `late`: that has passed. None where it promises nothing."""

    record_set: str
    title: Mapping[str, str]
    owner: str | None
    legal_ground: str | None
    rows: int
    quarantined: int
    quarantined_share: float | None
    happened_until: datetime | None
    known_until: datetime | None
    last_batch_at: datetime | None
    due: datetime | None
    late: bool | None
    quality: tuple[dict[str, Any], ...]
    columns: tuple[dict[str, Any], ...]


def catalogue(home: Home, clock: Clock) -> list[Entry]:
    """Every record set in alphabetical order, then the clues."""
    users = users_of(home)
    entries = [
        _of_records(held(home, name), standing(home, name, clock), users)
        for name in home.jurisdiction.contracts
    ]
    return [*entries, _of_clues(home, users)]


def scorers_of(home: Home) -> dict[str, tuple[str, ...]]:
    """Digest of each scorer in the home -> its features. The champion stands first."""
    champion = find_champion(home.scorers)
    first = champion.scorer if champion else ""
    folders = [path.parent for path in home.scorers.glob("*/manifest.json")]
    found: dict[str, tuple[str, ...]] = {}
    for folder in sorted(folders, key=lambda each: (each.name != first, each.name)):
        found[folder.name] = tuple(each.name for each in read_manifest(folder).features)
    return found


def columns_of(feature: Feature) -> set[Column]:
    """Every column a feature looks at: of the clue, and of the records it is computed from."""
    clue = {feature.column} if feature.grouping is None else {feature.of}
    used = {(CLUES, name) for name in clue if name is not None}
    grouping = feature.grouping
    if grouping is None:
        return used or {(CLUES, "raised_at")}
    used |= {(CLUES, ours) for ours, _ in grouping.key}
    theirs = {name for _, name in grouping.key} | columns_used(grouping.where)
    if feature.ratio is not None:
        theirs |= columns_used(feature.ratio.numerator)
        for step in feature.ratio.ladder:
            used |= {(CLUES, ours) for ours in step}
            theirs |= set(step.values())
    elif feature.column is not None:
        theirs.add(feature.column)
    return used | {(grouping.source, name) for name in theirs}


Users = Mapping[Column, Mapping[str, list[str]]]


def users_of(home: Home, definitions: FeatureSet | None = None) -> Users:
    """(record set, column) -> who uses it: names of supervision models, features and scorers.

    `definitions`: the home's, where they are loaded already. Columns that nobody uses are absent.
    """
    defined = definitions or declared_features(home)
    users: dict[Column, dict[str, list[str]]] = defaultdict(lambda: {each: [] for each in USERS})
    for model in load_supervision_models(home.jurisdiction):
        for column in _read_by(model):
            users[column]["supervision_models"].append(model.name)
    features = {feature.name: columns_of(feature) for feature in defined.features}
    for name, columns in features.items():
        for column in columns:
            users[column]["features"].append(name)
    for digest, names in scorers_of(home).items():
        for column in {each for name in names for each in features.get(name, ())}:
            users[column]["scorers"].append(digest)
    return dict(users)


def _read_by(model: SupervisionModel) -> Iterable[Column]:
    for record_set, columns in model.columns.items():
        yield from ((record_set, name) for name in columns if name not in SYSTEM_COLUMNS)


def _of_records(found: Held, now: Standing, users: Users) -> Entry:
    contract = found.contract
    name, newest = contract.record_set, found.newest
    return Entry(
        record_set=name,
        title=contract.title.model_dump(),
        owner=contract.terms.owner,
        legal_ground=contract.terms.legal_ground,
        rows=found.rows,
        quarantined=found.quarantined,
        quarantined_share=found.refused_share,
        happened_until=found.happened_until,
        known_until=found.known_until,
        last_batch_at=newest.at if newest else None,
        due=now.due,
        late=now.late,
        quality=tuple(
            {
                "batch": batch.batch,
                "at": batch.at,
                "admitted": batch.admitted,
                "quarantined": batch.quarantined,
                "quarantined_share": quarantined_share(batch.admitted, batch.quarantined),
            }
            for batch in reversed(found.batches)
        ),
        columns=tuple(
            _column((name, each.name), each.type, each.classification, users)
            for each in contract.columns
        ),
    )


def _of_clues(home: Home, users: Users) -> Entry:
    rows = read_clues(home)
    classified = home.jurisdiction.clue_classifications
    moments = [each for each in rows["raised_at"].to_pylist() if each is not None]
    latest = max(moments, default=None)
    return Entry(
        record_set=CLUES,
        title={"zh": "线索", "en": "clues"},
        owner=None,
        legal_ground=None,
        rows=rows.num_rows,
        quarantined=0,
        quarantined_share=None,
        happened_until=latest,
        known_until=latest,
        last_batch_at=None,
        due=None,
        late=None,
        quality=(),
        columns=tuple(
            _column((CLUES, name), kind, classified.get(name, "internal"), users)
            for name, kind in clue_column_types(home.jurisdiction).items()
        ),
    )


def _column(column: Column, kind: str, classification: str, users: Users) -> dict[str, Any]:
    used = users.get(column, {each: [] for each in USERS})
    return {"name": column[1], "type": kind, "classification": classification, **used}
