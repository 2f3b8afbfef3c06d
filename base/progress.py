"""Stages of a job: a bar on stderr while they run, their seconds afterwards."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Bar(Protocol):
    """What a stage calls as its work goes on."""

    def advance(self, steps: float = 1) -> None: ...

    def expect(self, total: float) -> None: ...


class SilentBar:
    """A bar nobody sees."""

    def advance(self, steps: float = 1) -> None:
        pass

    def expect(self, total: float) -> None:
        pass


class _RichBar:
    def __init__(self, progress: Progress, label: str, total: float | None) -> None:
        self._progress = progress
        self._task = progress.add_task(label, total=total)

    def advance(self, steps: float = 1) -> None:
        self._progress.advance(self._task, steps)

    def expect(self, total: float) -> None:
        self._progress.update(self._task, total=total)

    def finish(self) -> None:
        """Whatever was left to count is done when its stage ends well."""
        total = self._progress.tasks[self._task].total or 1
        self._progress.update(self._task, total=total, completed=total)


class Stages:
    """Runs named stages and keeps `seconds` per stage, in order."""

    def __init__(self, *, visible: bool | None = None) -> None:
        self.seconds: dict[str, float] = {}
        self._visible = sys.stderr.isatty() if visible is None else visible

    @contextmanager
    def stage(self, name: str, total: float | None = None) -> Iterator[Bar]:
        """Time the block under `name`; a name used twice adds up."""
        started = time.perf_counter()
        try:
            with self._bar(name, total) as bar:
                yield bar
        finally:
            spent = time.perf_counter() - started
            self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 3)

    @contextmanager
    def _bar(self, name: str, total: float | None) -> Iterator[Bar]:
        if not self._visible:
            yield SilentBar()
            return
        columns = (TextColumn("{task.description:<10}"), BarColumn(), MofNCompleteColumn())
        console = Console(stderr=True)
        with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
            bar = _RichBar(progress, name, total)
            yield bar
            bar.finish()


def silent() -> Stages:
    """Stages that only keep time."""
    return Stages(visible=False)
