"""The challenger in the shadow: both margins kept, and nothing of it in any reply."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import tiny_scorer
from hamlet_scorer import write_hamlet_bundle
from scipy.stats import spearmanr

from base.errors import NotReady
from base.moment import FixedClock
from clues.register import read_clues
from scoring.champion import write_challenger, write_champion
from scoring.ledger import shadow_scores
from scoring.scorer import Scorer
from serving.shadow import agreement, shadow_agreement

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30.0


def set_challenger(served: Any, clock: FixedClock, seed: int = 2) -> str:
    digest = write_hamlet_bundle(served.home, seed=seed)
    write_challenger(served.home.scorers, digest, by="retrain", at=clock.now(), passed=True)
    return digest


def asked(served: Any) -> dict[str, Any]:
    ids = sorted(read_clues(served.home)["clue_id"].to_pylist())
    return {"clues": [{"clue_id": each} for each in ids], "reasons": 2}


def post(served: Any, headers: dict[str, str], body: dict[str, Any] | None = None) -> Any:
    return served.client.post("/v1/scores", json=body or asked(served), headers=headers)


def kept(served: Any) -> list[dict[str, Any]]:
    query = sa.select(shadow_scores).order_by(shadow_scores.c.shadow_id)
    with served.service.ledger.connect() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def test_both_margins_are_kept_and_the_reply_is_the_same_to_the_byte(
    served: Any, clock: FixedClock
) -> None:
    """The champion's as the reply gave it, the challenger's as its bundle gives it."""
    headers = served.key("case_system")
    before = post(served, headers)
    assert kept(served) == []
    challenger = set_challenger(served, clock)
    after = post(served, headers)
    assert after.content == before.content
    assert served.service.shadow.settle(SECONDS)
    rows = kept(served)
    told = {each["clue_id"]: each["margin"] for each in after.json()["scores"]}
    assert {row["clue_id"]: row["champion_margin"] for row in rows} == told
    assert {(row["champion"], row["challenger"]) for row in rows} == {
        (after.json()["scorer"], challenger)
    }
    scorer = Scorer.load(served.home.scorers / challenger, challenger)
    clues = read_clues(served.home)
    margin = scorer.score(served.service.feature_rows(clues)[0]).margin
    alone = dict(zip(clues["clue_id"].to_pylist(), margin.tolist(), strict=True))
    assert {row["clue_id"]: row["challenger_margin"] for row in rows} == alone
    assert alone != told
    assert served.service.shadow.counts() == {
        "scored": len(rows),
        "dropped": 0,
        "failed": 0,
        "trouble": None,
    }


def spoil_bundle(served: Any, clock: FixedClock) -> None:
    model = served.home.scorers / set_challenger(served, clock) / "model.txt"
    model.write_text(model.read_text("utf-8").replace("tree", "tr33", 1), "utf-8")


def spoil_note(served: Any, _: FixedClock) -> None:
    (served.home.scorers / "challenger.json").write_text("{", "utf-8")


def other_features(served: Any, clock: FixedClock) -> None:
    digest = tiny_scorer.write_tiny_bundle(served.home.scorers)
    write_challenger(served.home.scorers, digest, by="retrain", at=clock.now(), passed=True)


@pytest.mark.parametrize("spoil", [spoil_bundle, spoil_note, other_features])
def test_a_bad_challenger_changes_no_reply_and_is_told(
    served: Any, clock: FixedClock, spoil: Callable[[Any, FixedClock], None]
) -> None:
    """Damaged, unreadable, or of other features: the champion serves as if there were none."""
    headers = served.key("case_system")
    before = post(served, headers)
    spoil(served, clock)
    for _ in range(2):
        assert post(served, headers).content == before.content
    assert served.service.shadow.settle(SECONDS)
    counts = served.service.shadow.counts()
    assert counts["trouble"]
    assert (counts["scored"], counts["failed"]) == (0, 2 * len(before.json()["scores"]))
    assert kept(served) == []
    set_challenger(served, clock)
    assert post(served, headers).content == before.content
    assert served.service.shadow.settle(SECONDS)
    assert served.service.shadow.counts()["trouble"] is None
    assert len(kept(served)) == len(before.json()["scores"])


def test_a_fault_anywhere_in_the_shadow_stays_there(
    served: Any, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger or the taking in itself: the reply is the same, and the next one counts."""
    headers = served.key("case_system")
    before = post(served, headers)
    set_challenger(served, clock)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("SECRET")

    for place in ("serving.shadow.record_shadow", "serving.shadow.Shadow._take_in"):
        with monkeypatch.context() as patched:
            patched.setattr(place, broken)
            assert post(served, headers).content == before.content
            assert served.service.shadow.settle(SECONDS)
    assert kept(served) == []
    assert served.service.shadow.counts()["failed"] == len(before.json()["scores"])
    assert post(served, headers).content == before.content
    assert served.service.shadow.settle(SECONDS)
    assert len(kept(served)) == len(before.json()["scores"])


def test_too_much_is_left_out_and_counted_and_no_request_waits(
    served: Any, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A challenger that hangs: replies come all the same, no more waits than the bound."""
    headers = served.key("case_system")
    challenger = set_challenger(served, clock)
    hold, score = threading.Event(), Scorer.score

    def slow(self: Scorer, table: Any) -> Any:
        if self.digest == challenger and threading.current_thread().name == "shadow":
            assert hold.wait(SECONDS)
        return score(self, table)

    monkeypatch.setattr(Scorer, "score", slow)
    shadow = served.service.shadow
    shadow._bound = 30
    count = len(asked(served)["clues"])
    assert post(served, headers).status_code == 200
    deadline = time.monotonic() + SECONDS
    while shadow._clues_waiting and time.monotonic() < deadline:
        time.sleep(0.01)  # until the thread has taken the first batch, and hangs
    for _ in range(6):
        assert post(served, headers).status_code == 200
        assert shadow._clues_waiting <= 30
    taken = 30 // count
    assert shadow.counts()["dropped"] == (6 - taken) * count
    hold.set()
    assert shadow.settle(SECONDS)
    assert shadow.counts()["scored"] == (1 + taken) * count
    assert sum(row["dropped_before"] for row in kept(served)) == (6 - taken) * count


def test_a_promoted_challenger_is_shadowed_no_more(served: Any, clock: FixedClock) -> None:
    """And the agreement says that there is none."""
    headers = served.key("case_system")
    challenger = set_challenger(served, clock)
    assert post(served, headers).status_code == 200
    assert served.service.shadow.settle(SECONDS)
    count = len(kept(served))
    write_champion(served.home.scorers, challenger, by="Li", approved_by="Wang", at=clock.now())
    assert served.service.champions.settle(SECONDS)
    assert post(served, headers).json()["scorer"] == challenger
    assert served.service.shadow.settle(SECONDS)
    assert len(kept(served)) == count
    with pytest.raises(NotReady, match="challenger"):
        shadow_agreement(served.home.scorers, served.service.ledger)


def test_what_waits_is_kept_when_the_process_ends(served: Any, clock: FixedClock) -> None:
    """Closing does not wait for the gathering; afterwards nothing is taken in."""
    headers = served.key("case_system")
    set_challenger(served, clock)
    post(served, headers)
    served.service.shadow.close(SECONDS)
    count = len(kept(served))
    assert count == len(asked(served)["clues"])
    assert post(served, headers).status_code == 200
    assert len(kept(served)) == count


def test_the_command_tells_the_agreement(served: Any, clock: FixedClock) -> None:
    """A clue asked about twice counts once; JSON on stdout and nothing else."""
    headers = served.key("case_system")
    challenger = set_challenger(served, clock)
    for _ in range(2):
        post(served, headers)
    assert served.service.shadow.settle(SECONDS)
    code = "from cli.main import run; run()"
    words = ("shadow", "--home", str(served.home.path), "--json")
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=ROOT
    )
    told = json.loads(done.stdout)
    count = len(asked(served)["clues"])
    assert (told["challenger"], told["clues"], told["scored"]) == (challenger, count, 2 * count)
    rows = kept(served)[:count]
    champion, other = ([row[f"{n}_margin"] for row in rows] for n in ("champion", "challenger"))
    assert told["rank_correlation"] == pytest.approx(spearmanr(champion, other)[0])
    assert told["dropped"] == 0


def test_agreement_is_that_counted_by_hand() -> None:
    """Ten clues: reversed, all leave their fifth but those in the middle; the same, none does."""
    up = np.arange(10.0)
    same = agreement(up, up * 3 - 5)
    assert same["rank_correlation"] == pytest.approx(1.0)
    assert (same["band_changed"], same["first_20_changed"]) == (0.0, 0.0)
    other = agreement(up, -up)
    assert other["rank_correlation"] == pytest.approx(-1.0)
    assert (other["band_changed"], other["first_20_changed"]) == (0.8, 1.0)
    swapped = up.copy()
    swapped[[7, 8]] = swapped[[8, 7]]
    assert agreement(up, swapped)["first_20_changed"] == 0.5
    assert agreement(np.zeros(10), up)["rank_correlation"] is None
    assert set(agreement(up[:4], up[:4]).values()) == {None}


def test_nothing_runs_without_a_challenger(served: Any) -> None:
    """No thread, no row: a home without one pays for a look at a file."""
    headers = served.key("case_system")
    assert post(served, headers).status_code == 200
    assert served.service.shadow._thread is None
    assert kept(served) == []
