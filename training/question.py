"""What an experiment asks of a home: its clues, their features, and where everything else lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from base.bilingual import Bilingual
from base.errors import Fault, Refused, nearest
from base.progress import Bar
from base.settings import Settings
from clues.register import require_clues
from clues.supervision import load_supervision_models
from features.declared import declared_features
from features.definition import Feature, FeatureSet
from features.table import build_features
from governance.home import Home
from governance.reading import Records
from training.capacity import office_titles, weekly_places
from training.experiment import Experiment
from training.held_out import held_out_clues
from training.selection import noted_chances
from training.training_set import chosen_features

Titles = Mapping[str, Mapping[str, Bilingual]]
FEW_GROUPS, CLUES_PER_GROUP = 20, 5
FUNCTION_TITLES = {
    "criminal": Bilingual(zh="刑事检察", en="criminal"),
    "civil": Bilingual(zh="民事检察", en="civil"),
    "administrative": Bilingual(zh="行政检察", en="administrative"),
    "public_interest": Bilingual(zh="公益诉讼检察", en="public interest"),
}


@dataclass(frozen=True)
class Question:
    """What all splits of an experiment share. `clues` and `rows` (their features) are parallel.

    `titles`: clue column -> value -> title. `noted`: clue id -> the chance it was drawn with.
    `places`: office -> clues a week, None where no offices are declared. `studies` keeps trials,
    `rivals` is where scores made elsewhere are looked for. `held_out`: clue id -> whose flagged
    ending does not teach.
    """

    name: str
    experiment: Experiment
    clues: pa.Table
    rows: pa.Table
    chosen: tuple[Feature, ...]
    identity: Mapping[str, Any]
    titles: Titles
    threads: int
    studies: Path
    rivals: Path
    noted: Mapping[str, float] = field(default_factory=dict)
    places: Mapping[str, int] | None = None
    held_out: Mapping[str, str] = field(default_factory=dict)


def ask(home: Home, name: str, experiment: Experiment, records: Records, bar: Bar) -> Question:
    """The question with every feature computed. Raises Refused with every fault, NotReady where
    there are no clues."""
    definitions = declared_features(home)
    chosen = chosen_features(definitions, experiment)
    clues = _asked_clues(home, experiment)
    _require_columns(clues, experiment)
    places = weekly_places(home.jurisdiction.folder)
    threads = Settings().threads
    rows = build_features(definitions, clues, records, threads=threads, progress=bar)
    identity = {
        "jurisdiction": home.jurisdiction.name,
        "experiment": name,
        "label": experiment.label.model_dump(mode="json"),
        "features": definitions.fingerprint,
        "chosen": [feature.name for feature in chosen],
        "versions": records.versions,
    }
    return Question(
        name=name,
        experiment=experiment,
        clues=clues,
        rows=rows,
        chosen=chosen,
        identity=identity,
        titles=_titles(home, definitions),
        threads=threads,
        studies=home.path / "studies",
        rivals=home.path / "rivals",
        held_out=held_out_clues(home),
        noted=noted_chances(home) if _asks_known(experiment) else {},
        places=places,
    )


def _asks_known(experiment: Experiment) -> bool:
    return experiment.selection is not None and experiment.selection.propensity == "known"


def _asked_clues(home: Home, experiment: Experiment) -> pa.Table:
    """The clues of the experiment's supervision models within its splits."""
    clues = require_clues(home)
    wanted, judged = experiment.clues.supervision_models, experiment.clues.judged or ()
    known = {model.name for model in load_supervision_models(home.jurisdiction)}
    named = [("supervision_models", name) for name in (() if wanted == "all" else wanted)]
    faults = [
        Fault(
            "a supervision model of the jurisdiction",
            repr(name),
            nearest(name, known),
            f"clues.{where}",
        )
        for where, name in (*named, *(("judged", name) for name in judged))
        if name not in known
    ]
    if faults:
        raise Refused.gather(faults)
    if wanted != "all":
        clues = clues.filter(pc.field("supervision_model").isin(list(wanted)))
    first = pa.scalar(min(split.train_from for split in experiment.splits), pa.timestamp("us"))
    last = pa.scalar(max(split.test_until for split in experiment.splits), pa.timestamp("us"))
    moment = pc.field("raised_at")
    return clues.filter((moment >= first) & (moment < last)).combine_chunks()


def _require_columns(clues: pa.Table, experiment: Experiment) -> None:
    """Columns of the clue that the experiment names, before an hour is spent on the rest."""
    asked = [("fairness", name) for name in experiment.fairness]
    if experiment.selection is not None:
        asked += [("selection.seen", name) for name in experiment.selection.seen]
    faults = [
        Fault("a column of the clue", repr(name), nearest(name, clues.column_names), where)
        for where, name in asked
        if name not in clues.column_names
    ]
    faults += [
        fault
        for name in experiment.fairness
        if name in clues.column_names
        for fault in _group_faults(clues, name)
    ]
    if faults:
        raise Refused.gather(faults)


def _group_faults(clues: pa.Table, name: str) -> list[Fault]:
    """Groups are compared: where nearly every clue has a value of its own there are none."""
    values = len(pc.unique(clues[name]))
    if values <= FEW_GROUPS or values * CLUES_PER_GROUP <= clues.num_rows:
        return []
    return [
        Fault(
            f"a column that groups clues, {CLUES_PER_GROUP} or more to a value",
            f"{name} with {values} values among {clues.num_rows} clues",
            "name a column such as function, or leave this one out",
            "fairness",
        )
    ]


def _titles(home: Home, definitions: FeatureSet) -> Titles:
    """Titles of values that reviewers read: declared codes, functions, supervision models and
    offices."""
    models = load_supervision_models(home.jurisdiction)
    plain = (each for each in definitions.features if each.kind == "column" and each.values)
    return {
        **{str(each.column): each.values for each in plain},
        "function": FUNCTION_TITLES,
        "supervision_model": {model.name: model.head.title for model in models},
        "office_id": office_titles(home.jurisdiction.folder),
    }
