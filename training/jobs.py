"""Jobs: retraining that is asked for now and done later, from a queue in the home (`jobs.db`).

The queue is huey's on SQLite. What it holds is JSON: huey's own default would load pickles, and
who may write a file of the home could then run code in the worker.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huey import SqliteHuey
from huey.exceptions import HueyException
from huey.registry import Message
from huey.serializer import Serializer

from base.errors import CluesError
from base.moment import Clock
from base.progress import silent
from governance.home import Home
from training.experiment import find_experiment
from training.retrain import retrain

RETRAIN = "retrain"


class JsonSerializer(Serializer):
    """Messages as JSON lists. What is not plain data is refused, when written and when read."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(data, ensure_ascii=False, allow_nan=False).encode()

    def _deserialize(self, data: bytes) -> Any:
        found = json.loads(bytes(data))
        if not isinstance(found, list) or len(found) != len(Message._fields):
            raise HueyException("not a job as clues writes it")
        return Message(*found)


class Jobs:
    """The queue of a home. Its results are files of the home; `tell` hears how each job ended."""

    def __init__(
        self, home: Home, clock: Clock, tell: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> None:
        self.home, self.clock, self.tell = home, clock, tell
        self.done: list[dict[str, Any]] = []
        self.queue = SqliteHuey(
            "clues",
            filename=str(self.place),
            results=False,
            fsync=True,
            strict_fifo=True,
            serializer=JsonSerializer(),
        )
        self._retrain = self.queue.task(name=RETRAIN)(self._run_retrain)

    @property
    def place(self) -> Path:
        """The queue's file."""
        return self.home.path / "jobs.db"

    def retrain_later(self, experiment: str) -> dict[str, Any]:
        """Put a retraining in the queue. Raises NotFound for an experiment that is not declared."""
        stem, _ = find_experiment(self.home.jurisdiction.folder / "experiments", experiment)
        task = self._retrain.s(stem)
        self.queue.enqueue(task)
        return {"queued": task.id, "experiment": stem, "waiting": len(self.queue)}

    def work_until_empty(self) -> list[dict[str, Any]]:
        """Do what waits, one after the other, and tell how each ended."""
        before = len(self.done)
        while (task := self.queue.dequeue()) is not None:
            self.queue.execute(task)
        return self.done[before:]

    def work(self) -> None:
        """Do what comes, one job at a time, until SIGINT (the job is ended first) or SIGTERM."""
        self.queue.create_consumer(workers=1, periodic=False, max_delay=2.0).run()

    def _run_retrain(self, experiment: str) -> None:
        """A refusal is an answer, not a fault of the worker: it is told, and the next job done."""
        try:
            told = retrain(self.home, experiment, self.clock, silent())
        except CluesError as error:
            ended = {"experiment": experiment, "refused": str(error)}
        else:
            ended = {"experiment": experiment, "proposal": told["proposal"]}
        self.done.append(ended)
        self.tell(ended)
