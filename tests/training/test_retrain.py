"""Retraining ends in a proposal; promoting asks the rule; rolling back needs no registry."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from base.errors import Conflict, NotReady, Refused
from base.moment import FixedClock
from base.progress import silent
from clues.register import read_clues
from dispatch.outcome import take_outcomes
from governance.home import Home
from governance.reading import Records
from scoring.bundle import read_manifest
from scoring.champion import read_challenger, read_champion
from scoring.registry import CHALLENGER, CHAMPION, client, registered_name
from training.experiment import Experiment, find_experiment
from training.jobs import Jobs
from training.promote import promote, roll_back
from training.promotion_rule import PromotionRule
from training.retrain import _alone, moved_on, require_something_new, retrain
from training.side_by_side import weigh

ROOT = Path(__file__).resolve().parents[2]
TWO = {"by": "Li", "approved_by": "Wang"}
NOON = datetime(2026, 1, 2, 12)
HARSH = PromotionRule(
    cases_found_gain_at_least=1.0, tail_recall_loss_worse_by_at_most=1.0, ece_at_most=0.0
)


def copy_of(home: Home, folder: Path) -> Home:
    return Home.open(shutil.copytree(home.path, folder / "home"))


def late_outcomes(home: Home, folder: Path, count: int = 40) -> Path:
    """Outcomes, known in time, of clues that teach and of which none was told."""
    _, experiment = find_experiment(home.jurisdiction.folder / "experiments", "became_case")
    last = experiment.splits[-1]
    with Records(home) as records:
        told = set(records.arrow("outcomes", ["clue_id"])["clue_id"].to_pylist())
    clues = [
        row
        for row in read_clues(home).to_pylist()
        if last.train_from <= row["raised_at"] < last.train_until and row["clue_id"] not in told
    ]
    path = folder / "late.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["clue_id", "status", "decided_at", "reported_at"])
        for number, clue in enumerate(clues[:count]):
            status = "case_filed" if number % 4 == 0 else "unfounded"
            days = [(clue["raised_at"] + timedelta(days=n)).isoformat() for n in (20, 25)]
            writer.writerow([clue["clue_id"], status, *days])
    return path


@pytest.fixture(scope="module")
def retrained(
    province: Home, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, dict[str, Any], bytes]:
    """A province after late outcomes and a retraining, and its champion's note from before."""
    folder = tmp_path_factory.mktemp("retrained")
    home = copy_of(province, folder)
    before = (home.scorers / "champion.json").read_bytes()
    taken = take_outcomes(home, late_outcomes(home, folder), FixedClock(NOON))
    assert taken["accepted"] == 40
    return home, retrain(home, "became_case", FixedClock(NOON), silent()), before


@pytest.fixture
def proposed(
    retrained: tuple[Home, dict[str, Any], bytes], tmp_path: Path
) -> tuple[Home, dict[str, Any]]:
    """A copy of it that a test may change."""
    return copy_of(retrained[0], tmp_path), retrained[1]


def test_a_retraining_proposes_and_never_promotes(
    retrained: tuple[Home, dict[str, Any], bytes],
) -> None:
    """The champion's note stays byte for byte; the proposal has reasons, figures, intervals."""
    home, told, before = retrained
    assert (home.scorers / "champion.json").read_bytes() == before
    champion = read_champion(home.scorers).scorer
    assert told["scorer"] != champion == told["champion"]
    proposal = json.loads(Path(told["proposal"]).read_text("utf-8"))
    assert Path(told["proposal"]) == home.path / "proposals" / f"{told['scorer']}.json"
    assert (proposal["run"], proposal["champion"]) == (told["run"], champion)
    rules = [reason["rule"] for reason in proposal["reasons"]]
    assert rules == ["cases_found", "tail_recall", "calibration", "fairness"]
    assert proposal["figures"]["rows"]["labelled"] > 0
    for figures in (proposal["figures"]["challenger"], proposal["figures"]["champion"]):
        assert 0.5 < figures["auc"] < 1
    interval = proposal["paired"]["cases_found"]
    assert interval["low"] <= interval["difference"] <= interval["high"]


def test_the_proposed_scorer_is_the_challenger_in_home_and_registry(
    retrained: tuple[Home, dict[str, Any], bytes],
) -> None:
    """Beside the champion, whose alias stays."""
    home, told, _ = retrained
    challenger = read_challenger(home.scorers)
    assert challenger is not None
    assert (challenger.scorer, challenger.passed) == (told["scorer"], told["passed"])
    aliased = {
        alias: client(home).get_model_version_by_alias(registered_name(home), alias).tags["digest"]
        for alias in (CHAMPION, CHALLENGER)
    }
    assert aliased == {CHAMPION: told["champion"], CHALLENGER: told["scorer"]}


def test_a_scorer_weighed_has_the_figures_its_own_training_told(province: Home) -> None:
    """Scored anew from its bundle on the rows of its last split."""
    champion = read_champion(province.scorers).scorer
    weighed = weigh(province, champion)
    assert weighed.champion is None  # nothing is compared with itself
    store = client(province)
    run = store.get_model_version_by_alias(registered_name(province), CHAMPION).run_id
    for name in ("auc", "ece", "tail_recall_loss"):
        told = max(store.get_metric_history(run, f"split/{name}"), key=lambda each: each.step)
        assert weighed.figures["challenger"][name] == pytest.approx(told.value, abs=1e-12)


def test_nothing_new_and_nothing_ripe_are_refused(province: Home, tmp_path: Path) -> None:
    """Exit 2 with the cure on the command line; an outcome that changes no label is not new."""
    home = copy_of(province, tmp_path)
    code = "from cli.main import run; run()"
    words = ("retrain", "anhui/became_case", "--home", str(home.path), "--json")
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 2
    fault = json.loads(done.stdout)["faults"][0]
    assert "new since the champion" in fault["wanted"]
    assert "clues outcome" in fault["cure"]
    late = late_outcomes(home, tmp_path)
    text = late.read_text("utf-8").splitlines()
    rows = [line.split(",") for line in text[1:]]
    after = [",".join([r[0], r[1], "2025-11-01T00:00:00", "2025-11-02T00:00:00"]) for r in rows]
    late.write_text("\n".join([text[0], *after]) + "\n", "utf-8")
    take_outcomes(home, late, FixedClock(NOON))
    with pytest.raises(NotReady, match="new since the champion"):
        retrain(home, "became_case", FixedClock(NOON), silent())
    assert not (home.path / "proposals").exists()


@pytest.mark.parametrize("passed", [True, False])
def test_what_stands_proposed_or_was_refused_is_not_proposed_again(
    proposed: tuple[Home, dict[str, Any]], passed: bool
) -> None:
    """On the same labels nothing is trained, and the refusal says which scorer stands and how; the
    proposal and the challenger stay as they are. A word of weighing alone does as well."""
    home, told = proposed
    path = home.path / "proposals" / f"{told['scorer']}.json"
    note = json.loads(path.read_text("utf-8"))
    for reason in note["reasons"]:
        reason["passed"] = passed or reason["rule"] != "calibration"
    path.write_text(json.dumps({**note, "passed": passed}), "utf-8")
    before = path.read_bytes(), (home.scorers / "challenger.json").read_bytes()
    said = "met the promotion rule and waits" if passed else r"did not meet.*\(calibration\)"
    with pytest.raises(NotReady, match=rf"scorer {told['scorer'][:12]}.*{said}"):
        retrain(home, "became_case", FixedClock(NOON), silent())
    assert (path.read_bytes(), (home.scorers / "challenger.json").read_bytes()) == before
    _, experiment = find_experiment(home.jurisdiction.folder / "experiments", "became_case")
    require_something_new(home, "another", experiment)  # another question is new
    path.write_text(json.dumps({**note, "champion": told["scorer"]}), "utf-8")
    require_something_new(home, "became_case", experiment)  # weighed beside another champion


def test_nothing_ripe_tells_how_many_wait(province: Home, tmp_path: Path) -> None:
    """A horizon longer than the history: no label, so no training."""
    lag, survival = "reporting_lag_days: 30", ", survival: {step_days: 30}"
    old, new = f"horizon_days: 270, {lag}{survival}", f"horizon_days: 1300, {lag}"
    home = with_own_jurisdiction(province, tmp_path, old, new)
    with pytest.raises(NotReady, match=r"ripe by 2024-09-01.*not ripe yet"):
        retrain(home, "became_case", FixedClock(NOON), silent())


def with_own_jurisdiction(province: Home, folder: Path, old: str, new: str) -> Home:
    """A copy of the province whose experiment says `new` instead of `old`."""
    home = copy_of(province, folder)
    own = shutil.copytree(home.jurisdiction.folder, folder / "anhui")
    path = own / "experiments" / "became_case.yaml"
    assert old in path.read_text("utf-8")
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    (home.path / "home.json").write_text(json.dumps({"jurisdiction": str(own)}), "utf-8")
    return Home.open(home.path)


def test_one_retraining_at_a_time(province: Home, tmp_path: Path) -> None:
    """A second one is told so at once."""
    home = copy_of(province, tmp_path)
    with _alone(home), pytest.raises(Conflict, match="one retraining at a time"):
        retrain(home, "became_case", FixedClock(NOON), silent())


def test_a_rule_that_is_not_met_refuses_with_every_reason_unless_one_is_given(
    proposed: tuple[Home, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both unmet reasons are told; the champion stays; `despite` is kept with the two names."""
    home, told = proposed
    monkeypatch.setattr("training.side_by_side.load_promotion_rule", lambda _: HARSH)
    before = (home.scorers / "champion.json").read_bytes()
    clock = FixedClock(NOON)
    for despite in (None, "", "  "):
        with pytest.raises(Refused) as refusal:
            promote(home, told["scorer"], clock=clock, despite=despite, **TWO)
    places = [fault.where.split()[0] for fault in refusal.value.faults]
    assert places == ["cases_found", "calibration"]
    assert "--despite" in refusal.value.cure
    with pytest.raises(Refused, match="two different persons"):
        promote(home, told["scorer"], by="Li", approved_by="li", clock=clock, despite="an order")
    assert (home.scorers / "champion.json").read_bytes() == before
    answer = promote(home, told["scorer"], clock=clock, despite="new law in force", **TWO)
    assert (answer["champion"], answer["previous"]) == (told["scorer"], told["champion"])
    assert answer["passed"] is False
    kept = read_champion(home.scorers)
    assert (kept.by, kept.approved_by, kept.why) == ("Li", "Wang", "new law in force")
    assert kept.failed == ("cases_found", "calibration")


def test_a_scorer_whose_test_rows_are_gone_cannot_be_judged(
    proposed: tuple[Home, dict[str, Any]],
) -> None:
    """No figures are no reason for it."""
    home, told = proposed
    shutil.rmtree(Path(home.reports / f"became_case-{told['scorer'][:12]}"))
    with pytest.raises(Refused, match="not kept here"):
        promote(home, told["scorer"], clock=FixedClock(NOON), **TWO)


def test_promotion_moves_both_aliases_and_the_way_back_needs_no_registry(
    proposed: tuple[Home, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the registry on a server that is gone, one command puts the champion back."""
    home, told = proposed
    clock = FixedClock(NOON)
    answer = promote(home, told["scorer"], clock=clock, despite="a trial", **TWO)
    assert answer["registry"] == "told"
    aliases = client(home).get_registered_model(registered_name(home)).aliases
    assert set(aliases) == {CHAMPION}
    assert read_challenger(home.scorers) is None
    monkeypatch.setenv("CLUES_TRACKING_URI", "http://127.0.0.1:9")
    for none in (None, "", "  "):
        with pytest.raises(Refused, match=r"why the champion is taken back.*--why"):
            roll_back(home, clock=clock, why=none, **TWO)
    back = roll_back(home, clock=clock, why="worse", **TWO)
    assert (back["champion"], back["taken_back"]) == (told["champion"], told["scorer"])
    assert back["previous"] is None, "where the next roll back leads: nowhere"
    assert back["registry"].startswith("away")
    assert read_champion(home.scorers).scorer == told["champion"]
    with pytest.raises(NotReady, match="before this one"):
        roll_back(home, clock=clock, why="worse", **TWO)


def test_a_scorer_of_other_features_is_not_put_in_use(
    proposed: tuple[Home, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service would refuse it; `despite` does not help."""
    home, told = proposed
    other = SimpleNamespace(fingerprint="0" * 64)
    monkeypatch.setattr("training.promote.declared_features", lambda _: other)
    with pytest.raises(Refused, match="feature definitions"):
        promote(home, told["scorer"], clock=FixedClock(NOON), despite="an order", **TWO)


@pytest.mark.slow
def test_a_job_retrains_and_proposes(proposed: tuple[Home, dict[str, Any]]) -> None:
    """As by hand: the same scorer and proposal; once it is the champion there is nothing new."""
    home, told = proposed
    clock = FixedClock(NOON)
    jobs = Jobs(home, clock)
    jobs.retrain_later("anhui/became_case")
    shutil.rmtree(home.path / "proposals")
    (ended,) = jobs.work_until_empty()
    assert ended["state"] == "proposed"
    proposal = json.loads(Path(ended["said"]).read_text("utf-8"))
    assert (proposal["scorer"], proposal["champion"]) == (told["scorer"], told["champion"])
    promote(home, told["scorer"], clock=clock, despite="a trial", **TWO)
    jobs.retrain_later("became_case")
    (ended,) = jobs.work_until_empty()
    assert ended["state"] == "refused"
    assert "new since the champion" in ended["said"]


def test_splits_move_on_as_far_as_clues_are_ripe(province: Home) -> None:
    """Whole months, the same lengths; not a day beyond what is ripe; a rolling origin rolls on."""
    _, experiment = find_experiment(province.jurisdiction.folder / "experiments", "became_case")
    last = experiment.splits[-1]
    ripe = experiment.label.horizon.after(last.test_until) + timedelta(days=30)
    assert moved_on(experiment, ripe + timedelta(days=27)) is experiment
    moved = moved_on(experiment, datetime(2027, 1, 1))
    assert moved.splits[-1].test_until == datetime(2026, 3, 1)
    assert moved.splits[-1].test_from == datetime(2025, 9, 1)
    assert moved.splits[-1].train_from == last.train_from
    assert [type(split) for split in moved.splits] == [type(split) for split in experiment.splits]
    declared = experiment.model_dump(exclude={"splits", "rolling"})
    rolling = {
        "train_from": "2021-04-01",
        "first_test": "2024-01-01",
        "test_months": 3,
        "every_months": 3,
        "until": "2024-07-01",
    }
    rolled = Experiment.model_validate({**declared, "rolling": rolling})
    assert len(moved_on(rolled, datetime(2026, 1, 1)).splits) == 4


def test_the_manifest_tells_what_a_retraining_learned_from(
    retrained: tuple[Home, dict[str, Any], bytes],
) -> None:
    """The versions of the records moved on with the outcomes that were admitted."""
    home, told, _ = retrained
    new, old = (
        read_manifest(home.scorers / digest) for digest in (told["scorer"], told["champion"])
    )
    assert new.versions["outcomes"] == old.versions["outcomes"] + 1
    assert new.training_set != old.training_set


def test_a_retraining_is_judged_on_the_newest_ripe_clues(province: Home, tmp_path: Path) -> None:
    """Nobody edits the dates: the last test moves on with the outcomes that are known by now."""
    home = copy_of(province, tmp_path)
    _, declared = find_experiment(home.jurisdiction.folder / "experiments", "became_case")
    late = late_outcomes(home, tmp_path, count=1)
    head, row = late.read_text("utf-8").split()
    told_late = ",".join([*row.split(",")[:2], "2026-03-01T00:00:00", "2026-03-02T00:00:00"])
    late.write_text(f"{head}\n{told_late}\n", "utf-8")
    later = FixedClock(datetime(2026, 11, 1))
    take_outcomes(home, late, later)
    moved = moved_on(declared, datetime(2026, 3, 3)).splits[-1]
    assert moved.test_from == datetime(2024, 11, 1)
    told = retrain(home, "became_case", later, silent())
    assert read_manifest(home.scorers / told["scorer"]).trained_until == moved.test_from.isoformat()
    scores = pq.read_table(Path(told["report"]).parent / "test_scores.parquet")
    raised = scores.filter(pc.field("split") == 2)["raised_at"].to_pylist()
    assert moved.test_from <= min(raised) <= max(raised) < moved.test_until
