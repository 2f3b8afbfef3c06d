"""docs/declare.md, followed to the letter: own tables become scored clues in a new jurisdiction."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app

ROOT = Path(__file__).resolve().parents[2]
# A command runs here as it stands; `serve` would not end, and has tests of its own.
LEFT_OUT = {"serve"}
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)


def walk() -> list[re.Match[str]]:
    """The code blocks of the section, each with the line before it."""
    text = (ROOT / "docs" / "declare.md").read_text("utf-8")
    section = text.partition("## In ten minutes")[2].partition("\n## ")[0]
    return list(BLOCK.finditer(section))


@dataclass
class Reader:
    """Somebody who follows the page: types its commands, writes its files, runs its script."""

    told: dict[str, dict[str, Any]] = field(default_factory=dict)

    def follow(self, block: re.Match[str]) -> None:
        """One block."""
        if block["kind"] == "sh":
            for line in block["text"].splitlines():
                self.type(line)
        elif block["kind"] == "python":
            exec(compile(block["text"], "docs/declare.md", "exec"), {"__name__": "script"})
        else:
            [path] = re.findall(r"into `([^`]+)`:", block["before"])
            Path(path).write_text(block["text"], "utf-8")

    def type(self, line: str) -> None:
        """A command; a word in capitals stands for what an earlier one told."""
        program, command, *words = shlex.split(line)
        assert program == "clues"
        if command in LEFT_OUT:
            return
        words = [self.meant(word) for word in words]
        done = CliRunner().invoke(app, [command, *words, "--json"])
        assert done.exit_code == 0, f"{line}\n{done.output}"
        name = f"{command} --dry-run" if "--dry-run" in words else command
        self.told[name] = json.loads(done.stdout.splitlines()[-1])

    def meant(self, word: str) -> str:
        """SCORER is what `train` told; CLUE the first clue that `score` told."""
        if word == "SCORER":
            return str(self.told["train"]["scorer"])
        if word == "CLUE":
            return str(self.told["score"]["first"][0]["clue_id"])
        return word


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """After the last line."""
    followed = Reader()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("reader"))
        patch.setenv("CLUES_THREADS", "2")
        for block in walk():
            followed.follow(block)
        followed.told["where"] = {"path": str(Path.cwd())}
    return followed


def test_the_page_shows_every_step() -> None:
    """Files, a script and commands; were the blocks not found, nothing would be tested."""
    kinds = [block["kind"] for block in walk()]
    assert kinds.count("sh") >= 6
    assert {"python", "sql", "yaml"} <= set(kinds)
    commands = "".join(block["text"] for block in walk() if block["kind"] == "sh")
    for command in ("new-jurisdiction", "new-model", "admit", "raise", "train", "promote", "score"):
        assert f"clues {command}" in commands


def test_a_new_jurisdiction_passes_at_once_and_its_tables_come_in_whole(reader: Reader) -> None:
    """The scaffold as it was written; every row of the reader's own tables admitted."""
    assert reader.told["init"]["supervision_models"] == ["grant_after_closure"]
    receipt = reader.told["admit"]
    assert receipt["admitted"] == receipt["rows"] > 0
    assert reader.told["outcome"]["accepted"] > 300


def test_the_new_supervision_model_holds_and_raises_what_its_rehearsal_said(reader: Reader) -> None:
    """Its examples, then the dry run, then the run."""
    assert reader.told["check-model"]["ok"] is True
    raised, rehearsed = reader.told["raise"], reader.told["raise --dry-run"]
    assert set(raised) == {"grant_after_closure", "nobody_there"}
    for name, counts in raised.items():
        assert counts["raised"] == rehearsed[name]["raised"] > 50
        assert rehearsed[name]["samples"]


def test_its_clues_are_scored_with_reasons(reader: Reader) -> None:
    """The scorer that two persons promoted; reasons in words."""
    assert reader.told["promote"]["champion"] == reader.told["train"]["scorer"]
    assert reader.told["score"]["rows"] > 0
    explained = reader.told["explain"]
    assert 0 < explained["probability"] < 1
    assert all(reason["sentence"] for reason in explained["reasons"])


def test_its_health_and_the_catalogue_show_what_is_there(reader: Reader) -> None:
    """Which supervision model, feature and scorer uses which column."""
    health = {each["name"]: each for each in reader.told["models"]["supervision_models"]}
    assert 0 < health["nobody_there"]["conversion"] < 1
    assert health["nobody_there"]["verified"] == health["nobody_there"]["concluded"] > 0
    entries = {each["record_set"]: each for each in reader.told["catalogue"]["record_sets"]}
    assert set(entries) == {"grants", "closures", "visits", "outcomes"}
    assert reader.told["catalogue"]["clues"]["rows"] > 0
    found = {column["name"]: column for column in entries["visits"]["columns"]}["found"]
    assert found["supervision_models"] == ["nobody_there"]
    amount = {each["name"]: each for each in entries["grants"]["columns"]}["amount_cents"]
    assert amount["supervision_models"] == ["grant_after_closure", "nobody_there"]
    assert "own_grants__sum_amount_cents_all" in amount["features"]
    assert amount["scorers"] == [reader.told["train"]["scorer"]]
