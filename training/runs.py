"""A run as it was kept: its experiment, its scorer and what every ranking said of its test rows."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from base.errors import NotFound, Refused
from governance.home import Home
from scoring.bundle import find_digest, read_manifest

KEPT = "test_scores.parquet"
SCORE = "score_"
SCORER = "scorer"
NEEDED = ("split", "clue_id", "subject_id", "office_id", "raised_at", "label", "probability")
RUN_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Run:
    """A run that was kept: its experiment, its scorer's digest (or the beginning) and test rows."""

    experiment: str
    scorer: str
    report: Path
    scores: pa.Table

    @property
    def name(self) -> str:
        """How its rankings are told apart from those of other runs."""
        return self.scorer[:8]


def find_run(home: Home, asked: str) -> Run:
    """A run by the folder of its report, its scorer's digest (6 digits or more) or its run id."""
    folder = Path(asked)
    folder = folder.parent if folder.is_file() else folder
    if (folder / KEPT).is_file():
        return _kept(folder.resolve())
    digest = _digest(home, asked)
    experiment = read_manifest(home.scorers / digest).experiment
    kept = home.reports / f"{experiment}-{digest[:12]}"
    if not (kept / KEPT).is_file():
        raise NotFound(
            wanted=f"the test rows of scorer {digest[:12]}",
            got="none kept",
            cure="train again, or name the folder of its report",
        )
    return replace(_kept(kept), scorer=digest)


def _kept(folder: Path) -> Run:
    experiment, _, digest = folder.name.rpartition("-")
    scores = pq.read_table(folder / KEPT)
    missing = [name for name in (*NEEDED, SCORE + SCORER) if name not in scores.column_names]
    ids = scores["clue_id"].to_pylist() if not missing else []
    if missing or len(set(ids)) < len(ids):
        raise Refused(
            wanted=f"{KEPT} as training keeps it: a row per clue",
            got=f"no column {', '.join(missing)}" if missing else "a clue tested twice",
            cure="train again",
            where=folder.name,
        )
    return Run(experiment, digest, folder, scores)


def _digest(home: Home, asked: str) -> str:
    try:
        return find_digest(home.scorers, asked)
    except NotFound:
        if not RUN_ID.fullmatch(asked):
            raise NotFound(
                wanted="a run id, the digest of a scorer (6 digits or more) or a report's folder",
                got=repr(asked),
                cure="see what `clues train` told, or home/reports",
            ) from None
    from mlflow.exceptions import MlflowException

    from scoring.registry import client

    try:
        digest = client(home).get_run(asked).data.tags.get("scorer")
    except MlflowException:
        digest = None
    if digest is None:
        raise NotFound(
            wanted="a run of this home that made a scorer",
            got=repr(asked),
            cure="name the scorer's digest or the folder of its report",
        )
    return find_digest(home.scorers, digest)
