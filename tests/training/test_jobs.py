"""Jobs left for later: each ends once, whatever is killed, and none stops the next."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from huey.exceptions import HueyException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from base.errors import Conflict, NotFound, NotReady, Refused
from base.moment import Clock, FixedClock
from governance.home import Home
from governance.jurisdiction import load_jurisdiction
from training.jobs import ATTEMPTS, Jobs, JsonSerializer

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0
NOON = datetime(2026, 1, 2, 12)
# A worker whose retraining says that it began, and then never ends.
HANGING = """
import sys, time
from datetime import datetime, timedelta
from pathlib import Path
import training.jobs
from base.moment import WallClock
from governance.home import Home
home = Home.open(Path(sys.argv[1]))
def retrain(*_, **__):
    print("began", flush=True)
    time.sleep(3600)
training.jobs.retrain = retrain
jobs = training.jobs.Jobs(home, WallClock())
jobs.work() if sys.argv[2] == "work" else jobs.work_until_empty()
"""


class Killed(BaseException):
    """A kill, as far as one process can play it: nothing after it is done."""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.create(tmp_path / "home", load_jurisdiction("anhui"))


@pytest.fixture
def proposing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Retraining proposes at once; which experiments it was asked for."""
    asked: list[str] = []

    def retrain(home: Home, name: str, *_: object, wait: bool) -> dict[str, Any]:
        assert wait  # a job waits for a retraining that somebody runs by hand
        asked.append(name)
        return {"proposal": f"{name}.json"}

    monkeypatch.setattr("training.jobs.retrain", retrain)
    return asked


def raising(error: BaseException) -> Callable[..., dict[str, Any]]:
    def retrain(*_: object, **__: object) -> dict[str, Any]:
        raise error

    return retrain


def told(jobs: Jobs) -> list[tuple[str, int, str | None]]:
    return [(job.state, job.attempts, job.said) for job in jobs.all()]


def hanging(home: Home, how: str) -> subprocess.Popen[str]:
    """A worker in a process of its own, in the middle of a job."""
    words = [sys.executable, "-c", HANGING, str(home.path), how]
    worker = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "began\n"
    return worker


def test_a_job_is_noted_when_asked_and_when_ended(
    home: Home, clock: FixedClock, proposing: list[str]
) -> None:
    """The queue holds JSON; another process finds the job; an unknown experiment is refused."""
    jobs = Jobs(home, clock)
    with pytest.raises(NotFound, match="write 'became_case'"):
        jobs.retrain_later("becam_case")
    first = jobs.retrain_later("anhui/became_case")
    assert (first["experiment"], first["waiting"]) == ("became_case", 1)
    waiting = json.loads(bytes(jobs.queue.storage.enqueued_items()[0]))
    assert waiting[1].endswith("retrain")
    assert first["queued"] in json.dumps(waiting)
    assert told(jobs) == [("waiting", 0, None)]
    heard: list[dict[str, Any]] = []
    ended = Jobs(home, clock, heard.append).work_until_empty()
    assert ended == heard
    assert proposing == ["became_case"]
    assert told(jobs) == [("proposed", 1, "became_case.json")]
    assert Jobs(home, clock).work_until_empty() == []


def test_asked_again_while_it_waits_it_is_the_same_job(
    home: Home, clock: FixedClock, proposing: list[str]
) -> None:
    """A nightly timer heaps up nothing while no worker runs; once it is done, it is another."""
    jobs = Jobs(home, clock)
    first = jobs.retrain_later("became_case")
    assert jobs.retrain_later("became_case") == first
    jobs.work_until_empty()
    assert jobs.retrain_later("became_case")["queued"] != first["queued"]
    jobs.work_until_empty()
    assert len(proposing) == 2


@pytest.mark.parametrize(
    ("error", "state", "said"),
    [
        (NotReady(wanted="news", got="none", cure="wait"), "refused", "wanted news; got none"),
        (Refused(wanted="two classes", got="one", cure="x"), "refused", "wanted two classes"),
        (ValueError("340102199001011234"), "failed", "ValueError at test_jobs.py:"),
        (MemoryError(), "failed", "MemoryError at test_jobs.py:"),
    ],
)
def test_neither_a_refusal_nor_a_fault_stops_the_worker(
    home: Home,
    clock: FixedClock,
    proposing: list[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    state: str,
    said: str,
) -> None:
    """Each is told with the words that may be told, and the next job is done."""
    jobs = Jobs(home, clock)
    jobs.retrain_later("became_case")
    with monkeypatch.context() as patched:
        patched.setattr("training.jobs.retrain", raising(error))
        (ended,) = jobs.work_until_empty()
    assert ended["state"] == state
    assert ended["said"].startswith(said)
    assert "340102199001011234" not in json.dumps(ended)
    jobs.retrain_later("became_case")
    assert [job["state"] for job in jobs.work_until_empty()] == ["proposed"]


def test_after_kill_9_in_the_middle_the_job_is_done_again(
    home: Home, clock: FixedClock, proposing: list[str]
) -> None:
    """While the first worker lives no other one works; once it is dead, the next takes it up."""
    jobs = Jobs(home, clock)
    asked = jobs.retrain_later("became_case")
    worker = hanging(home, "until_empty")
    assert told(jobs) == [("running", 1, None)]
    with pytest.raises(Conflict, match="one worker at a time"):
        jobs.work_until_empty()
    worker.kill()
    worker.wait(SECONDS)
    assert told(jobs) == [("running", 1, None)]
    (ended,) = jobs.work_until_empty()
    assert (ended["job"], ended["state"], ended["attempts"]) == (asked["queued"], "proposed", 2)


def test_sigterm_leaves_the_job_to_the_next_worker(
    home: Home, clock: FixedClock, proposing: list[str]
) -> None:
    """A worker that is told to stop does not wait for a training of hours."""
    jobs = Jobs(home, clock)
    jobs.retrain_later("became_case")
    worker = hanging(home, "work")
    worker.send_signal(signal.SIGTERM)
    worker.wait(SECONDS)
    assert [job["state"] for job in jobs.work_until_empty()] == ["proposed"]
    assert told(jobs) == [("proposed", 2, "became_case.json")]


def test_a_job_that_kills_its_workers_is_given_up(
    home: Home, clock: FixedClock, proposing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told as lost after three, and another one is done."""
    jobs = Jobs(home, clock)
    jobs.retrain_later("became_case")
    with monkeypatch.context() as patched:
        patched.setattr("training.jobs.retrain", raising(Killed()))
        for _ in range(ATTEMPTS):
            with pytest.raises(Killed):
                jobs.work_until_empty()
    (lost,) = jobs.work_until_empty()
    assert (lost["state"], lost["attempts"]) == ("lost", ATTEMPTS)
    assert proposing == []
    jobs.retrain_later("became_case")
    assert [job["state"] for job in jobs.work_until_empty()] == ["proposed"]


Step = st.sampled_from(["ask", "ask_dies", "begin_dies", "work_dies", "end_dies", "work"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(Step, max_size=12))
def test_whatever_dies_where_every_job_ends_once(steps: list[str]) -> None:
    """Kills before it is queued, before it begins, in its middle, before its end is noted."""
    clock = FixedClock(NOON)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        home = Home.create(Path(folder) / "home", load_jurisdiction("anhui"))
        patched.setattr("training.jobs.retrain", lambda *_, **__: {"proposal": "p.json"})
        heard: list[str] = []
        for step in [*steps, *["work"] * (ATTEMPTS + 1)]:
            _play(step, home, clock, heard)
        jobs = Jobs(home, clock)
        assert len(jobs.queue) == 0
        assert all(job.ended for job in jobs.all())
        assert sorted(heard) == sorted(job.job for job in jobs.all())
        if "ask" in steps or "ask_dies" in steps:
            assert heard


def _play(step: str, home: Home, clock: Clock, heard: list[str]) -> None:
    """One step, and the kill that belongs to it."""
    jobs = Jobs(home, clock, lambda ended: heard.append(ended["job"]))
    places = {
        "ask_dies": "training.jobs.Jobs._enqueue",
        "begin_dies": "training.jobs.Jobs._note",
        "work_dies": "training.jobs.retrain",
        "end_dies": "training.jobs.Jobs._end",
    }
    with pytest.MonkeyPatch.context() as patched:
        if step in places:
            patched.setattr(places[step], raising(Killed()))
        try:
            if step.startswith("ask"):
                jobs.retrain_later("became_case")
            else:
                jobs.work_until_empty()
        except Killed:
            assert step in places


@pytest.mark.parametrize("data", [b"\x80\x04N.", b"{}", b'["a", "b"]', b"null"])
def test_the_queue_reads_no_pickle_and_nothing_else(
    home: Home, clock: FixedClock, proposing: list[str], data: bytes
) -> None:
    """A pickle is not JSON, other JSON is no job; the job behind it is done all the same."""
    with pytest.raises((ValueError, HueyException)):
        JsonSerializer().deserialize(data)
    jobs = Jobs(home, clock)
    jobs.queue.storage.enqueue(data)
    jobs.retrain_later("became_case")
    assert [job["state"] for job in jobs.work_until_empty()] == ["proposed"]


def test_a_spoilt_note_is_refused_with_its_cure(home: Home, clock: FixedClock) -> None:
    """Never an error of another kind."""
    jobs = Jobs(home, clock)
    (jobs.folder / "odd.json").write_text("{", "utf-8")
    with pytest.raises(Refused, match=r"remove jobs/odd\.json"):
        jobs.all()


def test_the_commands_ask_do_and_list(home: Home) -> None:
    """JSON on stdout and nothing else; a refusal in the job is exit 0: the worker did its work."""

    def clues(*words: str) -> dict[str, Any]:
        code = "from cli.main import run; run()"
        command = [sys.executable, "-c", code, *words, "--home", str(home.path), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    queued = clues("retrain", "anhui/became_case", "--later")["queued"]
    (ended,) = clues("worker", "--until-empty")["jobs"]
    assert (ended["job"], ended["state"]) == (queued, "refused")
    assert "clues raise" in ended["said"]
    assert clues("jobs")["jobs"] == [ended]


def test_what_is_done_by_the_clock_is_due_by_the_homes_wall_time(
    home: Home, clock: FixedClock, proposing: list[str]
) -> None:
    """At the minute that is declared and no other; a retraining asked for so ends in a proposal."""
    jobs = Jobs(home, clock)
    jobs.every("monthly", "40 2 1 * *", lambda: jobs.retrain_later("became_case"))
    due = []
    for hour in range(24 * 31):
        clock.moment = datetime(2026, 1, 1) + timedelta(hours=hour, minutes=40)
        due += [(clock.moment, task) for task in jobs.queue.read_periodic(None)]
    assert [moment for moment, _ in due] == [datetime(2026, 1, 1, 2, 40)]
    jobs.queue.execute(due[0][1])
    assert proposing == []
    assert [job["state"] for job in jobs.work_until_empty()] == ["proposed"]
    assert proposing == ["became_case"]


def test_what_goes_wrong_by_the_clock_is_told_and_ends_nothing(
    home: Home, clock: FixedClock
) -> None:
    """A refusal in words, a fault by kind and place; who has nothing to say is not heard."""
    heard: list[dict[str, Any]] = []
    jobs = Jobs(home, clock, heard.append)
    jobs.every("refused", "* * * * *", raising(NotReady(wanted="w", got="g", cure="c")))
    jobs.every("failed", "* * * * *", raising(ValueError("SECRET")))
    jobs.every("silent", "* * * * *", lambda: None)
    for task in jobs.queue.read_periodic(None):
        jobs.queue.enqueue(task)
        jobs.queue.execute(jobs.queue.dequeue())
    told = {each["task"]: each for each in heard}
    assert set(told) == {"refused", "failed"}
    assert "wanted w" in told["refused"]["refused"]
    assert told["failed"]["failed"].startswith("ValueError at test_jobs.py:")
