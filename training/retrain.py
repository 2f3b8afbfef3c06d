"""Retraining, unattended: the whole flow again, and a proposal at its end. It never promotes.

something new? -> train -> beside the champion, by the rule -> proposal -> challenger
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from base.errors import CluesError, Conflict, NotReady
from base.moment import Clock, add_months
from base.progress import Stages
from clues.register import require_clues
from features.declared import declared_features
from governance.checks import quoted
from governance.home import Home
from governance.reading import Records
from scoring.bundle import Manifest, read_manifest
from scoring.champion import find_champion, read_challenger, write_challenger
from scoring.registry import alias_challenger, alias_champion, tell_registry
from training.experiment import Experiment, Label, OutcomeLabel, Split, find_experiment
from training.held_out import held_out_clues, without_held_out
from training.label import label_clues
from training.side_by_side import SideBySide, weigh
from training.train import train

PROPOSER = "retrain"


@dataclass(frozen=True)
class Learned:
    """Clue id -> label of what would teach now; how many clues are not ripe yet; the newest time
    at which any outcome became known (None: no outcome at all)."""

    labels: dict[str, float]
    unripe: int
    known_until: datetime | None


def retrain(
    home: Home, name: str, clock: Clock, stages: Stages, *, wait: bool = False
) -> dict[str, Any]:
    """Train `name` again, weigh the scorer beside the champion, and write the proposal.

    Its tests move on with the outcomes, as late as clues are ripe by what is known now. Never
    changes the champion. Raises NotReady where nothing is ripe or nothing new arrived since the
    champion learned or a scorer was weighed beside it, Conflict while another retraining of this
    home runs (with `wait`, its end is awaited), and whatever training refuses.
    """
    with _alone(home, wait):
        stem, declared = find_experiment(home.jurisdiction.folder / "experiments", name)
        with stages.stage("look"):
            experiment = _ripe_by_now(home, declared, clock)
            require_something_new(home, stem, experiment)
        result = train(home, name, clock, stages, experiment)
        with stages.stage("propose"):
            weighed = weigh(home, result.scorer)
            set_as = _set_challenger(home, weighed, clock)
            # Last: what stands proposed is not trained again, not even where this was cut short.
            path = _write_proposal(home, weighed, result.run, stem, clock, str(result.report))
    return {
        "run": result.run,
        "proposal": str(path),
        "scorer": result.scorer,
        "champion": weighed.champion,
        "passed": weighed.verdict.passed,
        "reasons": [reason.as_json() for reason in weighed.verdict.reasons],
        "challenger": set_as,
        "report": str(result.report),
    }


def require_something_new(home: Home, stem: str, experiment: Experiment) -> None:
    """Raises NotReady where a retraining could only find the champion again, or a scorer that was
    weighed beside it already, or nothing at all.

    New is: a label that appeared, changed or went among the rows that teach; splits that moved on;
    other definitions of features; another question. Records that say nothing about a label change
    no row that taught, as what becomes known after a clue's moment is not among its features; where
    old records were fed in late, or parameters changed, `clues train` is the way.
    """
    last = experiment.splits[-1]
    learned = _learned(home, experiment, last)
    if not learned.labels:
        raise NotReady(
            wanted=f"clues ripe by {last.test_from:%Y-%m-%d} to learn from",
            got=f"none; {learned.unripe} are not ripe yet",
            cure=_cure(experiment, learned),
        )
    champion = find_champion(home.scorers)
    serving = None if champion is None else champion.scorer
    same = f"the same {len(learned.labels)} labels that it learned from"
    if serving is not None and _taught_alike(home, serving, stem, experiment, learned):
        raise NotReady(
            wanted="something new since the champion learned",
            got=same,
            cure=_cure(experiment, learned),
        )
    told = _told_already(home, serving, stem, experiment, learned)
    if told is not None:
        digest = str(told["scorer"])[:12]
        raise NotReady(
            wanted=f"something new since scorer {digest} was weighed beside this champion",
            got=f"{same}; {_stands(told)}",
            cure=f"decide about it (clues promote {digest}), or {_cure(experiment, learned)}",
        )


def _taught_alike(
    home: Home, digest: str, stem: str, experiment: Experiment, learned: Learned
) -> bool:
    """Whether a scorer answers this very question and learned from these very labels."""
    if not (home.scorers / digest).is_dir():
        return False
    manifest = read_manifest(home.scorers / digest)
    return _asks_the_same(home, manifest, stem, experiment) and not _differs(
        home, manifest, learned
    )


def _told_already(
    home: Home, champion: str | None, stem: str, experiment: Experiment, learned: Learned
) -> dict[str, Any] | None:
    """What was weighed beside this champion and learned the same: training once more could only
    propose it once more. None: there is no such."""
    for path in sorted(proposals(home).glob("*.json")):
        told: dict[str, Any] = json.loads(path.read_text("utf-8"))
        alike = told.get("champion") == champion and (home.scorers / path.stem).is_dir()
        if alike and _taught_alike(home, path.stem, stem, experiment, learned):
            return told
    return None


def _stands(told: dict[str, Any]) -> str:
    """In words, whether a weighed scorer met the rule, and what it did not meet."""
    if told["passed"]:
        return "it met the promotion rule and waits for two persons"
    unmet = ", ".join(str(each["rule"]) for each in told["reasons"] if not each["passed"])
    return f"it did not meet the promotion rule ({unmet})"


def _ripe_by_now(home: Home, declared: Experiment, clock: Clock) -> Experiment:
    known_until = _learned(home, declared, declared.splits[-1]).known_until
    if known_until is None:
        return declared
    return moved_on(declared, min(known_until, clock.now()))


def moved_on(experiment: Experiment, until: datetime) -> Experiment:
    """The experiment with its tests as late as clues are ripe by `until`, whole months later.

    Declared splits all move by as much, each going on to learn from its own `train_from`; a rolling
    origin rolls on. The experiment itself where not even a month has passed.
    """
    label = experiment.label
    lag = timedelta(days=label.reporting_lag_days)
    last = max(split.test_until for split in experiment.splits)
    months = 0
    while label.horizon.after(add_months(last, months + 1)) + lag <= until:
        months += 1
    if months == 0:
        return experiment
    declared = experiment.model_dump(exclude={"splits", "rolling"})
    if experiment.rolling is not None:
        rolled = {**experiment.rolling.model_dump(), "until": add_months(last, months)}
        return Experiment.model_validate({**declared, "rolling": rolled})
    moved = [
        {
            name: moment if name == "train_from" else add_months(moment, months)
            for name, moment in split.model_dump().items()
        }
        for split in experiment.splits
    ]
    return Experiment.model_validate({**declared, "splits": moved})


def _cure(experiment: Experiment, learned: Learned) -> str:
    """What would give a retraining something to learn, as exactly as the outcomes tell."""
    admit = "admit outcomes (clues outcome FILE)"
    if learned.known_until is None:
        return admit
    last = moved_on(experiment, learned.known_until).splits[-1]
    if last == experiment.splits[-1]:
        return f"{admit}; none is known yet that a later split could be judged by"
    dates = ", ".join(f"{name}: {moment:%Y-%m-%d}" for name, moment in last.model_dump().items())
    return f"{admit}, or move the splits on: the last could be {{{dates}}}"


def _learned(home: Home, experiment: Experiment, split: Split) -> Learned:
    """The labels of the split's training rows, as they are known at its cut."""
    clues = require_clues(home)
    moment = pc.field("raised_at")
    chosen = (moment >= pc.scalar(split.train_from)) & (moment < pc.scalar(split.train_until))
    if experiment.clues.supervision_models != "all":
        wanted = list(experiment.clues.supervision_models)
        chosen &= pc.field("supervision_model").isin(wanted)
    clues = clues.filter(chosen).combine_chunks()
    label = experiment.label
    source = "outcomes" if isinstance(label, OutcomeLabel) else label.record_set
    with Records(home) as records:
        found = label_clues(label, clues, records, split.test_from)
        found, _ = without_held_out(found, clues, held_out_clues(home))
        newest = f"SELECT max(known_at) FROM {quoted(source)}"
        (known_until,) = records.connection().execute(newest).fetchall()[0]
    known = ~np.isnan(found.values)
    ids = np.array(clues["clue_id"].to_pylist(), dtype=object)[known].tolist()
    labels = dict(zip(ids, found.values[known].tolist(), strict=True))
    return Learned(labels, found.unripe, known_until)


def _asks_the_same(home: Home, manifest: Manifest, stem: str, experiment: Experiment) -> bool:
    try:
        asked = TypeAdapter(Label).validate_python(manifest.label)
    except ValidationError:
        return False  # declared in words of an earlier version
    return (
        manifest.experiment == stem
        and asked == experiment.label
        and manifest.trained_until == experiment.splits[-1].test_from.isoformat()
        and manifest.features_fingerprint == declared_features(home).fingerprint
    )


def _differs(home: Home, manifest: Manifest, learned: Learned) -> bool:
    """Whether the labels differ from those the champion learned from, as far as they were kept."""
    path = home.training_sets / f"{manifest.training_set}.parquet"
    if not path.is_file():
        return True
    kept = pq.read_table(path, columns=["clue_id", "label"]).to_pydict()
    return dict(zip(kept["clue_id"], kept["label"], strict=True)) != learned.labels


def proposals(home: Home) -> Path:
    """Where proposals are kept, one file per scorer."""
    return home.path / "proposals"


def _write_proposal(
    home: Home, weighed: SideBySide, run: str, stem: str, clock: Clock, report: str
) -> Path:
    """Everything two persons need to decide, in one file."""
    folder = proposals(home)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{weighed.scorer}.json"
    told = {
        "run": run,
        "experiment": stem,
        "proposed_at": clock.now().isoformat(),
        "report": report,
        **weighed.as_json(),
    }
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
    draft.replace(path)
    return path


def _set_challenger(home: Home, weighed: SideBySide, clock: Clock) -> str | None:
    """The challenger from now on. One that fails the rule never displaces one that met it."""
    passed = weighed.verdict.passed
    champion = find_champion(home.scorers)
    if champion is not None and champion.scorer == weighed.scorer:
        return None  # found again, bit for bit
    try:
        standing = read_challenger(home.scorers)
    except CluesError:
        standing = None
    if standing is not None and standing.passed and not passed:
        return standing.scorer
    write_challenger(home.scorers, weighed.scorer, by=PROPOSER, at=clock.now(), passed=passed)
    if champion is not None:  # the service promotes without the registry: here it is told
        tell_registry(alias_champion, home, champion.scorer)
    tell_registry(alias_challenger, home, weighed.scorer)
    return weighed.scorer


@contextmanager
def _alone(home: Home, wait: bool = False) -> Iterator[None]:
    with (home.path / "retrain.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                wanted="one retraining at a time",
                got="another one runs on this home",
                cure="wait until it has ended",
            ) from None
        yield
