"""Alarms: from declared bounds, for one's own clues, on the command line and in the figures."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from served_hamlet import NOON, SCORED_AT, Served, serve_hamlet

from base.moment import FixedClock
from clues.register import read_clues
from dispatch.order import give_orders
from dispatch.ranking import Ranked
from dispatch.transition import move
from governance.intake import admit_table
from scoring.watch_rules import Alarms, load_watch_rules
from serving.alarms import KINDS, keep_alarms, monitor_home, told_alarms
from serving.principal import Principal
from serving.watching import alarms, newest_scores, ripening

AUDITOR = Principal("k", "auditor", None)
QUIET: dict[str, Any] = {
    "drift": {"features": [{"feature": "f", "psi": 0.2, "usual": 0.02, "state": "moving"}]},
    "scores": {"psi": 0.2, "usual": 0.02},
    "all": {"with_outcome": 500, "calibration_error": 0.04},
    "by_supervision_model": [{"group": "m", "with_outcome": 20, "calibration_error": 0.5}],
    "ripening": {
        "silent_days": 20,
        "by_month": [{"month": "2026-01", "chance": 0.01, "estimated": 3, "expected": 9}],
    },
    "feedback": [],
}


def test_nothing_within_its_bound_is_an_alarm_and_each_bound_makes_one() -> None:
    """Too few outcomes are no calibration; a month too young has no chance."""
    assert alarms(QUIET, Alarms()) == []
    told = alarms(
        {**QUIET, "feedback": [{"principal": "q", "kind": "bulk"}]},
        Alarms(feature_psi=0.1, score_psi=0.1, calibration_error=0.01, outcomes_at_least=10,
               chance=0.05, silent_days=10),
    )  # fmt: skip
    assert [(each["alarm"], each["at"]) for each in told] == [
        ("feature_drift", "f"), ("score_drift", "all"), ("calibration", "all"),
        ("calibration", "m"), ("fewer_cases", "2026-01"), ("outcomes_silent", "all"),
        ("feedback", "q"),
    ]  # fmt: skip
    left_out = Alarms(feature_psi=0.1, features_left_out=("f*",))
    assert alarms(QUIET, left_out) == []
    usual = {"features": [{**QUIET["drift"]["features"][0], "psi": 0.9, "usual": 0.95}]}
    assert alarms({**QUIET, "drift": usual, "scores": {"psi": 0.9, "usual": 1.0}}, Alarms()) == []
    many = {"features": [{"feature": f"f{at}", "psi": 9.0 - at, "usual": 0} for at in range(5)]}
    (one,) = alarms({**QUIET, "drift": many}, Alarms())
    assert (one["at"], one["got"]) == ("f0, f1, f2 and 2 more", 9.0)
    assert {each["alarm"] for each in told} <= set(KINDS)


def close_at_once(served: Served, clues: list[str]) -> None:
    """One person of A closes clues one after the other, a second each."""
    clock = FixedClock(NOON)
    for clue in clues:
        for to, role in (("triaged", "dispatcher"), ("dispatched", "dispatcher"),
                         ("accepted", "reviewer"), ("verifying", "reviewer"),
                         ("unfounded", "reviewer")):  # fmt: skip
            clock.moment += timedelta(seconds=0.2)
            move(served.service.ledger, clue, to, by="hasty", role=role, offices=None,
                 expects=None, clock=clock, reason="none" if to == "unfounded" else "")  # fmt: skip


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Five clues of A closed within five seconds, where five are declared to be too many."""
    served = serve_hamlet(tmp_path_factory.mktemp("hasty"))
    served.service.clock = FixedClock(NOON + timedelta(days=1))
    folder = served.home.jurisdiction.folder
    (folder / "monitoring.yaml").write_text(
        "feedback: {bulk: {endings: 5, seconds: 60}, hold_out: [bulk]}\n", "utf-8"
    )
    rows = [row for row in read_clues(served.home).to_pylist() if row["office_id"] == "A"]
    close_at_once(served, [row["clue_id"] for row in rows[:5]])
    return served


def test_flagged_feedback_is_told_to_whose_clues_it_is_about_and_to_nobody_else(
    hasty: Served,
) -> None:
    """By the principal's id, with whether it teaches; office B hears nothing of it."""
    for office in (None, "A"):
        reply = hasty.client.get("/v1/monitoring", headers=hasty.key("data_scientist", office))
        (flag,) = reply.json()["feedback"]
        assert (flag["principal"], flag["kind"], flag["held_out"]) == ("hasty", "bulk", True)
        assert [each["alarm"] for each in reply.json()["alarms"]] == ["feedback"]
    reply = hasty.client.get("/v1/monitoring", headers=hasty.key("data_scientist", "B"))
    assert (reply.json()["feedback"], reply.json()["alarms"]) == ([], [])


def test_a_monitored_home_tells_its_alarms_to_prometheus(hasty: Served) -> None:
    """Nothing before the first run; then one figure for each kind; a spoilt note is none."""
    assert "clues_alarms" not in hasty.client.get("/metrics").text
    told = {**monitor_home(hasty.home, 12), "at": "2026-01-03T12:00:00"}
    told["alarms"] = [{"alarm": "feedback", "at": "hasty", "got": "bulk", "bound": None}]
    keep_alarms(hasty.home, told)
    text = hasty.client.get("/metrics").text
    assert 'clues_alarms{alarm="feedback"} 1.0' in text
    assert 'clues_alarms{alarm="score_drift"} 0.0' in text
    assert "hasty" not in text
    assert "clues_monitored_timestamp 1.7674128e+09" in text
    for spoilt in ("", "[]", '{"at": 1}', '{"at": "x", "alarms": {}}'):
        (hasty.home.path / "monitoring.json").write_text(spoilt, "utf-8")
        assert told_alarms(hasty.home) == b""


def test_ripening_counts_from_the_order_on_and_by_words_reported_so_far(served: Served) -> None:
    """Six outcomes of July's clues, reported in September: none of it known in August."""
    rows = read_clues(served.home).to_pylist()[:6]
    outcomes = {
        "clue_id": [row["clue_id"] for row in rows],
        "status": ["case_filed", "unfounded"] * 3,
        "decided_at": [date(2024, 9, 1)] * 6,
        "reported_at": [date(2024, 9, 2)] * 6,
        "became_case": [1, 0] * 3,
        "supervision_model": [row["supervision_model"] for row in rows],
    }
    admit_table(served.home, "outcomes", pa.table(outcomes), FixedClock(NOON))
    for at, reported in ((NOON, 3), (NOON.replace(year=2024, month=8), 0)):
        served.service.clock = FixedClock(at)
        told = ripening(served.service, AUDITOR, newest_scores(served.service, AUDITOR))
        (month,) = told["by_month"]
        assert told["silent_days"] == (487 if reported else None)
        assert (month["month"], month["clues"], month["reported"]) == ("2024-07", 12, reported)
        assert month["estimated"] is None  # twelve clues foretell nothing
        json.dumps(told, allow_nan=False)


def test_a_report_ends_the_silence_on_whatever_clue_it_is(served: Served) -> None:
    """Of a clue that nobody ordered, while another one was; a later word; one that decides nothing.
    An office hears of its own clues alone."""
    clues = {row["office_id"]: row for row in read_clues(served.home).to_pylist()}
    ordered = Ranked(clues["B"]["clue_id"], "B", 0.0, 1, True, False, 1.0, "lot")
    give_orders(served.service.ledger, [ordered], by="Li", clock=FixedClock(SCORED_AT))

    def silent(who: Principal) -> int | None:
        told = ripening(served.service, who, newest_scores(served.service, who))
        days: int | None = told["silent_days"]
        return days

    served.service.clock = FixedClock(NOON)
    assert silent(AUDITOR) is None
    for office, status, day, since in (
        ("B", "unfounded", date(2025, 11, 1), 62),
        ("A", "unfounded", date(2025, 12, 1), 32),
        ("A", "case_filed", date(2025, 12, 11), 22),
        ("A", "returned", date(2025, 12, 21), 12),
    ):
        outcome = {
            "clue_id": [clues[office]["clue_id"]],
            "status": [status],
            "decided_at": [day],
            "reported_at": [day],
            "became_case": pa.array([{"unfounded": 0, "case_filed": 1}.get(status)], pa.int64()),
            "supervision_model": [clues[office]["supervision_model"]],
        }
        admit_table(served.home, "outcomes", pa.table(outcome), FixedClock(NOON))
        assert silent(AUDITOR) == since
    assert silent(Principal("k", "auditor", frozenset({"B"}))) == 62
    # The data of a demo ended on a day: it is silent as of that day, and no more with time.
    ended = served.service.clock.now() - timedelta(days=60)
    served.home.note_data_until(ended)
    served.service.clock = FixedClock(served.service.clock.now() + timedelta(days=900))
    assert silent(Principal("k", "auditor", frozenset({"B"}))) == 2


def test_bounds_are_declared_or_the_defaults(tmp_path: Path) -> None:
    """A home without the file is watched all the same."""
    rules = load_watch_rules(tmp_path)
    assert (rules.alarms.score_psi, rules.feedback.hold_out) == (0.25, ())
