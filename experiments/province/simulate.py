"""The simulator, top-down: world -> findings -> records -> offices' history -> dirt -> files.

The same seed gives the same bytes. The truth goes to `OUT/truth/`, which no room of the platform
ever reads.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from base.errors import Refused
from base.progress import Stages
from clues.clue import clue_id
from experiments.province.dirt import soil
from experiments.province.findings import KINDS, Findings, plan_findings
from experiments.province.history import History, play_history
from experiments.province.records import Frames, make_records
from experiments.province.world import World, make_world

LEAST_CLUES, LEAST_MONTHS = 100, 24
# How each record set is sent: its files' ending, and a GB18030 sender among them.
ENDINGS = {"persons": "parquet", "companies": "parquet", "driving_licences": "parquet"}
ENDINGS |= {"fine_payments": "parquet", "penalties": "jsonl", "court_judgments": "csv.gz"}
GB18030_SENDERS = ("sentences",)


def simulate(
    out: Path, *, clues: int = 12_000, seed: int = 7, months: int = 60, stages: Stages
) -> dict[str, Any]:
    """Write a province of about `clues` clues over `months` months to `out`.

    Returns files (record set -> paths, in the order to admit them), clues and cases (in truth,
    looked at or not). Raises Refused for a world too small to learn from.
    """
    if clues < LEAST_CLUES or months < LEAST_MONTHS:
        raise Refused(
            wanted=f"at least {LEAST_CLUES} clues over at least {LEAST_MONTHS} months",
            got=f"{clues} clues, {months} months",
            cure="ask for more",
        )
    draw = np.random.default_rng(seed)
    with stages.stage("simulate", 5) as bar:
        world = make_world(clues, draw)
        bar.advance()
        found = plan_findings(world, clues, months, draw)
        frames = make_records(world, found, months, draw)
        bar.advance()
        ids = _clue_ids(world, found, frames)
        history = play_history(world, found, ids, months, draw, seed)
        bar.advance()
        soiled, faults = soil(frames, draw)
        files = {name: [str(_write(out, name, frame))] for name, frame in soiled.items()}
        bar.advance()
        outcomes = out / "outcomes.csv"
        history.outcomes.to_csv(outcomes, index=False, date_format="%Y-%m-%dT%H:%M:%S")
        _write_truth(out / "truth", world, found, history, ids, faults, files)
        bar.advance()
    return {
        "files": {**files, "outcomes": [str(outcomes)]},
        "clues": len(ids),
        "cases": int(history.became_case.sum()),
    }


def _clue_ids(world: World, found: Findings, frames: Frames) -> list[str]:
    """The ids the platform itself will give: ground, subject, ground key."""
    penalties = frames["penalties"]
    of_finding = penalties[penalties["finding"] >= 0].set_index("finding")["penalty_no"].to_dict()
    ids = []
    for at, kind in enumerate(found.kind):
        declared, person = KINDS[kind], found.person[at]
        if declared.subject == "company":
            subject, key = world.company_id[found.company[at]], of_finding[at]
        else:
            subject, key = world.person_id[person], "-"
        ids.append(clue_id(declared.ground, str(subject), str(key)))
    return ids


def _write(out: Path, name: str, frame: pd.DataFrame) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    ending = ENDINGS.get(name, "csv")
    path = out / f"{name}.{ending}"
    if ending == "parquet":
        dates = [column for column in frame.columns if frame[column].dtype.kind == "M"]
        table = pa.table(
            {
                column: pa.array(frame[column]).cast(pa.date32())
                if column in dates
                else pa.array(frame[column])
                for column in frame.columns
            }
        )
        pq.write_table(table, path)
    elif ending == "jsonl":
        frame.to_json(path, orient="records", lines=True, force_ascii=False)
    elif ending == "csv.gz":
        text = frame.to_csv(index=False).encode()
        path.write_bytes(gzip.compress(text, compresslevel=1, mtime=0))
    else:
        encoding = "gb18030" if name in GB18030_SENDERS else "utf-8"
        frame.to_csv(path, index=False, encoding=encoding)
    return path


def _write_truth(
    folder: Path,
    world: World,
    found: Findings,
    history: History,
    ids: list[str],
    faults: pd.DataFrame,
    files: dict[str, list[str]],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = np.array([kind.name for kind in KINDS])
    pd.DataFrame(
        {
            "clue_id": ids,
            "supervision_model": names[found.kind],
            "moment": found.moment,
            "office_id": found.office.astype(str),
            "guilt": found.guilt,
            "provability": found.provability,
            "probability": found.probability,
            "skill": history.skill,
            "severity": np.array([kind.severity for kind in KINDS])[found.kind],
            "month": found.month,
            "propensity": history.propensity,
            "pursued": history.pursued,
            "became_case": history.became_case.astype(np.int64),
        }
    ).to_parquet(folder / "clues.parquet")
    # A file's rows are numbered as its readers count them: a csv has its header on line 1.
    headed = faults["record_set"].map(lambda name: Path(files[name][0]).name.count(".csv"))
    faults = faults.assign(row=faults["place"] + 1 + headed.astype(np.int64))
    faults.assign(file=faults["record_set"].map(lambda name: Path(files[name][0]).name)).to_parquet(
        folder / "faults.parquet"
    )
    pd.DataFrame({"office_id": list(world.skill), "skill": list(world.skill.values())}).assign(
        whim=list(world.whim.values())
    ).to_parquet(folder / "offices.parquet")
