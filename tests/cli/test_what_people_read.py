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
from cli.demo import judged_by, next_steps
from cli.main import app
from cli.options import shown
from clues.register import read_clues
from features.declared import declared_features
from governance.home import Home
from governance.jurisdiction import BUNDLED
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


def test_the_share_of_quarantined_rows_is_one_number(home: Home) -> None:
    """The catalogue's and that of freshness, of every record set."""
    told = json.loads(run("catalogue", "--home", home.path, "--json").stdout)
    stands = json.loads(run("freshness", "--home", home.path, "--json").stdout)
    shares = {each["record_set"]: each["quarantined_share"] for each in told["record_sets"]}
    assert shares == {
        each["record_set"]: each["quarantined_share"] for each in stands["record_sets"]
    }
    assert any(shares.values())


def test_a_file_of_which_nothing_is_admitted_is_told_loudly_and_counted_by_reason(
    home: Home, tmp_path: Path
) -> None:
    """Three rows with a date of no form; the quarantine tells the reason once, then few rows."""
    file = tmp_path / "deaths.csv"
    file.write_text("person_id,died_on\n" + "x,never\n" * 3, "utf-8")
    done = run("admit", "deaths", file, "--home", home.path)
    assert "NOTHING WAS ADMITTED: all 3 rows" in done.stderr
    assert "NOTHING" not in run("outcome", _one_outcome(home, tmp_path), "--home", home.path).stderr
    shown = run("quarantine", "deaths", "--home", home.path, "--limit", 2)
    every = json.loads(run("quarantine", "deaths", "--home", home.path, "--json").stdout)["rows"]
    lines = shown.stdout.splitlines()
    assert lines[0] == f"quarantined: {len(every)}"
    assert lines[1].startswith("reasons: ")
    assert lines[-3] == "rows: 2"
    assert f"2 of {len(every)} rows are shown" in shown.stderr


def _one_outcome(home: Home, tmp_path: Path) -> Path:
    clue = read_clues(home)["clue_id"][0].as_py()
    file = tmp_path / "outcome.csv"
    file.write_text(OUTCOMES.replace("\nx,", f"\n{clue},"), "utf-8")
    return file


def test_an_office_that_there_is_not_is_told_with_the_nearest(home: Home) -> None:
    """With what was typed, and the first that are as near, in their order."""
    words = ("create", "--role", "reviewer", "--office", "AH99", "--home", home.path)
    told = run("key", *words, wanted=2).stderr
    assert "got 'AH99'; cure: write 'AH09'" in told


def test_a_dry_run_of_retention_tells_what_it_would_remove(home: Home) -> None:
    """A person reads that alone; a program finds the same under both names."""
    words = ("retention", "--dry-run", "--home", home.path)
    shown = run(*words).stdout
    assert "would_remove: " in shown
    assert "removed" not in shown.replace("would_remove", "")
    told = json.loads(run(*words, "--json").stdout)
    assert told["would_remove"] == told["removed"]


def test_raising_tells_of_clues_that_were_found_again(home: Home) -> None:
    """`merged` in JSON, as programs know it."""
    words = ("raise", "--until", "2019-01-01", "--home", home.path)
    shown = run(*words).stdout
    assert "found again: " in shown
    assert "merged" not in shown
    counts = json.loads(run(*words, "--json").stdout)
    assert all("merged" in each for each in counts.values())


def test_a_port_in_use_is_told_with_its_cure(home: Home) -> None:
    """Wanted, got and cure, and nothing is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run("serve", "--home", home.path, "--port", port, wanted=2).stderr
    assert f"127.0.0.1:{port}, where another program listens" in told
    assert f"--port {port + 1}" in told
    told = run("serve", "--home", home.path, "--host", "192.0.2.1", wanted=2).stderr
    assert "wanted an address to listen on" in told


def test_a_path_is_a_path_and_init_says_which_folder_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder called like a bundled jurisdiction is not passed over in silence."""
    monkeypatch.chdir(tmp_path)
    folder = hamlet.write_hamlet(tmp_path / "anhui")
    told = json.loads(run("init", "./anhui", "--home", "one", "--json").stdout)
    assert (told["jurisdiction"], told["folder"]) == ("hamlet", str(folder.resolve()))
    bundled = run("init", "anhui", "--home", "two")
    assert f"folder: {BUNDLED / 'anhui'}" in bundled.stdout
    assert "for the folder here write ./anhui" in bundled.stderr
    for path in ("./chicago", str(tmp_path / "chicago"), "anhui/"):
        done = run("init", path, "--home", "three", wanted=0 if path == "anhui/" else 2)
        assert "write ./" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LANGUAGE", "de", "CLUES_LANGUAGE: wanted one of 'zh' or 'en'; got 'de'"),
        ("THREADS", "abc", "CLUES_THREADS: wanted a whole number; got 'abc'"),
        ("THREADS", "0", "CLUES_THREADS: wanted a number of at least 1; got '0'"),
        ("PULL_URLS", "postgresql://u:secret@db", "CLUES_PULL_URLS: wanted JSON; got another text"),
        ("PULL_URLS", '{"db": ["secret"]}', "CLUES_PULL_URLS: wanted a text; got another value"),
        ("OIDC_ISSUER", "https://idp", "beside CLUES_OIDC_ISSUER; got not both"),
    ],
)
def test_a_wrong_setting_is_refused_like_everything_else(
    province: Home, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    """Wanted, got and cure, exit code 2; what may hold a password is not told."""
    monkeypatch.setenv(f"CLUES_{name}", value)
    for words in (["explain", "0" * 16], ["serve"]):
        done = run(*words, "--home", province.path, wanted=2)
        assert told in done.stderr
        assert "cure: " in done.stderr
        assert "secret" not in done.output


def test_without_a_file_the_features_are_listed(province: Home) -> None:
    """Each with its group, records, window and title; a file of no clues is still refused."""
    told = json.loads(run("features", "--home", province.path, "--json").stdout)
    names = [each["name"] for each in told["features"]]
    definitions = declared_features(province)
    assert (tuple(names), told["fingerprint"]) == (definitions.names, definitions.fingerprint)
    assert all(each["title"]["zh"] and each["title"]["en"] for each in told["features"])
    windows = {each["window"] for each in told["features"]}
    assert {None, "all", 365} <= windows
    shown = run("features", "--home", province.path).stdout
    assert f"features: {len(names)}" in shown
    assert "{" not in shown
    assert all(f"name {name}, group " in shown for name in names)
    refused = run("features", "--all", "--home", province.path, wanted=2).stderr
    assert "add --output" in refused


def test_many_refused_outcomes_are_counted_by_kind(home: Home, tmp_path: Path) -> None:
    """150 about clues that there are not: one reason, five rows; every row in JSON."""
    file = tmp_path / "outcomes.csv"
    head, row = OUTCOMES.splitlines()
    file.write_text("\n".join([head, *(row.replace("x,", f"x{n},") for n in range(150))]), "utf-8")
    done = run("outcome", file, "--home", home.path)
    assert "refused: 150" in done.stdout
    assert "reasons: 1\n  - rows 150, column clue_id" in done.stdout
    assert "first_refused: 5" in done.stdout
    assert "the first 5 of 150 refused rows are shown" in done.stderr
    assert len(done.stdout.splitlines()) < 20
    told = json.loads(run("outcome", file, "--home", home.path, "--json").stdout)
    assert len(told["refused"]) == 150


def test_the_catalogue_counts_columns_and_says_where_their_users_are(province: Home) -> None:
    """As many as JSON has."""
    told = json.loads(run("catalogue", "--home", province.path, "--json").stdout)["record_sets"]
    done = run("catalogue", "--home", province.path)
    assert "clues catalogue --record-set NAME" in done.stderr
    for entry, line in zip(told, done.stdout.splitlines()[1:], strict=False):
        users = [
            any(column[name] for name in ("supervision_models", "features", "scorers"))
            for column in entry["columns"]
        ]
        assert line.endswith(f", columns {len(users)}, used {sum(users)}")
    assert any(column["supervision_models"] for column in told[0]["columns"])


def test_figures_say_what_they_are_judged_by(home: Home) -> None:
    """Of the demo the simulator's truth; of a weighing the outcomes that were reported."""
    demo = json.loads((home.path / "demo.json").read_text("utf-8"))
    said = judged_by(demo)
    assert f"the simulator's truth of {demo['judged']} test clues, raised from 20" in said
    assert f"{demo['cases']} of them are cases" in said
    del demo["judged_from"]
    assert f"{demo['judged']} test clues:" in judged_by(demo)
    champion = read_champion(home.scorers).scorer
    (home.scorers / "champion.json").unlink()
    rows = json.loads(run("weigh", champion, "--home", home.path, "--json").stdout)["figures"]
    told = run("weigh", champion, "--home", home.path).stdout
    of = rows["rows"]
    assert (
        f"judged_on: the outcomes reported of {of['labelled']} of {of['clues']} test clues, raised"
        f" {of['from'][:10]} to {of['until'][:10]}: {of['cases']} cases\n"
    ) in told
