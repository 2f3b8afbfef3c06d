"""Commands at a terminal: short answers, hints where something must come first, no traceback."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import sys
from datetime import date, datetime
from pathlib import Path

import hamlet
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from asked_province import SPLITS, asked_home
from typer.testing import CliRunner, Result

from base.moment import FixedClock
from cli.demo import next_steps
from cli.main import app
from cli.options import shown
from clues.register import read_clues
from governance.home import Home
from scoring.champion import CHALLENGER, read_champion

OUTCOMES = (
    "clue_id,status,decided_at,reported_at\nx,case_filed,2024-01-01 00:00:00,2024-01-02 00:00:00\n"
)


def run(*words: object, wanted: int = 0) -> Result:
    """A command; its exit code is the wanted one and nothing but a refusal was raised."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == wanted, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


@pytest.fixture
def home(province: Home, tmp_path: Path) -> Home:
    return Home.open(shutil.copytree(province.path, tmp_path / "home"))


def test_training_tells_a_short_table(province: Home, tmp_path: Path) -> None:
    """A line per ranking, the remarks, and where the rest is; not a screen of JSON."""
    asked = asked_home(province, tmp_path, splits=SPLITS[-1:])
    told = run("train", "asked", "--home", asked.path).stdout
    lines = told.splitlines()
    assert lines[0].split()[0] == "AUC"
    assert [line.split()[0] for line in lines[1:5]] == [
        "scorer",
        *("base_rate", "severity", "first_come"),
    ]
    assert "mean over 1 split: " in told
    assert "- calibrated forward over" in told
    assert "report: " in told
    assert len(told) < 3_000
    assert max(map(len, lines[:8])) <= 120


def test_features_of_a_file_that_cannot_be_used(home: Home, tmp_path: Path) -> None:
    """Absent, no Parquet, without ids, ids of no clue: each refused, nothing written."""
    out = tmp_path / "deep" / "features.parquet"
    wrong, other, unknown = (tmp_path / name for name in ("a.parquet", "b.parquet", "c.parquet"))
    wrong.write_text("clue_id\n", "utf-8")
    pq.write_table(pa.table({"id": ["x"]}), other)
    known = read_clues(home)["clue_id"].to_pylist()[:2]
    pq.write_table(pa.table({"clue_id": [*known, "x", "y"]}), unknown)
    for file, told in (
        (tmp_path / "none.parquet", "no such file"),
        (wrong, "a Parquet file with a column clue_id"),
        (other, "a Parquet file with a column clue_id"),
        (unknown, "2 of 4 that no clue has, such as 'x'"),
    ):
        done = run("features", "--clues", file, "--output", out, "--home", home.path, wanted=2)
        assert told in done.stderr
    assert not out.exists()
    pq.write_table(pa.table({"clue_id": known}), unknown)
    run("features", "--clues", unknown, "--output", out, "--home", home.path)
    assert sorted(pq.read_table(out)["clue_id"].to_pylist()) == sorted(known)


def test_the_champion_is_not_promoted_again(home: Home) -> None:
    """It would become its own predecessor."""
    before = read_champion(home.scorers)
    two = ("--by", "Li", "--approved-by", "Wang")
    told = run("promote", before.scorer, *two, "--home", home.path, wanted=2).stderr
    assert "the champion since" in told
    assert read_champion(home.scorers) == before


def test_a_shadow_before_any_request_says_what_must_come_first(home: Home) -> None:
    """No clue was scored by both: the hint names the service."""
    note = {"scorer": "f" * 64, "by": "retrain", "set_at": "2026-01-02T12:00:00", "passed": True}
    (home.scorers / CHALLENGER).write_text(json.dumps(note), "utf-8")
    told = run("shadow", "--home", home.path)
    assert "clues: 0" in told.stdout
    assert "clues serve" in told.stderr


def test_outcomes_admitted_as_records_name_the_right_command(home: Home, tmp_path: Path) -> None:
    """A plain file of outcomes lacks the clue's own columns; `clues outcome` adds them."""
    file = tmp_path / "outcomes.csv"
    file.write_text(OUTCOMES, "utf-8")
    done = run("admit", "outcomes", file, "--home", home.path)
    assert "clues outcome FILE" in done.stderr


@pytest.mark.parametrize("found", [True, False])
def test_a_demo_that_does_not_serve_tells_commands_that_work(
    tmp_path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    """Each line as it is printed; `serve` would not end, so it is asked for help only. A shell that
    would not find the command is told where it lies."""
    program_file = tmp_path / "bin" / "clues"
    program_file.parent.mkdir()
    program_file.write_text("#!/bin/sh\n", "utf-8")
    program_file.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program_file)])
    monkeypatch.setenv("PATH", str(program_file.parent) if found else "/nowhere")
    expected = "clues" if found else os.path.relpath(program_file)
    told = next_steps(hamlet.settled_hamlet(tmp_path, clock, persons=1).path)
    lines = [shlex.split(line, comments=True) for line in told.splitlines() if "clues" in line]
    assert [words[1] for words in lines] == ["serve", "account", "key"]
    for program, *words in lines:
        assert program == expected
        run(*words, *(["--help"] if words[0] == "serve" else ["--json"]))


def test_lists_at_a_terminal_show_no_value_of_python(home: Home) -> None:
    """What is not known is a dash, a day is a day, a list its parts; JSON keeps all of it."""
    told = "".join(
        run(*words, "--home", home.path).stdout
        for words in (["catalogue"], ["freshness"], ["models"], ["key", "list"], ["jobs"])
    )
    for left in ("None", "datetime", "[", "{", "True", "False"):
        assert left not in told, left
    assert shown(None) == shown([]) == "-"
    assert shown(datetime(2026, 1, 2, 3, 4, 5, 678)) == "2026-01-02 03:04:05"
    assert shown({"at": date(2026, 1, 2), "of": ["a", None]}) == "(at 2026-01-02, of a; -)"
    assert (shown(True), shown(0.02700987585769246), shown(0)) == ("yes", "0.0270099", "0")


def test_the_catalogue_counts_as_many_record_sets_as_every_other_page(home: Home) -> None:
    """Those that are declared; the register of clues stands beside them."""
    told = json.loads(run("catalogue", "--home", home.path, "--json").stdout)
    stands = json.loads(run("freshness", "--home", home.path, "--json").stdout)
    names = [each["record_set"] for each in told["record_sets"]]
    assert names == [each["record_set"] for each in stands["record_sets"]]
    assert told["clues"]["rows"] > 0


def test_a_port_in_use_is_told_with_its_cure(home: Home) -> None:
    """Wanted, got and cure, and nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run("serve", "--home", home.path, "--port", port, wanted=2).stderr
    assert f"127.0.0.1:{port}, where another program listens" in told
    assert f"--port {port + 1}" in told
    told = run("serve", "--home", home.path, "--host", "192.0.2.1", wanted=2).stderr
    assert "wanted an address to listen on" in told
