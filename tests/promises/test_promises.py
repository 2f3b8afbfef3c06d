"""docs/promises.md names every promise, and for each the tests that would fail without it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINE = re.compile(r"^\| (P-\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`")


def promised() -> list[tuple[str, str, str]]:
    text = (ROOT / "docs" / "promises.md").read_text("utf-8")
    return LINE.findall(text)


def test_there_are_fifteen_promises_in_order() -> None:
    """P-1 to P-15, each in words and with a test."""
    assert [name for name, _, _ in promised()] == [f"P-{n}" for n in range(1, 16)]
    for name, words, shown in promised():
        assert len(words) > 40, name
        assert TEST.findall(shown), name


def test_every_test_that_a_promise_names_is_there() -> None:
    """The file, and in it a test of that name."""
    for name, _, shown in promised():
        for path, test in TEST.findall(shown):
            tree = ast.parse((ROOT / path).read_text("utf-8"))
            there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            there |= {n.name for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef)}
            assert test in there, f"{name}: {path}::{test}"


def test_every_promise_has_a_test_in_the_everyday_run() -> None:
    """What is marked slow runs in CI alone; no promise is left to that."""
    for name, _, shown in promised():
        everyday = [test for path, test in TEST.findall(shown) if not _is_slow(path, test)]
        assert everyday, name


def _is_slow(path: str, test: str) -> bool:
    """Marked itself, or its whole file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    marks = [
        ast.unparse(each.value)
        for each in tree.body
        if isinstance(each, ast.Assign) and "pytestmark" in ast.unparse(each)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == test:
            marks += [ast.unparse(each) for each in node.decorator_list]
    return any("mark.slow" in mark for mark in marks)
