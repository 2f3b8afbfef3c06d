"""Champion and challenger: two persons, a history that survives a crash, the way back."""

from __future__ import annotations

import json
import multiprocessing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import tiny_scorer

from base.errors import NotReady, Refused
from scoring.champion import (
    champion_before,
    find_before,
    read_challenger,
    read_champion,
    read_history,
    roll_back,
    write_challenger,
    write_champion,
)

NOON = datetime(2026, 1, 2, 12)
TWO = {"by": "Li", "approved_by": "Wang"}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("bundles")
    return folder, [tiny_scorer.write_tiny_bundle(folder, seed=seed) for seed in (1, 2, 3)]


@pytest.fixture
def scorers(tmp_path: Path, bundles: tuple[Path, list[str]]) -> tuple[Path, list[str]]:
    """A folder with three bundles and no champion."""
    for digest in bundles[1]:
        (tmp_path / digest).symlink_to(bundles[0] / digest)
    return tmp_path, bundles[1]


def promote(folder: Path, *digests: str) -> None:
    for at, digest in enumerate(digests):
        write_champion(folder, digest, at=NOON + timedelta(hours=at), **TWO)


def test_each_roll_back_goes_one_champion_further(scorers: tuple[Path, list[str]]) -> None:
    """A, B, C: back to B, then to A, then there is none; two persons each time."""
    folder, (a, b, c) = scorers
    promote(folder, a, b, c)
    for one in ("Li", "li ", ""):
        with pytest.raises(Refused, match="two different persons"):
            roll_back(folder, by="Li", approved_by=one, at=NOON)
    back = roll_back(folder, at=NOON, why="fewer cases", **TWO)
    assert (back.scorer, back.previous, back.why) == (b, c, "fewer cases")
    assert find_before(folder) == a
    assert roll_back(folder, at=NOON, **TWO).scorer == a
    assert find_before(folder) is None
    with pytest.raises(NotReady, match=f"before this one; got {a[:12]}, the first one"):
        roll_back(folder, at=NOON, **TWO)
    assert read_champion(folder).scorer == a
    promote(folder, c)
    assert champion_before(folder) == a
    changes = [champion.change for champion in read_history(folder)]
    assert changes == ["promoted"] * 3 + ["rolled_back"] * 2 + ["promoted"]


def test_a_scorer_promoted_twice_is_left_once(scorers: tuple[Path, list[str]]) -> None:
    """The way back leads to another scorer, not to the same."""
    folder, (a, b, _) = scorers
    promote(folder, a, b, b)
    assert roll_back(folder, at=NOON, **TWO).scorer == a


def test_a_home_from_before_the_history_can_be_rolled_back(
    scorers: tuple[Path, list[str]],
) -> None:
    """Its note names the scorer before."""
    folder, (a, b, _) = scorers
    note = {"scorer": b, "by": "Li", "approved_by": "Wang", "promoted_at": "x", "previous": a}
    (folder / "champion.json").write_text(json.dumps(note), "utf-8")
    assert roll_back(folder, at=NOON, **TWO).scorer == a
    assert [champion.scorer for champion in read_history(folder)] == [b, a]


@pytest.mark.parametrize("kept", [0, 1, 30])
def test_a_crash_between_note_and_history_loses_nothing(
    scorers: tuple[Path, list[str]], kept: int
) -> None:
    """The last line lost, or torn in the middle: the note stands in, and gets its line later."""
    folder, (a, b, c) = scorers
    promote(folder, a, b)
    history = folder / "champions.jsonl"
    first, second = history.read_text("utf-8").splitlines(keepends=True)
    history.write_text(first + second[:kept], "utf-8")
    assert [champion.scorer for champion in read_history(folder)] == [a, b]
    promote(folder, c)
    assert [champion.scorer for champion in read_history(folder)] == [a, b, c]
    assert roll_back(folder, at=NOON, **TWO).scorer == b


def test_the_history_is_only_ever_appended_to(scorers: tuple[Path, list[str]]) -> None:
    """What was written stays, byte for byte, with who and why and the rules that failed."""
    folder, (a, b, _) = scorers
    promote(folder, a)
    before = (folder / "champions.jsonl").read_bytes()
    write_champion(folder, b, at=NOON, why="电话核实", failed=("calibration",), **TWO)
    after = (folder / "champions.jsonl").read_bytes()
    assert after.startswith(before)
    kept = read_champion(folder)
    assert (kept.by, kept.approved_by, kept.why) == ("Li", "Wang", "电话核实")
    assert kept.failed == ("calibration",)
    assert read_history(folder)[-1] == kept


def test_a_spoilt_note_is_refused_and_promoting_again_mends_it(
    scorers: tuple[Path, list[str]],
) -> None:
    """Never an error of another kind; the history still knows what served before."""
    folder, (a, b, _) = scorers
    promote(folder, a)
    for spoilt in ("", "[]", '{"scorer": 1}', "\x00"):
        (folder / "champion.json").write_text(spoilt, "utf-8")
        with pytest.raises(Refused, match=r"champion\.json"):
            read_champion(folder)
    promote(folder, b)
    assert read_champion(folder).previous == a


def test_a_challenger_is_kept_until_it_is_promoted(scorers: tuple[Path, list[str]]) -> None:
    """Setting one changes no champion; promoting another leaves it; promoting it ends it."""
    folder, (a, b, c) = scorers
    assert read_challenger(folder) is None
    promote(folder, a)
    champion = (folder / "champion.json").read_bytes()
    write_challenger(folder, b, by="retrain", at=NOON, passed=True)
    assert (folder / "champion.json").read_bytes() == champion
    promote(folder, c)
    challenger = read_challenger(folder)
    assert challenger is not None
    assert (challenger.scorer, challenger.passed) == (b, True)
    promote(folder, b)
    assert read_challenger(folder) is None


def test_a_changed_bundle_is_neither_challenger_nor_put_back(tmp_path: Path) -> None:
    """The digest is checked each time."""
    a, b = (tiny_scorer.write_tiny_bundle(tmp_path, seed=seed) for seed in (1, 2))
    promote(tmp_path, a, b)
    with (tmp_path / a / "model.txt").open("a") as model:
        model.write(" ")
    with pytest.raises(Refused, match="digest"):
        write_challenger(tmp_path, a, by="retrain", at=NOON, passed=True)
    with pytest.raises(Refused, match="digest"):
        roll_back(tmp_path, at=NOON, **TWO)
    assert read_champion(tmp_path).scorer == b


def _promote_many(folder: Path, digest: str) -> None:
    for _ in range(10):
        write_champion(folder, digest, at=NOON, **TWO)


def test_changes_at_once_are_all_in_the_history(scorers: tuple[Path, list[str]]) -> None:
    """Three processes, ten promotions each: thirty lines, every `previous` the one before it."""
    folder, digests = scorers
    workers = [
        multiprocessing.get_context("spawn").Process(target=_promote_many, args=(folder, digest))
        for digest in digests
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    history = read_history(folder)
    assert len(history) == 30
    served = [champion.scorer for champion in history]
    assert [champion.previous for champion in history] == [None, *served[:-1]]
