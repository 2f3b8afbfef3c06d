"""The loop replayed: nobody hears of an outcome before it is reported, nobody beats the oracle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.errors import NotReady, Refused
from base.progress import SilentBar, silent
from dispatch.offices import load_offices
from experiments.replay.arm import Arm, Month, Played, play
from experiments.replay.hands import scaled_hands, weeks_of
from experiments.replay.mail import Mail
from experiments.replay.orders import FirstCome, Oracle, Said, Severity
from experiments.replay.rows import ClueRows, prepare_rows
from experiments.replay.run import (
    Asked,
    Given,
    first_scorer,
    given_province,
    learning_arms,
    replay,
)
from experiments.replay.stage import make_stage
from experiments.replay.verdicts import COLUMNS, Verdicts, as_frame
from features.declared import declared_features
from governance.home import Home
from governance.jurisdiction import BUNDLED
from governance.reading import Records
from scoring.ledger import open_ledger
from training.selection import noted_chances

MONTHS = 4
ASKED = Asked(months=MONTHS, exploration_share=0.2, retrain_every=2)
BEGIN = datetime(2025, 1, 1)
OPPOSITE = {"case_filed": "unfounded"}


@pytest.fixture(scope="module")
def played(province: Home) -> Given:
    """The last months of the small province."""
    return given_province(province, province.path / "simulated", ASKED)


@pytest.fixture(scope="module")
def started(
    province: Home, played: Given, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, ClueRows]:
    """A stage with a first scorer, and the rows of the clues that are played."""
    start = first_scorer(province, tmp_path_factory.mktemp("replay"), played)
    return start, prepare_rows(declared_features(province), played.played.clues, start)


@dataclass(frozen=True)
class Anyhow:
    """An order out of a hat."""

    seed: int

    def say(self, places: np.ndarray, moment: datetime) -> Said:
        draw = np.random.default_rng([self.seed, moment.year, moment.month])
        return Said(draw.random(len(places)))


def expected(played: Played, months: list[Month]) -> float:
    taken = [place for month in months for place in month.dispatched]
    return float(played.truth.chance[taken].sum())


def test_no_order_can_expect_more_cases_than_the_oracle(province: Home) -> None:
    """Taking the most likely of what waits, week by week, is the best that hands allow: the law
    holds for every order, exactly. All orders use all hands.
    """
    two_years = given_province(province, province.path / "simulated", Asked(months=24)).played
    best = play(Arm("oracle", Oracle(two_years.truth)), two_years, SilentBar())
    orders = [FirstCome(two_years.clues), Severity(two_years.clues), *map(Anyhow, range(4))]
    for order in orders:
        other = play(Arm("other", order), two_years, SilentBar())
        assert [len(m.dispatched) for m in other] == [len(m.dispatched) for m in best]
        assert expected(two_years, other) < expected(two_years, best)


def test_a_clue_is_dispatched_once_and_not_before_it_was_raised(played: Given) -> None:
    """In every month, of every order."""
    raised = played.played.clues["raised_at"].to_pylist()
    months = play(Arm("any", Anyhow(1), 0.3), played.played, SilentBar())
    taken = [place for month in months for place in month.dispatched]
    assert len(taken) == len(set(taken)) > 0
    for month in months:
        assert all(raised[place] <= month.moment for place in month.dispatched)
        assert set(month.by_lot) <= set(month.dispatched)


@given(
    st.lists(st.tuples(st.integers(0, 120), st.sampled_from(["case_filed", "unfounded"]))),
    st.lists(st.integers(1, 130), max_size=5),
)
def test_mail_arrives_once_and_never_before_it_was_reported(
    sent: list[tuple[int, str]], days: list[int]
) -> None:
    """Whatever is posted is delivered at the first look after its report."""
    rows = [(f"c{at}", s, BEGIN, BEGIN + timedelta(days=d)) for at, (d, s) in enumerate(sent)]
    mail, seen, before = Mail(as_frame([])), [], BEGIN - timedelta(days=1)
    mail.post(as_frame(rows))
    for day in sorted(days):
        moment = BEGIN + timedelta(days=day)
        for row in mail.delivered(moment).itertuples():
            assert before <= row.reported_at < moment
            seen.append(row.clue_id)
        before = moment
    due = [row[0] for row in rows if days and row[3] < BEGIN + timedelta(days=max(days))]
    assert sorted(seen) == sorted(due)


OFFICES = load_offices(BUNDLED / "anhui" / "offices.yaml")


@settings(deadline=None, max_examples=50)
@given(st.floats(0.05, 1), st.integers(1, 300))
def test_hands_add_up_to_the_share_of_what_is_raised(share: float, clues: int) -> None:
    """Fractions of places are carried over: no office gains or loses a whole one."""
    of = [f"AH01{1 + at % 6:02d}" for at in range(clues)]
    weeks = sum(map(len, weeks_of(BEGIN, 24)))
    hands = scaled_hands(OFFICES, of, weeks, share)
    given_out = sum(hands.places(name, week) for name in set(of) for week in range(weeks))
    assert abs(given_out - share * clues) < len(set(of))


@pytest.mark.slow
def test_an_outcome_not_yet_reported_reaches_no_scorer(
    province: Home, played: Given, started: tuple[Home, ClueRows], tmp_path: Path
) -> None:
    """Turn every verdict that is reported in or after the third month: what the arm says and does
    until then is the same to the bit, its retraining included; afterwards it is not.
    """
    world, cut = played.played, played.played.months[2]
    seen = world.verdicts
    plain = replace(world, verdicts=_Quick(seen.truth, seen.seed))
    turned = replace(world, verdicts=_Quick(seen.truth, seen.seed, cut))
    start, rows = started
    once = _played(province, tmp_path / "a", start, played, rows, plain)
    again = _played(province, tmp_path / "b", start, played, rows, turned)
    assert once[2].learned is not None
    assert once[2].learned["scorer"] == again[2].learned["scorer"]  # type: ignore[index]
    for month in range(3):
        one, other = once[month], again[month]
        assert one.said is not None
        assert other.said is not None
        assert one.dispatched == other.dispatched
        assert one.by_lot == other.by_lot
        assert np.array_equal(one.said.margin, other.said.margin)
    last, same = once[3], again[3]
    assert last.said is not None
    assert same.said is not None
    assert not np.array_equal(last.said.margin, same.said.margin)


@dataclass(frozen=True)
class _Quick(Verdicts):
    """Reported within nine days, or nothing would be before the months end; in every report from
    `cut` on the opposite is said."""

    cut: datetime = datetime.max

    def of(self, places: Sequence[int], dispatched_at: datetime) -> pd.DataFrame:
        rows = super().of(places, dispatched_at)
        if rows.empty:
            return rows
        rows["decided_at"] = pd.Timestamp(dispatched_at + timedelta(days=8))
        rows["reported_at"] = pd.Timestamp(dispatched_at + timedelta(days=9))
        rows = rows.drop_duplicates("clue_id", keep="last")
        turned = rows["status"].map(lambda status: OPPOSITE.get(status, "case_filed"))
        late = rows["reported_at"] >= pd.Timestamp(min(self.cut, pd.Timestamp.max.to_pydatetime()))
        return rows.assign(status=rows["status"].mask(late, turned))


def _played(
    province: Home, folder: Path, start: Home, given_: Given, rows: ClueRows, world: Played
) -> list[Month]:
    arm = learning_arms(province, folder, start, given_, rows, ASKED)[0]
    months = play(arm, world, SilentBar())
    assert arm.home is not None
    with Records(arm.home) as records:
        known = records.arrow("outcomes", ["known_at"])["known_at"].to_pylist()
    assert max(known) < months[-1].moment
    own = {world.ids[place] for month in months for place in month.dispatched}
    noted = noted_chances(arm.home)
    chances = {clue: noted[clue] for clue in own}
    assert set(noted) - own == set(given_.orders["clue_id"])
    assert all(0 < chance <= 1 for chance in chances.values())
    assert min(chances.values()) < 1
    open_ledger(f"sqlite:///{arm.home.path.resolve() / 'ledger.db'}").dispose()
    return months


@pytest.mark.slow
def test_the_whole_replay_tells_what_callers_rely_on(province: Home, tmp_path: Path) -> None:
    """Names as the interface fixes them; one drawing that needs nothing else; a home left alone."""
    before = Records(province).versions
    result = replay(
        province,
        province.path / "simulated",
        Asked(months=2, retrain_every=1),
        silent(),
        tmp_path,
    )
    json.dumps(result, allow_nan=False)
    assert len(result["months"]) == 2
    for month in result["months"]:
        assert {"dispatched", "cases_found", "oracle", "calibration", "scorer"} <= set(month)
    for name in ("cases_vs_first_come", "share_of_oracle", "ece", "without_exploration", "decay"):
        assert result[name] is not None, name
    for told_more in ("told_what_was_known", "told_everything"):
        paired = result["decay"]["differences"][told_more]["cases_found/20"]
        champion, other = result["decay"]["last_champion"], result["decay"][told_more]
        seen = champion["cases_found"]["20"] - other["cases_found"]["20"]
        assert paired["difference"] == pytest.approx(seen, abs=2e-4)
        assert paired["low"] <= paired["difference"] <= paired["high"]
    assert len({*result["dispatched"].values()}) == 1
    page = Path(result["drawn"]).read_text("utf-8")
    assert page.count("<svg") == 2
    assert "http" not in page
    assert "<script" not in page
    assert Records(province).versions == before


def test_too_little_history_is_refused(province: Home) -> None:
    """A scorer must have learned from something."""
    with pytest.raises(Refused, match="15 months"):
        given_province(province, province.path / "simulated", Asked(months=50))


def test_a_replay_never_writes_into_the_ledger_at_work(
    province: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another ledger set in the environment it refuses to begin."""
    monkeypatch.setenv("CLUES_LEDGER_URL", "sqlite:///elsewhere.db")
    with pytest.raises(NotReady, match="CLUES_LEDGER_URL"):
        make_stage(province, tmp_path / "stage", province.jurisdiction)


def test_a_file_of_verdicts_is_what_the_case_system_sends() -> None:
    """The columns that outcomes are taken with."""
    assert list(as_frame([])) == list(COLUMNS)
    assert isinstance(as_frame([]), pd.DataFrame)
