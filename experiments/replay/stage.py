"""The stage an arm plays on: a home of its own over the shared records and clues.

Records and clues are the same in every arm and are linked; outcomes, orders and scorers are the
arm's own. The jurisdiction is a copy with one experiment more: the one that retrains.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import yaml

from base.errors import NotReady
from base.moment import add_months
from base.settings import Settings
from governance.home import Home
from governance.jurisdiction import Jurisdiction, load_jurisdiction
from training.experiment import find_experiment

DECLARED, EXPERIMENT = "became_case", "replay"
# Nine in ten are decided within half a year: what was learned can be judged while it is young.
TEST_MONTHS = 3
LABEL = {
    "kind": "outcome",
    "horizon_days": 180,
    "reporting_lag_days": 15,
    "survival": {"step_days": 30},
}
OWN = ("scorers", "training_sets", "reports", "mlflow.db", "artifacts")
# What a report is made of beside the scorer takes longer than the loop itself.
LEFT_OUT = {"splits", "rolling", "tuning", "learning_curve", "rivals", "past_cases"}


def copy_jurisdiction(jurisdiction: Jurisdiction, into: Path) -> Jurisdiction:
    """The jurisdiction with the experiment `replay` beside its own: what it declares for
    `became_case`, judged as soon as a few months are ripe, and without what only a report needs."""
    if into.exists():
        shutil.rmtree(into)
    shutil.copytree(jurisdiction.folder, into)
    _, declared = find_experiment(jurisdiction.folder / "experiments", DECLARED)
    asked = declared.model_dump(mode="json", exclude=LEFT_OUT, exclude_none=True)
    asked |= {
        "title": {"zh": "闭环回放", "en": "the loop replayed"},
        "baselines": ["base_rate"],
        "label": LABEL,
        "selection": {"propensity": "known"},
        "splits": [_first_split(jurisdiction.manifest.raise_cycle.first)],
    }
    path = into / "experiments" / f"{EXPERIMENT}.yaml"
    path.write_text(yaml.safe_dump(asked, allow_unicode=True, sort_keys=False), "utf-8")
    return load_jurisdiction(str(into))


def _first_split(first: datetime) -> dict[str, str]:
    """A split at the beginning of history; retraining moves it on as outcomes come in."""
    test_from = add_months(first, 4)
    moments = {
        "train_from": first,
        "train_until": test_from,
        "test_from": test_from,
        "test_until": add_months(test_from, TEST_MONTHS),
    }
    return {name: moment.isoformat() for name, moment in moments.items()}


def make_stage(shared: Home, path: Path, jurisdiction: Jurisdiction) -> Home:
    """A home over the records and clues of `shared`, without outcomes.

    Raises NotReady where a setting would let it write into another ledger or registry.
    """
    settings = Settings()
    if settings.ledger_url or settings.tracking_uri:
        raise NotReady(
            wanted="a ledger and a registry of the replay's own",
            got="CLUES_LEDGER_URL or CLUES_TRACKING_URI is set",
            cure="unset both for this command",
        )
    if path.exists():
        shutil.rmtree(path)
    home = Home.create(path, jurisdiction)
    (path / "records").mkdir()
    for name in (*jurisdiction.contracts, "clues"):
        if name != "outcomes" and shared.table(name).exists():
            home.table(name).symlink_to(shared.table(name).resolve(), target_is_directory=True)
    return home


def copy_scorers(source: Home, target: Home) -> None:
    """The target begins with the scorers of the source, as they were registered there."""
    for name in OWN:
        there = source.path / name
        if there.is_dir():
            shutil.copytree(there, target.path / name, dirs_exist_ok=True)
        elif there.is_file():
            shutil.copy2(there, target.path / name)
