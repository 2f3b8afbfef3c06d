"""P-10: whatever is told to an office is equal, byte for byte, with and without another's data."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from told_hamlet import Asking
from two_worlds import build_world

from clues.register import read_clues
from features.declared import declared_features
from serving.access import RULES, every_route
from serving.app import ROOMS

SERVED = {route for room in ROOMS for route in every_route(room.router)}
READS = sorted(
    route for route in SERVED if route.startswith("GET") and RULES[route].offices == "own"
)
QUERIES = ("", "?language=en", "?limit=2", "?office=A", "?office=B", "?office=P", "?months=3")


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Asking, Asking]:
    """A and B together; A alone, under the same scorer."""
    folder: Path = tmp_path_factory.mktemp("worlds")
    both = Asking(build_world(folder / "both", "AB", None))
    bundle = both.home.scorers / both.service.champion().digest
    return both, Asking(build_world(folder / "alone", "A", bundle))


def addresses(world: Asking, route: str) -> list[str]:
    """The route for every clue of A, one of B and one of nobody, and with every query."""
    path = route.split(" ")[1]
    clues = [row["clue_id"] for row in read_clues(world.home).to_pylist()]
    features = declared_features(world.home).names if "{feature}" in path else ["-"]
    filled = sorted(
        {
            path.format(clue_id=clue, feature=feature)
            for clue in [*clues, "0" * 16]
            for feature in features
        }
    )
    return [each + query for each in filled for query in (QUERIES if len(filled) < 40 else ("",))]


def shown(world: Asking, role: str, route: str) -> dict[str, str]:
    key = world.key(role, "A")
    if RULES[route].door == "bearer":
        return key
    return {"cookie": f"clues_key={key['authorization'].split()[1]}"}


def without_token(reply: Any) -> bytes:
    """The bytes of a reply but for what a page's forms prove the visitor's own key with."""
    content: bytes = reply.content
    return re.sub(rb'(name="token" value=)"[0-9a-f]{64}"', rb"\1", content)


@pytest.mark.parametrize("route", READS)
def test_an_office_reads_the_same_with_and_without_another_offices_data(
    worlds: tuple[Asking, Asking], route: str
) -> None:
    """Every route that is about one's own offices, for every role that it lets in."""
    both, alone = worlds
    answered = 0
    for role in RULES[route].roles:
        keys = [shown(world, role, route) for world in worlds]
        for address in addresses(alone, route):
            told = [
                world.client.get(address, headers=key)
                for world, key in zip(worlds, keys, strict=True)
            ]
            assert told[0].status_code == told[1].status_code, (role, address)
            assert without_token(told[0]) == without_token(told[1]), (role, address)
            answered += told[0].status_code == 200
    assert answered >= len(RULES[route].roles)
    assert both.home.path != alone.home.path


def test_a_clue_of_the_other_office_answers_as_if_that_office_were_not_there(
    worlds: tuple[Asking, Asking],
) -> None:
    """Its id is as unknown in the world that has it as in the one that has not."""
    both = worlds[0]
    theirs = next(
        row["clue_id"] for row in read_clues(both.home).to_pylist() if row["office_id"] == "B"
    )
    for route in READS:
        if "{clue_id}" in route:
            address = route.split(" ")[1].format(clue_id=theirs, feature="amount_cents")
            told = [world.client.get(address, headers=shown(world, RULES[route].roles[0], route))
                    for world in worlds]  # fmt: skip
            assert told[0].status_code == told[1].status_code == 404, route
            # A page tells its own address in its links.
            assert without_token(told[0]) == without_token(told[1]), route


@pytest.mark.parametrize("moment", [None, "2024-08-01"])
def test_a_machine_of_an_office_scores_the_same(
    worlds: tuple[Asking, Asking], moment: str | None
) -> None:
    """By id and whole, at the clue's own moment and at one before B's outcomes."""
    row = read_clues(worlds[1].home).to_pylist()[0]
    whole: dict[str, Any] = {
        "clue_id": "new",
        "supervision_model": row["supervision_model"],
        "subject_id": row["subject_id"],
        "raised_at": "2024-07-01",
        "office_id": "A",
        "amount_cents": 5_000,
    }
    asked: dict[str, Any] = {"clues": [{"clue_id": row["clue_id"]}, whole]}
    if moment is not None:
        asked["moment"] = moment
    told = [
        world.client.post(
            "/v1/scores", content=json.dumps(asked), headers=world.key("case_system", "A")
        )
        for world in worlds
    ]
    assert told[0].status_code == 200, told[0].text
    assert told[0].content == told[1].content
