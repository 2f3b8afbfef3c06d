"""The loop over the exchange: dispatched here, told there, decided there, heard here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from receiving import case_system, delivery

from clues.register import read_clues
from dispatch.exchange.reconcile import reconcile
from dispatch.standing import state_of
from experiments.case_system.work import Work


def test_a_clue_dispatched_here_ends_here_as_the_case_system_decided(
    served: Any, tmp_path: Path
) -> None:
    """Outcomes are sent twice and once into the void: one end, the same on both sides."""
    service = served.service
    dispatcher, machine = served.key("dispatcher"), served.key("case_system")
    clues = read_clues(served.home)["clue_id"].to_pylist()[:4]
    posts: list[int] = []

    def post(url: str, **given: Any) -> Any:
        given.pop("timeout")
        posts.append(1)
        if len(posts) == 1:
            raise httpx.ConnectError("away")
        return [served.client.post(url, **given) for _ in range(2)][1]

    with case_system(tmp_path / "cases") as server:
        key = machine["authorization"].split()[1]
        work = Work(server.store, "", key, after_seconds=0, case_share=0.5, days=0, post=post)
        server.taken = work.taken
        sending = delivery(service.ledger, service.clock, server.server_address[1])
        for clue in clues:
            for to, expects in (("triaged", "scored"), ("dispatched", "triaged")):
                body = json.dumps({"to": to, "expects": expects})
                path = f"/v1/clues/{clue}/transitions"
                assert served.client.post(path, content=body, headers=dispatcher).is_success
        assert sending.once()["delivered"] == len(clues)
        assert (work.report(), work.report(), work.report()) == (0, len(clues), 0)
        ends = {row["clue_id"]: row["state"] for row in server.store.export()}
        assert set(ends.values()) <= {"case_filed", "unfounded"}
        assert {clue: state_of(service.ledger, clue)["state"] for clue in clues} == ends
        address = f"http://127.0.0.1:{server.server_address[1]}/export"
        assert reconcile(served.home, address, service.clock)["ok"]
