"""MLflow's alias follows an approval over HTTP, now or later; the service loads none."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import pytest
from deciding_persons import weigh
from hamlet_scorer import write_hamlet_bundle
from served_hamlet import Served

from governance.home import Home
from scoring import alias
from scoring.alias import is_behind, note_told
from scoring.champion import read_champion
from scoring.registry import CHAMPION, catch_up, client, registered_name


def registered(home: Home, *digests: str) -> None:
    """A registry, on SQLite in the home, that knows these bundles."""
    store, name = client(home), registered_name(home)
    store.create_registered_model(name)
    for digest in digests:
        source = str(home.scorers / digest)
        store.create_model_version(name, source=source, tags={"digest": digest})


def aliased(home: Home) -> str:
    """The digest that the alias `champion` points to."""
    version = client(home).get_model_version_by_alias(registered_name(home), CHAMPION)
    return str(version.tags["digest"])


def approve(served: Served, digest: str, number: int) -> Any:
    """Two persons put a scorer in use."""
    weigh(served, digest, passed=True)
    path = f"/v1/scorers/{digest}/promotion"
    for step, person in (("propose", "Li"), ("approve", "Wang")):
        key = served.key("data_scientist", holder=f"{person} {number}")
        reply = served.client.post(path, json={"step": step}, headers=key)
        assert reply.status_code == 200, reply.text
    return reply


def test_the_alias_moves_with_an_approval_or_is_told_as_behind_and_caught_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the registry answers, where nobody answers, and when it is back."""
    home = served.home
    first, second = (write_hamlet_bundle(home, seed=seed) for seed in (2, 3))
    registered(home, read_champion(home.scorers).scorer, first, second)
    assert catch_up(home) == "told"
    assert served.client.get("/ready").json()["registry"] == "present"
    moving: list[threading.Thread | None] = []

    def noted(home: Home) -> None:
        moving.append(alias.move_in_own_process(home))

    monkeypatch.setattr("serving.promotion.move_in_own_process", noted)
    approve(served, first, 1)
    assert moving[0] is not None
    moving[0].join()
    assert aliased(home) == first
    assert not is_behind(home)

    away = home.path / "mlflow.db.away"
    (home.path / "mlflow.db").rename(away)
    approve(served, second, 2)
    assert moving[1] is None
    away.rename(home.path / "mlflow.db")
    # /ready asks the registry once in five seconds.
    monkeypatch.setattr("serving.routes.health.monotonic", lambda: time.monotonic() + 60)
    told = served.client.get("/ready").json()
    assert told["ready"]
    assert read_champion(home.scorers).scorer == second
    assert "behind" in told["registry"]
    page = served.client.get("/console/scorers?language=en", headers=cookie(served))
    assert "has not heard of this champion" in page.text
    assert aliased(home) == first
    assert catch_up(home) == "told"
    assert aliased(home) == second
    page = served.client.get("/console/scorers?language=en", headers=cookie(served))
    assert "has not heard of this champion" not in page.text


def cookie(served: Served) -> dict[str, str]:
    key = served.kept_key("data_scientist")["authorization"].split()[1]
    return {"cookie": f"clues_key={key}"}


def test_another_registry_has_not_been_told(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told is told to one registry: a home that is given another one is behind there. The note
    holds no address, for that may hold a password."""
    home = served.home
    assert is_behind(home)
    note_told(home, read_champion(home.scorers).scorer)
    assert not is_behind(home)
    secret = "postgresql://clues:SECRET@registry/mlflow"
    monkeypatch.setenv("CLUES_TRACKING_URI", secret)
    assert is_behind(home)
    note_told(home, read_champion(home.scorers).scorer)
    assert "SECRET" not in (home.scorers / alias.NOTE).read_text("utf-8")


def test_a_spoilt_note_is_behind_and_no_more(served: Served) -> None:
    """Whatever stands there: the service starts and says so."""
    for spoilt in ("", "[]", '{"champion": 1}', "\x00"):
        (served.home.scorers / alias.NOTE).write_text(spoilt, "utf-8")
        assert is_behind(served.home)
        assert served.client.get("/ready").status_code == 200


def test_a_process_that_moves_the_alias_may_die_and_nobody_minds(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such program, or a registry that is a broken file: the alias stays behind."""
    (served.home.path / "mlflow.db").write_bytes(b"no database")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    moving = alias.move_in_own_process(served.home)
    assert moving is not None
    moving.join()
    assert is_behind(served.home)
