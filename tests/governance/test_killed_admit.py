"""Kill -9 while files are admitted: no half batch is ever seen, the same call completes it.

CLUES_TEST_KILLS sets how often.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path

import killed_admit
import pytest

from governance import tables
from governance.home import Home
from governance.intake import admit
from governance.reading import Records
from governance.receipts import receipts

KILLS = int(os.environ.get("CLUES_TEST_KILLS", "30"))
GOOD, BAD = 600, 60
LONGEST_WAIT = 30


def write_batch(folder: Path, number: int) -> Path:
    """GOOD rows that nobody has sent before and BAD ones."""
    lines = ["person_id,paid_on,amount_cents,kind,rate"]
    lines += [f"P{number},2024-01-05,{at},pension,1" for at in range(GOOD)]
    lines += [f"X{number},2024-01-05,{at},pension,1" for at in range(BAD)]
    random.Random(number).shuffle(lines[1:])
    path = folder / f"batch_{number}.csv"
    path.write_text("\n".join(lines), "utf-8")
    return path


def counted(home: Home) -> tuple[int, int]:
    """Rows stored and rows quarantined, as any reader sees them."""
    places = (home.table("payments"), home.quarantine("payments"))
    stored, kept = (tables.dataset(place).count_rows() for place in places)
    return stored, kept


@pytest.fixture(scope="module")
def children() -> ForkServerContext:
    """Processes that have what they need loaded."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["killed_admit"])
    return context


def killed(
    children: ForkServerContext,
    home: Home,
    file: Path,
    point: str | None,
    wait: Callable[[], float],
) -> bool:
    """Admit in a process and kill it; whether it had said that it was done."""
    end, given = children.Pipe(duplex=False)
    child = children.Process(
        target=killed_admit.admit_until_killed, args=(home.path, file, point, given)
    )
    child.start()
    given.close()
    assert end.recv_bytes() == b"begins"
    if point is None:
        time.sleep(wait())
        child.kill()
    child.join(LONGEST_WAIT)
    assert child.exitcode in (-signal.SIGKILL, 0)
    return end.poll() and end.recv_bytes() == b"done" if child.exitcode == 0 else False


def test_no_half_batch_is_seen_and_the_same_call_completes_it(
    children: ForkServerContext, hamlet: Home, tmp_path: Path
) -> None:
    """Killed at drawn moments of the whole call and at each point between two of its commits."""
    draw = random.Random(1)
    started = time.perf_counter()
    admit(hamlet, "payments", [write_batch(tmp_path, 0)], killed_admit.CLOCK)
    usual = time.perf_counter() - started
    seen = {"nothing": 0, "all": 0}
    for number in range(1, KILLS + 1):
        stored, kept = counted(hamlet)
        assert (stored, kept) == (GOOD * number, BAD * number)
        file = write_batch(tmp_path, number)
        # Every third time at a point of its own.
        place, at_point = divmod(number, 3)
        point = killed_admit.POINTS[place % 3] if at_point == 0 else None
        killed(children, hamlet, file, point, lambda: draw.uniform(0, 1.2 * usual))
        after, kept_after = counted(hamlet)
        assert after in (stored, stored + GOOD)
        assert kept_after in (kept, kept + BAD)
        seen["all" if after > stored else "nothing"] += 1
        receipt = admit(hamlet, "payments", [file], killed_admit.CLOCK)
        assert receipt.rows == GOOD + BAD
        assert receipt.quarantined == BAD
        assert receipt.admitted == stored + GOOD - after
        assert receipt.already_admitted == after - stored
    assert counted(hamlet) == (GOOD * (KILLS + 1), BAD * (KILLS + 1))
    assert min(seen.values()) > 0
    with Records(hamlet) as records:
        numbers = records.arrow("payments", ["record_no"])["record_no"].to_pylist()
    assert numbers == list(range(1, GOOD * (KILLS + 1) + 1))
    told = {each["batch"] for each in receipts(hamlet, "payments", limit=10 * KILLS)}
    assert len(told) == KILLS + 1
