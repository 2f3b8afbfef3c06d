"""One clue's way on the command line, from a folder of files to reasons and a closed loop."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clues.register import read_clues
from governance.home import Home

ROOT = Path(__file__).resolve().parents[2]


def clues(*words: str, wanted: int = 0) -> dict[str, Any]:
    """Run `clues ... --json`; one JSON object on stdout and nothing else."""
    code = "from cli.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words, "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == wanted, done.stderr
    return dict(json.loads(done.stdout))


def test_every_step_answers_with_its_fixed_keys(tmp_path: Path) -> None:
    """init, simulate, admit, quarantine, raise, outcome, features: each as interfaces say."""
    home = ("--home", str(tmp_path / "home"))
    told = clues("init", "anhui", *home)
    assert {"home", "jurisdiction", "record_sets", "supervision_models", "features"} <= set(told)
    assert len(told["supervision_models"]) >= 4
    out = str(tmp_path / "out")
    made = clues("simulate", "anhui", "--clues", "150", "--seed", "2", "--out", out)
    assert {"files", "clues", "cases"} <= set(made)
    for record_set, files in made["files"].items():
        if record_set != "outcomes":
            receipt = clues("admit", record_set, *files, *home)
            parts = receipt["admitted"] + receipt["quarantined"] + receipt["already_admitted"]
            assert receipt["rows"] == parts
    quarantined = clues("quarantine", "deaths", *home)["rows"]
    assert quarantined
    assert all(row["reasons"] for row in quarantined)
    raised = clues("raise", "--until", "2026-01-01", *home)
    assert sum(each["raised"] for each in raised.values()) == made["clues"]
    outcome = clues("outcome", made["files"]["outcomes"][0], *home)
    assert outcome["accepted"] > 0
    assert outcome["refused"] == []
    table = str(tmp_path / "features.parquet")
    told = clues("features", "--all", "--output", table, *home)
    assert told["rows"] == made["clues"]
    assert {"features", "fingerprint", "seconds"} <= set(told)
    told = clues("score", "--moment", "2025-01-01", "--output", table, *home, wanted=2)
    assert "clues promote" in told["faults"][0]["cure"]


def test_score_and_explain_tell_the_same_story(province: Home, tmp_path: Path) -> None:
    """A clue explained on the command line has the probability the queue file gave it."""
    import pyarrow.parquet as pq

    queue = pq.read_table(province.path / "scores.parquet")
    best = queue.slice(0, 1).to_pylist()[0]
    told = clues("explain", best["clue_id"], "--language", "en", "--home", str(province.path))
    assert told["probability"] == best["probability"]
    assert told["margin"] == best["margin"]
    parts = sum(reason["contribution"] for reason in told["reasons"])
    assert abs(told["base"] + parts + told["other"] - told["margin"]) <= 1e-9


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("init", "chicgo"), "chicago"),
        (("explain", "0" * 16), "clue"),
        (("train", "becam_case"), "write 'became_case'"),
        (("admit", "deths", "x.csv"), "write 'deaths'"),
        (("promote", "00000000", "--by", "A", "--approved-by", "B"), "digest"),
        (("key", "create", "--role", "reviwer"), "write 'reviewer'"),
        (("key", "create", "--role", "reviewer", "--office", "AH99"), "office"),
        (("raise", "--until", "soon"), "ISO 8601"),
    ],
)
def test_a_mistake_exits_with_2_and_a_cure(
    province: Home, words: tuple[str, ...], told: str
) -> None:
    """Wanted, got and cure, as JSON too."""
    answer = clues(*words, "--home", str(province.path), wanted=2)
    assert told in json.dumps(answer["faults"], ensure_ascii=False)


def test_promotion_by_one_person_is_refused(province: Home) -> None:
    """And the champion stays."""
    from scoring.champion import read_champion

    champion = read_champion(province.scorers).scorer
    home = ("--home", str(province.path))
    clues("promote", champion[:8], "--by", "Li", "--approved-by", "Li", *home, wanted=2)
    assert read_champion(province.scorers).scorer == champion
    assert read_clues(province).num_rows > 0
