"""Clues are raised once: same subject, same ground, one clue, whoever finds it and when."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import hamlet
import pyarrow as pa
import pytest

from base.errors import NotFound, Refused
from base.moment import FixedClock
from clues.clue import clue_id
from clues.raising import raise_until, rehearse
from clues.register import read_clues
from clues.supervision import load_supervision_models
from governance.home import Home
from governance.intake import admit_table
from governance.jurisdiction import load_jurisdiction


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock) -> Home:
    return hamlet.settled_hamlet(tmp_path, clock)


def add_model(home: Home, name: str, **changes: str) -> None:
    """Another supervision model, the hamlet's own with parts replaced."""
    text = hamlet.MODEL
    for old, new in changes.items():
        text = text.replace({"severity": "severity: 3", "ground": "pension_after_death"}[old], new)
    folder = home.jurisdiction.folder / "supervision"
    (folder / f"{name}.sql").write_text(text, "utf-8")


def test_a_clue_carries_its_moment_and_the_records_that_say_so(home: Home) -> None:
    """Raised in the first cycle after the death was reported, never before."""
    for row in read_clues(home).to_pylist():
        assert row["raised_at"] == row["known_at"] == datetime(2024, 7, 1)
        assert row["clue_id"] == clue_id("pension_after_death", row["subject_id"], "-")
        assert row["evidence"]
        assert all(each.startswith("deaths/") for each in row["evidence"])


def test_raising_again_raises_nothing_new(home: Home) -> None:
    """The same cycles are not run twice; later ones find the same clues and merge them."""
    before = read_clues(home)
    assert raise_until(home, datetime(2024, 7, 1))["paid_after_death"].raised == 0
    later = raise_until(home, datetime(2024, 9, 1))["paid_after_death"]
    assert (later.raised, later.merged) == (0, 24)
    assert read_clues(home).equals(before)


def test_two_supervision_models_on_one_ground_find_one_clue(
    tmp_path: Path, clock: FixedClock
) -> None:
    """The more severe one, run first, has it; the other merges."""
    folder = hamlet.write_hamlet(tmp_path / "hamlet")
    home = Home.create(tmp_path / "home", load_jurisdiction(folder))
    add_model(home, "severe", severity="severity: 5")
    add_model(home, "other_ground", ground="other_ground")
    person = {"person_id": ["p"], "agency_id": ["x"], "office_id": ["A"], "amount_cents": [5]}
    paid = {"payment_no": ["n"], **person, "paid_on": [datetime(2024, 3, 1).date()]}
    died = {"person_id": ["p"], "died_on": [datetime(2024, 2, 1).date()]}
    admit_table(home, "payments", pa.table(paid), clock)
    reported = {**died, "reported_on": [datetime(2024, 2, 20).date()]}
    admit_table(home, "deaths", pa.table(reported), clock)
    told = raise_until(home, datetime(2024, 4, 1))
    assert (told["severe"].raised, told["paid_after_death"].raised) == (1, 0)
    assert told["paid_after_death"].merged >= 1
    assert told["other_ground"].raised == 1
    models = read_clues(home)["supervision_model"].to_pylist()
    assert sorted(models) == ["other_ground", "severe"]


def test_a_supervision_model_sees_only_what_was_known(tmp_path: Path, clock: FixedClock) -> None:
    """A death reported on 10 June raises nothing in the cycle of 1 June (P-15)."""
    home = hamlet.settled_hamlet(tmp_path, clock, persons=1)
    moments = read_clues(home)["raised_at"].to_pylist()
    assert moments == [datetime(2024, 7, 1)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("FROM payments p", "FROM paymnts p", "write 'payments'"),
        ("columns: [amount_cents", "columns: [amount_cent", "write 'amount_cents'"),
        ("severity: 3", "severity: 9", "severity"),
        ("severity: 3", "severty: 3", "write 'severity'"),
        ("function: public_interest", "function: tax", "criminal"),
        ("SELECT p.person_id", "DROP TABLE payments; SELECT p.person_id", "one SELECT"),
        ("FROM payments p", "FROM read_csv('/etc/passwd') p", "allowed function"),
        ("GROUP BY", "GRUOP BY", "SQL that parses"),
        ("/* ---", "/* --", "YAML head"),
    ],
)
def test_a_faulty_file_is_refused_by_name_with_its_cure(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    """wanted, got, cure, and which file."""
    folder = hamlet.write_hamlet(tmp_path / "hamlet")
    path = folder / "supervision" / "paid_after_death.sql"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    with pytest.raises(Refused) as refusal:
        load_supervision_models(load_jurisdiction(folder))
    assert told in str(refusal.value)
    assert "paid_after_death.sql" in str(refusal.value)


def test_a_schedule_may_not_look_at_how_things_ended() -> None:
    """raised: by_column with an outcome column or a star is refused; the real one is not."""
    root = Path(__file__).resolve().parents[2] / "jurisdictions" / "chicago"
    jurisdiction = load_jurisdiction(root)
    names = {model.name for model in load_supervision_models(jurisdiction)}
    assert names == {"canvass", "facility_due"}


@pytest.mark.parametrize("peek", ["i.result", "i.n_critical", "i.*"])
def test_peeking_at_the_outcome_is_refused(tmp_path: Path, peek: str) -> None:
    """Named or by a star."""
    import shutil

    root = Path(__file__).resolve().parents[2] / "jurisdictions" / "chicago"
    folder = shutil.copytree(root, tmp_path / "chicago")
    path = folder / "supervision" / "canvass" / "model.sql"
    text = path.read_text("utf-8").replace("i.facility_type,", f"i.facility_type, {peek},", 1)
    path.write_text(text, "utf-8")
    with pytest.raises(Refused, match=r"outcome|stood when"):
        load_supervision_models(load_jurisdiction(folder))


def test_a_rehearsal_tells_what_would_be_raised_and_stores_nothing(home: Home) -> None:
    """The same counts as the raising after it; subjects are told by their shape."""
    add_model(home, "other_ground", ground="other_ground")
    before = read_clues(home)
    told = rehearse(home, datetime(2024, 9, 1), samples=2)
    alone = rehearse(home, datetime(2024, 9, 1), only=["other_ground"])
    assert read_clues(home).equals(before)
    raised = raise_until(home, datetime(2024, 9, 1))
    assert {n: (t.raised, t.merged, t.runs) for n, t in told.items()} == {
        n: (r.raised, r.merged, r.runs) for n, r in raised.items()
    }
    assert told["other_ground"].raised == 12
    assert alone["other_ground"].raised == 12
    assert set(alone) == {"other_ground"}
    samples = told["other_ground"].samples
    assert len(samples) == 2
    assert {each["subject_id"] for each in samples} <= {"a9", "a99"}
    assert all("clue_id" in each and each["office_id"] in "AB" for each in samples)
    with pytest.raises(NotFound, match="write 'other_ground'"):
        rehearse(home, datetime(2024, 9, 1), only=["other_grund"])


def test_a_clue_knows_the_version_that_raised_it(home: Home) -> None:
    """A letter changed is another version: earlier clues keep theirs, later ones have the new."""
    [first] = set(read_clues(home)["model_version"].to_pylist())
    folder = home.jurisdiction.folder / "supervision"
    text = (folder / "paid_after_death.sql").read_text("utf-8")
    (folder / "paid_after_death.sql").write_text(text + "-- mended\n", "utf-8")
    late = {"person_id": ["p99"], "died_on": [datetime(2024, 2, 1).date()]}
    late["reported_on"] = [datetime(2024, 8, 1).date()]
    admit_table(home, "deaths", pa.table(late), FixedClock(datetime(2026, 1, 2)))
    paid = hamlet.payment("n99", 99, datetime(2024, 3, 1).date())
    admit_table(home, "payments", paid, FixedClock(datetime(2026, 1, 2)))
    raise_until(home, datetime(2024, 9, 1))
    versions = {row["subject_id"]: row["model_version"] for row in read_clues(home).to_pylist()}
    assert versions.pop("p99") not in {first, *versions.values()}
    assert set(versions.values()) == {first}


UNTIL = datetime(2024, 9, 1)


def mend(
    home: Home, name: str = "paid_after_death", old: str = "", new: str = "-- mended\n"
) -> None:
    """Another version of a supervision model: a part replaced, or a line put at its end."""
    path = home.jurisdiction.folder / "supervision" / f"{name}.sql"
    text = path.read_text("utf-8")
    path.write_text(text.replace(old, new) if old else text + new, "utf-8")


def test_a_mended_supervision_model_runs_over_history_again(home: Home) -> None:
    """One that could find nothing, mended: nine cycles, twelve clues; the dry run says so."""
    add_model(home, "trial", ground="trial")
    mend(home, "trial", "GROUP BY", "WHERE false GROUP BY")
    assert raise_until(home, UNTIL)["trial"].raised == 0
    mend(home, "trial", "WHERE false GROUP BY", "GROUP BY")
    told = rehearse(home, UNTIL, only=["trial"])["trial"]
    assert (told.raised, told.runs, told.up_to_date_until) == (12, 9, None)
    assert len(told.samples) == 3
    raised = raise_until(home, UNTIL)
    assert (raised["trial"].raised, raised["trial"].runs) == (12, 9)
    assert raised["paid_after_death"].runs == 0
    assert set(read_clues(home)["raised_at"].to_pylist()) == {datetime(2024, 7, 1)}


def test_what_a_version_found_stays_its_own_when_the_next_finds_it_again(home: Home) -> None:
    """All cycles once more, and not one clue more; done so, that version is not due again."""
    before = read_clues(home)
    mend(home)
    told = raise_until(home, UNTIL)["paid_after_death"]
    assert (told.raised, told.merged, told.runs) == (0, 36, 9)
    assert read_clues(home).equals(before)
    mend(home, old="-- mended\n", new="")
    assert raise_until(home, UNTIL)["paid_after_death"].runs == 2
    mend(home)
    assert raise_until(home, UNTIL)["paid_after_death"].runs == 0


def test_a_dry_run_runs_also_where_nothing_is_due_and_says_so(home: Home) -> None:
    """All cycles, so that who mends sees what it finds; a raising says the same, and runs none."""
    last = raise_until(home, UNTIL)["paid_after_death"]
    told = rehearse(home, UNTIL)["paid_after_death"]
    assert last.up_to_date_until is None
    assert (told.raised, told.merged, told.runs, told.up_to_date_until) == (0, 36, 9, UNTIL)
    again = raise_until(home, datetime(2024, 9, 15))["paid_after_death"]
    assert (again.runs, again.up_to_date_until) == (0, UNTIL)


def test_a_note_of_before_versions_runs_nothing_again_unless_the_version_is_another(
    home: Home,
) -> None:
    """It named no version: that of the newest clue ran; where none was raised, the present one."""
    add_model(home, "never", ground="never")
    mend(home, "never", "GROUP BY", "WHERE false GROUP BY")
    old = json.dumps(dict.fromkeys(("paid_after_death", "never", "gone"), "2024-07-01T00:00:00"))
    note = home.path / "raised.json"
    for mended, runs in ((False, 0), (True, 7)):
        if mended:
            mend(home)
        note.write_text(old, "utf-8")
        told = raise_until(home, datetime(2024, 7, 1))
        assert {name: count.runs for name, count in told.items()} == {
            "paid_after_death": runs, "never": 0,
        }  # fmt: skip
