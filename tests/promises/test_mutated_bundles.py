"""P-7: a scorer is data. A damaged bundle is refused and the old champion goes on serving.

`MUTATED_BUNDLES=200` tries as many as the promise was first shown with; the suite takes a sample.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from served_hamlet import NOON, Served, serve_hamlet

from base.errors import CluesError
from scoring.bundle import FILES, bundle_digest
from scoring.champion import write_champion
from scoring.trial import try_bundle

COUNT = int(os.environ.get("MUTATED_BUNDLES", "40"))
# Tries each folder named on a line of stdin in a child of its own, loads for good what passes, and
# tells how the child ended: 9 is a bundle that passed its trial and could not be loaded.
WARMED = """
import os, signal, sys
from pathlib import Path
import lightgbm
from scoring import tried
from scoring.quadrature.engine import warm
from scoring.scorer import Scorer
warm()
def in_a_child(job):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            os._exit(job() or 0)
        except BaseException:
            os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
def load(folder, digest):
    Scorer.load(Path(folder), digest)
for line in sys.stdin:
    named = line.split()
    code = in_a_child(lambda: tried.main(*named))
    if code == 0 and in_a_child(lambda: load(*named)) != 0:
        code = 9
    print(code, flush=True)
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    served = serve_hamlet(tmp_path_factory.mktemp("mutated"))
    served.service.warm()
    return served


def mutate(folder: Path, draw: np.random.Generator) -> None:
    """One fault of a kind that disks, editors and attackers make."""
    name = str(draw.choice(FILES, p=[0.7, 0.2, 0.1]))
    data = bytearray((folder / name).read_bytes())
    at = int(draw.integers(len(data)))
    kind = draw.choice(["bit", "byte", "cut", "drop", "double", "zero", "digit"])
    if kind == "bit":
        data[at] ^= 1 << int(draw.integers(8))
    elif kind == "byte":
        data[at] = int(draw.integers(256))
    elif kind == "cut":
        del data[at:]
    elif kind == "drop":
        del data[at : at + 200]
    elif kind == "double":
        data[at:at] = data[at : at + 200]
    elif kind == "zero":
        data[at : at + 64] = bytes(len(data[at : at + 64]))
    else:
        places = [place for place, byte in enumerate(data) if chr(byte).isdigit()]
        data[places[int(draw.integers(len(places)))]] = ord(str(draw.integers(10)))
    (folder / name).write_bytes(bytes(data))


def mutants(served: Served, folder: Path, count: int, seed: int) -> list[Path]:
    """Copies of the champion, each with a fault, under the champion's own digest."""
    champion = served.home.scorers / served.service.champion().digest
    draw = np.random.default_rng(seed)
    made = []
    for number in range(count):
        copy = Path(shutil.copytree(champion, folder / f"{number}"))
        while bundle_digest(copy) == champion.name:
            mutate(copy, draw)
        made.append(copy)
    return made


def test_a_bundle_whose_bytes_changed_is_refused_before_anything_of_it_is_read(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its digest, without even a process to try it in."""
    digest = served.service.champion().digest

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("scoring.trial.subprocess.run", never)
    for folder in mutants(served, tmp_path, max(COUNT, 200), seed=1):
        with pytest.raises(CluesError):
            try_bundle(folder, digest)


def test_a_damaged_bundle_with_a_digest_of_its_own_kills_or_fails_its_trial_only(
    served: Served, tmp_path: Path
) -> None:
    """Whoever can write a digest still meets the trial: what it lets through gives the margins of
    its golden rows, bit for bit; the rest is refused, most of it by the death of the process."""
    trial = subprocess.Popen(
        [sys.executable, "-c", WARMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert trial.stdin is not None
    assert trial.stdout is not None
    ended: Counter[str] = Counter()
    for folder in mutants(served, tmp_path, COUNT, seed=2):
        trial.stdin.write(f"{folder} {bundle_digest(folder)}\n")
        trial.stdin.flush()
        code = int(trial.stdout.readline())
        assert code != 9, folder
        ended["taken" if code == 0 else "refused" if code > 0 else "died"] += 1
    trial.stdin.close()
    assert trial.wait(30) == 0
    assert ended["refused"] + ended["died"] > COUNT / 2, ended
    print(dict(ended))


def test_the_old_champion_serves_on_whatever_is_promoted(served: Served, tmp_path: Path) -> None:
    """Over HTTP, with real trials: mutants under their own digests take the champion's place one
    after another; each request is answered by the champion that was."""
    service = served.service
    first = service.champion().digest
    clue = {
        "clue_id": "new",
        "supervision_model": "paid_after_death",
        "subject_id": "p1",
        "raised_at": "2024-07-01",
        "amount_cents": 1,
    }
    body = {"clues": [clue]}
    key = served.kept_key("case_system")
    before = served.client.post("/v1/scores", json=body, headers=key)
    assert before.status_code == 200
    draw = np.random.default_rng(3)
    for number in range(3):
        copy = Path(shutil.copytree(served.home.scorers / first, tmp_path / f"{number}"))
        model = copy / "model.txt"
        lines = model.read_text("utf-8").splitlines()
        del lines[int(draw.integers(20, len(lines) // 2)) :]
        model.write_text("\n".join(lines), "utf-8")
        digest = bundle_digest(copy)
        shutil.copytree(copy, served.home.scorers / digest)
        write_champion(served.home.scorers, digest, by="Li", approved_by="Wang", at=NOON)
        assert served.client.post("/v1/scores", json=body, headers=key).content == before.content
        assert service.champions.settle(120)
        assert served.client.post("/v1/scores", json=body, headers=key).content == before.content
        assert served.client.get("/ready").json()["scorer"] == first
        assert "refused_champion" in served.client.get("/ready").json()
