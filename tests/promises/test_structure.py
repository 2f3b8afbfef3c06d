"""Promises of the house itself: who imports whom, how large things are, what is never written."""

from __future__ import annotations

import ast
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = [
    "base", "governance", "clues", "features", "scoring", "training", "dispatch", "serving",
    "experiments", "cli",
]  # fmt: skip
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LINES_OF_A_FILE, LINES_OF_A_FUNCTION = 400, 60


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after a statement."""
    code = f"{statement}; import sys; print(' '.join({{n.split('.')[0] for n in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_import_contracts_are_kept() -> None:
    """Rooms import one way; serving never reaches training; engines stand behind one file."""
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([str(lint)], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d* kept, 0 broken", done.stdout)


def test_the_service_loads_neither_training_nor_tuning_nor_tracking() -> None:
    """`import serving.app` in a fresh interpreter."""
    loaded = loaded_by("import serving.app")
    assert "fastapi" in loaded
    assert not loaded & {"training", "optuna", "mlflow", "experiments", "shap"}


def test_help_takes_less_than_a_second_of_a_core_and_loads_nothing_heavy() -> None:
    """Processor time, which other work on the machine does not stretch; least of three."""
    command = [sys.executable, "-c", "from cli.main import run; run()", "--help"]
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert "admit" in done.stdout
    assert min(seconds) < 1
    assert not loaded_by("import cli.main") & {"pandas", "lightgbm", "duckdb", "fastapi", "numba"}


def test_what_most_commands_load_needs_neither_frames_nor_scikit_learn() -> None:
    """They go without (base/lean.py), and so does a trial; every room up to serving can."""
    code = """
import importlib, pkgutil, sys
from base.lean import JUST_IN_CASE, go_without
go_without()
for room in ("base", "governance", "clues", "features", "scoring", "dispatch", "serving"):
    for found in pkgutil.walk_packages([room], room + "."):
        if "spark" not in found.name and "migrations" not in found.name:
            importlib.import_module(found.name)
print(*set(JUST_IN_CASE) & set(sys.modules), "lightgbm" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["True"]


@pytest.mark.parametrize("path", FILES + TESTS, ids=names(FILES + TESTS))
def test_a_file_can_be_read_at_once(path: Path) -> None:
    """Not too long, and none of its functions is."""
    text = path.read_text("utf-8")
    assert text.count("\n") <= LINES_OF_A_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LINES_OF_A_FUNCTION, node.name


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_whatever_is_public_says_what_it_is(path: Path) -> None:
    """Modules, public classes and public functions have a docstring."""
    tree = ast.parse(path.read_text("utf-8"))
    if path.read_text("utf-8").strip():
        assert ast.get_docstring(tree), path.name
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            settles_shape = isinstance(node, ast.ClassDef) and node.name in ("Declared", "Frozen")
            assert ast.get_docstring(node) or settles_shape, node.name


def tracked() -> list[Path]:
    """Files of the project as git knows them, or all of them in an export without git."""
    done = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    listed = [ROOT / line for line in done.stdout.splitlines()]
    return [path for path in listed or FILES if path.is_file()]


def test_no_lock_file_names_a_registry() -> None:
    """Hashes stand in the locks; where packages come from is each machine's own affair."""
    for path in (ROOT / "requirements.lock", ROOT / "requirements-dev.lock"):
        text = path.read_text("utf-8")
        assert text.count("--hash=sha256:") > 100
        assert "://" not in text
        assert "index-url" not in text


def test_no_file_speaks_of_a_machine() -> None:
    """No home directory, no address of a machine."""
    machine = re.compile(rb"/(?:work|root|home/[a-z]+)/[a-z]")
    for path in tracked():
        if path != Path(__file__).resolve():
            assert not machine.search(path.read_bytes()), path.name


def test_the_platform_never_reads_the_truth_of_the_simulator() -> None:
    """Only experiments write it, and only experiments and tests read it."""
    for path in FILES:
        if "experiments" not in path.relative_to(ROOT).parts:
            assert "truth/" not in path.read_text("utf-8").replace("OUT/truth", ""), path.name


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_delta_tables_are_read_by_arrows_own_file_system(path: Path) -> None:
    """deltalake's file system in Python may abort a process that has done its work and ends."""
    called = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
    }
    assert not called & {"to_pyarrow_table", "to_pyarrow_dataset", "to_pandas_dataset"}
