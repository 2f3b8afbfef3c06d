"""Writers of the online store that die, and readers that go on meanwhile."""

from __future__ import annotations

import multiprocessing
import random
import threading
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import online_worlds as online
import online_writer
import pyarrow as pa
import pytest

from features.online.manifest import Manifest, read_manifest
from features.online.store import StoreReader, online_features
from features.table import build_features

STAGES = 6
QUESTIONS = 12


@pytest.fixture(scope="module")
def expected() -> tuple[pa.Table, list[pa.Table]]:
    """Questions, and the batch engine's answers after each stage."""
    paid, ended, asked = online.hot_world(online.SEED, online.ROWS, QUESTIONS)
    answers = []
    for stage in range(STAGES):
        with online.at_stage(paid, ended, stage, STAGES) as records:
            answers.append(build_features(online.wide_definitions(), asked, records, threads=1))
    return asked, answers


def writer(folder: Path) -> ForkServerProcess:
    """A process that takes in stage after stage; its modules are loaded before it is forked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["online_writer"])
    process = context.Process(target=online_writer.go_on, args=(folder, STAGES), daemon=True)
    process.start()
    return process


def ended_well(process: ForkServerProcess) -> bool:
    """Wait for its own end."""
    process.join()
    return process.exitcode == 0


def test_a_killed_writer_leaves_the_last_whole_generation(
    tmp_path: Path, expected: tuple[pa.Table, list[pa.Table]]
) -> None:
    """kill -9 at any time: what is read is a whole stage, and the next writer goes on from it."""
    asked, answers = expected
    draw, kills, seen = random.Random(5), 0, set()
    while len(seen) < STAGES and kills < 60:
        process = writer(tmp_path)
        begun = read_manifest(tmp_path).generation
        while read_manifest(tmp_path).generation == begun and process.is_alive():
            time.sleep(0.01)
        time.sleep(draw.random() * 0.25)
        process.kill()
        process.join()
        kills += 1
        stage = stage_of(read_manifest(tmp_path))
        told = online_features(
            online.wide_definitions(),
            asked,
            StoreReader(tmp_path, online.wide_definitions()).view(),
        )
        assert told.equals(answers[stage]), f"stage {stage}"
        seen |= set(range(stage + 1))
    assert len(seen) == STAGES
    named = read_manifest(tmp_path).file_names()
    (tmp_path / "left-by-a-killed-writer.base").touch()
    assert ended_well(writer(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == named, "orphans were left behind"


def test_readers_see_whole_generations_while_one_writes(
    tmp_path: Path, expected: tuple[pa.Table, list[pa.Table]]
) -> None:
    """Three threads and a process of their own files: every answer is that of one stage."""
    asked, answers = expected
    reader = StoreReader(tmp_path, online.wide_definitions())
    wrong: list[int] = []
    stages: list[int] = []
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            view = reader.view()
            if view.manifest.generation:
                stage = stage_of(view.manifest)
                stages.append(stage)
                told = online_features(online.wide_definitions(), asked, view)
                if not told.equals(answers[stage]):
                    wrong.append(stage)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert ended_well(writer(tmp_path))
    ended.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(set(stages)) > 2, "nothing was written while reading"
    assert stage_of(reader.view().manifest) == STAGES - 1


def stage_of(manifest: Manifest) -> int:
    """The stage that a generation holds."""
    return manifest.sources["payments"].version
