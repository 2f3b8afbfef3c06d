"""A fresh home of the hamlet whose record sets are small enough to check by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from record_hamlet import write_hamlet

from governance.home import Home
from governance.jurisdiction import load_jurisdiction


@pytest.fixture
def hamlet_folder(tmp_path: Path) -> Path:
    """The jurisdiction's folder."""
    return write_hamlet(tmp_path / "hamlet")


@pytest.fixture
def hamlet(hamlet_folder: Path, tmp_path: Path) -> Home:
    """A fresh home of the hamlet."""
    return Home.create(tmp_path / "home", load_jurisdiction(hamlet_folder))
