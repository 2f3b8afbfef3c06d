"""P-4: outcomes late, twice, out of order and corrected give one end state and one training set."""

from __future__ import annotations

import hashlib
import os
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import hamlet
import numpy as np
import pyarrow as pa
import pytest
import sqlalchemy as sa
from ledgers import Ticking

from base.moment import FixedClock
from clues.register import read_clues
from dispatch.endings import admit_endings
from dispatch.open_clues import open_clues
from dispatch.outcome import admit_outcomes, settle_source, take_outcomes
from dispatch.standing import history, state_of
from dispatch.transition import move
from governance.home import Home
from governance.reading import Records
from governance.source import from_table
from scoring.audit import verify
from scoring.ledger import open_ledger, writing
from scoring.ledger.tables import clue_states
from training.experiment import OutcomeLabel
from training.label import label_clues

STREAMS = int(os.environ.get("CLUES_TEST_STREAMS", "500"))
KINDS, FIRST = 10, datetime(2024, 8, 1)
# In the order of the contract: of two words of one time, the later in this list counts.
STATUSES = ("returned", "unfounded", "transferred", "case_filed", "case_withdrawn")
Word = tuple[str, str, str]


def words_of(kind: int) -> list[Word]:
    """Two to five words; some decided late, some reported on one day, one told twice."""
    draw = random.Random(f"words {kind}")
    words = []
    for _ in range(draw.randint(2, 5)):
        decided = FIRST + timedelta(days=draw.randint(0, 6))
        reported = decided + timedelta(days=draw.choice([0, 0, 1, 5]))
        words.append((draw.choice(STATUSES), f"{decided:%Y-%m-%d}", f"{reported:%Y-%m-%d}"))
    return [*words, words[0]]


def deliver(home: Home, clues: list[str], seed: str) -> None:
    """Each clue's words in an order of its own, a word of every clue a file, with gaps."""
    draw = random.Random(seed)
    streams = [words_of(number % KINDS) for number in range(len(clues))]
    for stream in streams:
        draw.shuffle(stream)
    register = read_clues(home)
    while any(streams):
        rows = [
            (clue, *stream.pop())
            for clue, stream in zip(clues, streams, strict=True)
            if stream and draw.random() < 0.8
        ]
        if not rows:
            continue
        draw.shuffle(rows)
        names = ("clue_id", "status", "decided_at", "reported_at")
        table = pa.table(
            dict(zip(names, (list(column) for column in zip(*rows, strict=True)), strict=True))
        )
        source = from_table("stream", table)
        admit_outcomes(home, source, register, FixedClock(datetime(2026, 1, 2)))
        with writing(open_ledger(home.ledger_url)) as connection:
            settle_source(connection, home, source, FixedClock(datetime(2026, 1, 2)), by="key1")


def states(home: Home) -> dict[str, tuple[Any, ...]]:
    with open_ledger(home.ledger_url).connect() as connection:
        rows = connection.execute(sa.select(clue_states)).mappings()
        return {row["clue_id"]: (row["state"], row["open"], row["since"]) for row in rows}


def labels(home: Home) -> dict[str, Any]:
    """Digest of what every clue teaches, at cuts in the midst of it and after all."""
    label = OutcomeLabel(kind="outcome", horizon_days=60, reporting_lag_days=0)
    clues = read_clues(home).sort_by("clue_id")
    told = {}
    for cut in (datetime(2024, 8, 4), datetime(2024, 8, 7), datetime(2025, 1, 1)):
        with Records(home) as records:
            found = label_clues(label, clues, records, cut)
        told[cut.isoformat()] = hashlib.sha256(found.values.tobytes()).hexdigest()
        told[f"{cut.isoformat()} values"] = np.nan_to_num(found.values, nan=-1.0).tolist()
    return told


def test_shuffled_streams_end_in_one_state_and_one_training_set(tmp_path: Path) -> None:
    """Streams of ten kinds, each shuffled, doubled and cut into files in its own way, in two homes.

    CLUES_TEST_STREAMS sets how many streams there are in both together.
    """
    clock = FixedClock(datetime(2026, 1, 2))
    found = []
    for seed in ("one", "two"):
        home = hamlet.settled_hamlet(tmp_path / seed, clock, persons=STREAMS // 2)
        clues = sorted(read_clues(home)["clue_id"].to_pylist())
        deliver(home, clues, seed)
        found.append((states(home), labels(home)))
        assert verify(open_ledger(home.ledger_url), deep=True).ok
    assert found[0] == found[1]
    ended = found[0][0]
    taught = found[0][1]["2025-01-01T00:00:00 values"]
    for kind in range(KINDS):
        mine = clues[kind::KINDS]
        assert len({ended[clue] for clue in mine}) == 1
        last = max(words_of(kind), key=lambda word: (word[2], word[1], STATUSES.index(word[0])))
        assert ended[mine[0]][0] == last[0]
        value = {"case_filed": 1.0, "returned": -1.0}.get(ended[mine[0]][0], 0.0)
        assert {taught[clues.index(clue)] for clue in mine} == {value}


@pytest.fixture
def home(tmp_path: Path, clock: FixedClock) -> Home:
    return hamlet.settled_hamlet(tmp_path, clock, persons=4)


def send(home: Home, clue: str, status: str, day: str) -> dict[str, Any]:
    path = home.path / f"{status}{day}.csv"
    path.write_text(
        f"clue_id,status,decided_at,reported_at\n{clue},{status},{day},{day}\n", "utf-8"
    )
    return take_outcomes(home, path, FixedClock(datetime(2026, 1, 2)))


def test_a_late_word_stands_in_the_history_and_moves_nothing(home: Home) -> None:
    """Told again it is not even that."""
    clue = read_clues(home)["clue_id"][0].as_py()
    ledger = open_ledger(home.ledger_url)
    send(home, clue, "case_filed", "2024-09-01")
    send(home, clue, "unfounded", "2024-08-01")
    send(home, clue, "unfounded", "2024-08-01")
    assert state_of(ledger, clue)["state"] == "case_filed"
    told = [(event["to_state"], event["version"]) for event in history(ledger, clue)]
    assert told == [("case_filed", 1), ("unfounded", None)]


def test_a_crash_between_record_and_ledger_is_made_good_by_the_same_file(home: Home) -> None:
    """The records are read back, not the file: what was admitted and not yet told is told."""
    clue = read_clues(home)["clue_id"][0].as_py()
    table = pa.table(
        {"clue_id": [clue], "status": ["unfounded"], "decided_at": ["2024-08-01"],
         "reported_at": ["2024-08-01"]}
    )  # fmt: skip
    admit_outcomes(home, from_table("x", table), read_clues(home), FixedClock(FIRST))
    ledger = open_ledger(home.ledger_url)
    assert history(ledger, clue) == []
    told = send(home, clue, "unfounded", "2024-08-01")
    assert (told["accepted"], told["already_known"]) == (0, 1)
    assert state_of(ledger, clue)["state"] == "unfounded"


def test_what_a_person_decides_teaches_like_what_is_reported(home: Home) -> None:
    """A case filed here becomes a record; it comes back as no second event. Again: nothing new."""
    clue = read_clues(home)["clue_id"][0].as_py()
    ledger = open_ledger(home.ledger_url)
    send(home, clue, "returned", "2024-08-01")
    clock = Ticking(datetime(2024, 9, 1, 10))
    for to, role, facts in (
        ("triaged", "dispatcher", {}),
        ("dispatched", "dispatcher", {}),
        ("accepted", "reviewer", {}),
        ("verifying", "reviewer", {}),
        ("case_filed", "reviewer", {"case_number": "1", "filed_on": "2024-09-01"}),
    ):
        move(
            ledger, clue, to, by="k", role=role, offices=None, expects=None, clock=clock,
            facts=facts,
        )  # fmt: skip
    assert admit_endings(home, ledger, clock) == {"admitted": 1, "refused": 0}
    assert admit_endings(home, ledger, clock) == {"admitted": 0, "refused": 0}
    with Records(home) as records:
        rows = records.known_at("outcomes", datetime(2024, 10, 1)).to_pylist()
    assert [(row["status"], row["became_case"]) for row in rows] == [("case_filed", 1)]
    assert clue not in open_clues(home, datetime(2024, 10, 1))["clue_id"].to_pylist()
    events = [event["to_state"] for event in history(ledger, clue)]
    assert events == ["returned", "triaged", "dispatched", "accepted", "verifying", "case_filed"]
    send(home, clue, "case_withdrawn", "2024-12-01")
    assert state_of(ledger, clue)["state"] == "case_withdrawn"


def test_a_file_sent_again_after_its_clues_were_raised_is_refused_no_more(
    tmp_path: Path, clock: FixedClock
) -> None:
    """One line for a row of an unknown clue, and none of an earlier call's."""
    home = hamlet.settled_hamlet(tmp_path, clock, persons=2)
    known = next(r["clue_id"] for r in read_clues(home).to_pylist() if r["subject_id"] == "p1")
    told = send(home, "0" * 16, "unfounded", "2024-08-01")
    assert [[reason["column"] for reason in row["reasons"]] for row in told["refused"]] == [
        ["clue_id"]
    ]
    path = home.path / "later.csv"
    path.write_text(
        f"clue_id,status,decided_at,reported_at\n{known},unfounded,2024-08-01,2024-08-01\n", "utf-8"
    )
    clues = home.table("clues").rename(home.path / "hidden")
    other = hamlet.settled_hamlet(tmp_path / "other", clock, persons=1)
    other.table("clues").rename(home.table("clues"))
    (unknown,) = take_outcomes(home, path, clock)["refused"]
    assert unknown["reasons"][0]["column"] == "clue_id"
    home.table("clues").rename(home.path / "few")
    clues.rename(home.table("clues"))
    again = take_outcomes(home, path, clock)
    assert (again["accepted"], again["refused"]) == (1, [])
