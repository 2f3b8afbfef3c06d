"""A scorer bundle is data under a digest: changed bytes never score."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_scorer

from base.errors import NotFound, Refused
from scoring.bundle import FILES, bundle_digest, find_digest
from scoring.champion import read_champion, write_champion
from scoring.matrix import to_matrix
from scoring.scorer import Scorer, table_of_rows
from scoring.trial import try_bundle


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / tiny_scorer.write_tiny_bundle(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_in_any_file_is_refused_before_it_is_parsed(
    folder: Path, name: str
) -> None:
    """P-7: the digest covers every byte of every file."""
    path = folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(Refused, match="digest"):
        Scorer.load(folder, folder.name)


def test_a_missing_file_is_told_by_name(folder: Path) -> None:
    """Half a bundle names what it lacks."""
    (folder / "calibrator.json").unlink()
    with pytest.raises(NotFound, match=r"calibrator\.json"):
        Scorer.load(folder, folder.name)


def test_a_malformed_model_dies_in_the_trial_process_only(folder: Path) -> None:
    """A text model that can kill its parser is refused, and this process lives on."""
    path = folder / "model.txt"
    text = path.read_text("utf-8").replace("leaf_value=", "leaf_value=1e999 x", 1)
    path.write_text(text.replace("num_leaves=7", "num_leaves=700000", 1), "utf-8")
    with pytest.raises(Refused, match="loads"):
        try_bundle(folder, bundle_digest(folder))


def test_a_trial_loads_what_parses_a_model_and_no_more(folder: Path) -> None:
    """Many are started: neither frames nor compilers are loaded for them."""
    code = (
        "import runpy, sys; sys.argv = ['tried', *sys.argv[1:]]\n"
        "try: runpy.run_module('scoring.tried', run_name='__main__')\n"
        "except SystemExit as end: print(end.code, *sorted(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(folder), folder.name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    ended, *loaded = done.stdout.split()
    assert ended == "0"
    assert "lightgbm" in loaded
    assert not {"pandas", "sklearn", "numba", "pyarrow", "sqlalchemy"} & set(loaded)


def test_codes_of_a_golden_row_are_those_of_the_matrix(folder: Path) -> None:
    """Categories known, unknown and missing, numbers and none: one reading for both."""
    scorer = Scorer.load(folder, folder.name)
    features = scorer.manifest.features
    odd: list[float | str | None] = [None, 2.5]
    rows = [row.values for row in scorer.manifest.golden]
    rows += [tuple("?" if f.type == "category" else v for f in features) for v in odd]
    rows.append(tuple(None for _ in features))
    codes = [[f.code_of(v) for f, v in zip(features, row, strict=True)] for row in rows]
    matrix = to_matrix(features, table_of_rows(scorer.manifest, rows))
    assert np.array_equal(np.array(codes, np.float64), matrix, equal_nan=True)


def test_a_scorer_that_says_otherwise_than_its_golden_rows_is_refused(folder: Path) -> None:
    """A model that loads and scores differently without a word is found by its golden rows."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    manifest["golden"][0]["margin"] += 1e-12
    path.write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(Refused, match="golden"):
        Scorer.load(folder, bundle_digest(folder))


def test_the_same_training_gives_the_same_digest(tmp_path: Path) -> None:
    """No clock, path or machine enters a bundle."""
    first = tiny_scorer.write_tiny_bundle(tmp_path / "a")
    second = tiny_scorer.write_tiny_bundle(tmp_path / "b")
    other = tiny_scorer.write_tiny_bundle(tmp_path / "b", seed=2)
    assert first == second != other


def test_scores_are_the_same_on_any_number_of_threads(folder: Path) -> None:
    """P-5: bit for bit, also one row at a time."""
    rows = tiny_scorer.random_rows(700, seed=5)
    one, three = Scorer.load(folder, folder.name, 1), Scorer.load(folder, folder.name, 3)
    whole = one.score(rows).margin
    assert np.array_equal(whole, three.score(rows).margin)
    singly = [one.score(rows.slice(at, 1)).margin[0] for at in range(40)]
    assert np.array_equal(whole[:40], singly)


def test_a_promotion_takes_two_persons_and_remembers_the_one_before(
    folder: Path, clock: object
) -> None:
    """The same name twice, in any case, is one person."""
    now = clock.now()  # type: ignore[attr-defined]
    other = tiny_scorer.write_tiny_bundle(folder.parent, seed=9)
    for approver in ("Li", "li ", " LI"):
        with pytest.raises(Refused, match="two different persons"):
            write_champion(folder.parent, folder.name, by="Li", approved_by=approver, at=now)
    write_champion(folder.parent, folder.name, by="Li", approved_by="Wang", at=now)
    write_champion(folder.parent, other, by="Wang", approved_by="Li", at=now)
    champion = read_champion(folder.parent)
    assert (champion.scorer, champion.previous) == (other, folder.name)


def test_a_digest_may_be_shortened_only_while_it_names_one(folder: Path) -> None:
    """Six digits at least, and one bundle."""
    assert find_digest(folder.parent, folder.name[:8]) == folder.name
    for start in (folder.name[:3], "zzzzzzzz", ""):
        with pytest.raises(NotFound):
            find_digest(folder.parent, start)
    os.mkdir(folder.parent / (folder.name[:8] + "0" * 56))  # noqa: PTH102
    with pytest.raises(NotFound):
        find_digest(folder.parent, folder.name[:8])


def test_a_scorer_found_again_leaves_its_bundle_in_place(folder: Path) -> None:
    """It may be the champion: nobody may find it gone, not even for a moment."""
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in sorted(folder.iterdir())]
    assert tiny_scorer.write_tiny_bundle(folder.parent) == folder.name
    after = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in sorted(folder.iterdir())]
    assert after == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_bundle_that_was_spoiled_is_put_right(folder: Path) -> None:
    (folder / "model.txt").write_text("spoiled", "utf-8")
    assert tiny_scorer.write_tiny_bundle(folder.parent) == folder.name
    assert bundle_digest(folder) == folder.name
