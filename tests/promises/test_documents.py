"""What the documents say is what the code does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from base.settings import Settings
from cli.schemas import FOLDER, published_schemas

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_published_schemas_are_those_of_the_code() -> None:
    """docs/schema is what `make schema` writes, no more and no less."""
    published = {path.name: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
    assert published == json.loads(json.dumps(published_schemas()))


def test_every_setting_is_in_its_document() -> None:
    """docs/settings.md names each environment variable, and no other."""
    text = (ROOT / "docs" / "settings.md").read_text("utf-8")
    named = set(re.findall(r"`(CLUES_[A-Z_]+)`", text))
    assert named == {f"CLUES_{name.upper()}" for name in Settings.model_fields}


def test_every_command_is_in_the_readme() -> None:
    """What `clues --help` lists, README shows."""
    done = subprocess.run(
        [sys.executable, "-c", "from cli.main import run; run()", "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "NO_COLOR": "1"},
    )
    listed = re.findall(r"^[│ ]+([a-z][a-z-]+)  ", done.stdout, re.MULTILINE)
    assert "train" in listed
    text = (ROOT / "README.md").read_text("utf-8")
    for command in listed:
        assert f"clues {command}" in text, command


@pytest.mark.parametrize("path", DOCUMENTS, ids=[p.name for p in DOCUMENTS])
def test_every_link_in_a_document_leads_somewhere(path: Path) -> None:
    """Relative links name files that are there."""
    for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text("utf-8")):
        assert (path.parent / link).exists(), link


def test_decisions_carry_their_day_and_the_changes_their_section() -> None:
    """docs/decisions/YYYY-MM-DD-subject.md; CHANGELOG.md says what alters scores."""
    names = [path.name for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert names
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d-[a-z0-9-]+\.md", name) for name in names)
    assert "## Changes that alter scores" in (ROOT / "CHANGELOG.md").read_text("utf-8")
