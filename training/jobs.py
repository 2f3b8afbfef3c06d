"""Jobs: retraining that is asked for now and done later, one after the other, in a home's `jobs/`.

The queue is huey's on SQLite (`queue.db`). What it holds is JSON: huey's own default would load
pickles, and who may write a file of the home could then run code in the worker.

huey takes a job off its queue before it begins. So that a kill in the middle loses none, each has a
note of its own (`<job>.json`), written before it is queued and ended after it is done. A worker
that starts takes up again whatever has not ended; what a retraining proposed before it was cut off
is not trained again, and the refusal names it. A job over which three workers were killed is ended
as lost: it may be what kills them.
"""

from __future__ import annotations

import fcntl
import json
import os
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from huey import SqliteHuey
from huey.exceptions import HueyException
from huey.registry import Message
from huey.serializer import Serializer

from base.errors import CluesError, Conflict, Refused
from base.moment import Clock
from base.progress import silent
from governance.home import Home
from scoring.watch_rules import is_due
from training.experiment import find_experiment
from training.retrain import retrain

RETRAIN = "retrain"
ATTEMPTS = 3
State = Literal["waiting", "running", "proposed", "refused", "failed", "lost"]
UNENDED: tuple[State, ...] = ("waiting", "running")


class JsonSerializer(Serializer):
    """Messages as JSON lists. What is not plain data is refused, when written and when read."""

    def _serialize(self, data: Any) -> bytes:
        return json.dumps(data, ensure_ascii=False, allow_nan=False).encode()

    def _deserialize(self, data: bytes) -> Any:
        found = json.loads(bytes(data))
        if not isinstance(found, list) or len(found) != len(Message._fields):
            raise HueyException("not a job as clues writes it")
        return Message(*found)


@dataclass(frozen=True)
class Job:
    """What is known of a job. `said`: the proposal's path, the refusal, or what kind of fault."""

    job: str
    experiment: str
    asked_at: str
    state: State = "waiting"
    attempts: int = 0
    ended_at: str | None = None
    said: str | None = None

    @property
    def ended(self) -> bool:
        return self.state not in UNENDED


class Jobs:
    """The jobs of a home. `tell` hears how each ended."""

    def __init__(
        self, home: Home, clock: Clock, tell: Callable[[dict[str, Any]], None] = lambda _: None
    ) -> None:
        self.home, self.clock, self.tell = home, clock, tell
        self.folder = home.path / "jobs"
        self.folder.mkdir(exist_ok=True)
        self.done: list[dict[str, Any]] = []
        self.queue = SqliteHuey(
            "clues",
            filename=str(self.folder / "queue.db"),
            results=False,
            fsync=True,
            strict_fifo=True,
            serializer=JsonSerializer(),
        )
        self.by_the_clock = False
        self._retrain = self.queue.task(name=RETRAIN)(self._run_retrain)

    def retrain_later(self, experiment: str) -> dict[str, Any]:
        """Put a retraining in the queue; asked again while it waits, it is the same job.

        Raises NotFound for an experiment that is not declared.
        """
        stem, _ = find_experiment(self.home.jurisdiction.folder / "experiments", experiment)
        with _locked(self.folder / "asking.lock", fcntl.LOCK_EX):
            waiting = [job for job in self.all() if job.state == "waiting"]
            known = [job for job in waiting if job.experiment == stem]
            if not known:
                job = Job(uuid.uuid4().hex, stem, self.clock.now().isoformat())
                self._note(job)
                self._enqueue(job)
                known, waiting = [job], [*waiting, job]
        return {"queued": known[0].job, "experiment": stem, "waiting": len(waiting)}

    def every(self, name: str, cron: str, do: Callable[[], Any]) -> None:
        """Let `work` do this whenever a line of crontab names the home's wall time. One that comes
        while no worker works is left out, as by cron. What it says is told (None: nothing), and so
        is what goes wrong, which never ends the worker.
        """
        due = is_due(cron)
        self.queue.periodic_task(lambda _: due(self.clock.now()), name=name)(
            lambda: self._by_the_clock(name, do)
        )
        self.by_the_clock = True

    def _by_the_clock(self, name: str, do: Callable[[], Any]) -> None:
        said: dict[str, Any] = {"at": self.clock.now().isoformat(), "task": name}
        try:
            said["said"] = do()
            if said["said"] is None:
                return
        except CluesError as error:
            said["refused"] = str(error)
        except Exception as error:
            said["failed"] = _fault(error)
        self.tell(said)

    def all(self) -> list[Job]:
        """Every job of the home, the first asked for first. Raises Refused for a spoilt note."""
        found = [_read(path) for path in self.folder.glob("*.json")]
        return sorted(found, key=lambda job: (job.asked_at, job.job))

    def work_until_empty(self) -> list[dict[str, Any]]:
        """Do what waits, one after the other, and tell how each ended.

        Raises Conflict while another worker of this home works.
        """
        before = len(self.done)
        with self._only_worker():
            while (task := self.queue.dequeue()) is not None:
                self.queue.execute(task)
        return self.done[before:]

    def work(self) -> None:
        """Do what comes, one job at a time, until SIGINT (the job is ended first) or SIGTERM (it is
        left, and done again by the next worker).

        Raises Conflict while another worker of this home works.
        """
        with self._only_worker():
            periodic = self.by_the_clock
            self.queue.create_consumer(workers=1, periodic=periodic, max_delay=2.0).run()

    def _run_retrain(self, name: str) -> None:
        """Whatever comes of it is told, and the next job done. A refusal is an answer; of another
        fault only the kind and the place are told, for its words may hold what records say.
        """
        job = _read(self.folder / f"{name}.json")
        job = replace(job, state="running", attempts=job.attempts + 1)
        self._note(job)
        try:
            told = retrain(self.home, job.experiment, self.clock, silent(), wait=True)
        except CluesError as error:
            self._end(job, "refused", str(error))
        except Exception as error:
            self._end(job, "failed", _fault(error))
        else:
            self._end(job, "proposed", told["proposal"])

    @contextmanager
    def _only_worker(self) -> Iterator[None]:
        """Nobody else takes from the queue meanwhile, so whatever runs is this one's own."""
        with ExitStack() as held:
            try:
                alone = fcntl.LOCK_EX | fcntl.LOCK_NB
                held.enter_context(_locked(self.folder / "worker.lock", alone))
            except BlockingIOError:
                raise Conflict(
                    wanted="one worker at a time",
                    got="another one works on this home",
                    cure="leave the jobs to it",
                ) from None
            self._take_up()
            yield

    def _take_up(self) -> None:
        """Queue anew whatever has not ended, as the notes tell it: also what an earlier worker, or
        whoever asked, was killed over."""
        with _locked(self.folder / "asking.lock", fcntl.LOCK_EX):
            self.queue.flush()
            for job in self.all():
                if job.ended:
                    continue
                if job.attempts >= ATTEMPTS:
                    self._end(job, "lost", f"{job.attempts} workers ended in the middle of it")
                else:
                    self._note(replace(job, state="waiting"))
                    self._enqueue(job)

    def _enqueue(self, job: Job) -> None:
        self.queue.enqueue(self._retrain.s(job.job))

    def _end(self, job: Job, state: State, said: str) -> None:
        ended = replace(job, state=state, said=said, ended_at=self.clock.now().isoformat())
        self._note(ended)
        self.done.append(asdict(ended))
        self.tell(asdict(ended))

    def _note(self, job: Job) -> None:
        """Whole or not at all, also over a power cut."""
        draft = self.folder / f"{job.job}.new"
        with draft.open("w", encoding="utf-8") as file:
            file.write(json.dumps(asdict(job), ensure_ascii=False, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.folder / f"{job.job}.json")


def _fault(error: Exception) -> str:
    """Its kind and place; its words may hold what records say."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"


def _read(path: Path) -> Job:
    try:
        return Job(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        raise Refused(
            wanted="the note of a job as clues writes it",
            got="something else, or nothing",
            cure=f"remove jobs/{path.name} from the home, and ask again",
        ) from None


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    """The kernel takes the lock back when the process ends, however it ends."""
    with path.open("w") as lock:
        fcntl.flock(lock, how)
        yield
