"""A hamlet that serves: one to change in each test, and one that all tests read."""

from __future__ import annotations

from pathlib import Path

import pytest
from served_hamlet import NOON, Served, serve_hamlet

__all__ = ["NOON", "Served"]


@pytest.fixture
def served(tmp_path: Path) -> Served:
    """A service of its own."""
    return serve_hamlet(tmp_path)


@pytest.fixture(scope="session")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """A service that tests only read (they may make keys)."""
    return serve_hamlet(tmp_path_factory.mktemp("standing"))
