"""The simulator, top-down: world -> findings -> records -> offices' history -> dirt -> files.

The same seed gives the same bytes. A large province is written block by block, so that memory is
bounded by one block. The truth goes to `OUT/truth/`, which no room of the platform ever reads.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from base.errors import Refused
from base.progress import Bar, Stages
from clues.clue import clue_id
from experiments.province.dirt import soil
from experiments.province.files import Writer
from experiments.province.findings import Findings, plan_findings
from experiments.province.history import play_history
from experiments.province.kinds import KINDS
from experiments.province.names import MOST_BLOCKS
from experiments.province.offices import Institutions, make_institutions
from experiments.province.records import Frames, make_records
from experiments.province.truth import true_clues, true_orders
from experiments.province.world import World, make_world

LEAST_CLUES, LEAST_MONTHS = 100, 24
BLOCK_CLUES = 12_000
MOST_CLUES = BLOCK_CLUES * MOST_BLOCKS
STEPS = 4


def simulate(
    out: Path,
    *,
    clues: int = 12_000,
    seed: int = 7,
    months: int = 60,
    plenty: float = 1.0,
    stages: Stages,
) -> dict[str, Any]:
    """Write a province of `clues` clues over `months` months to `out`.

    `plenty`: how many times the ordinary number of harmless records there are. Returns files
    (record set -> paths, in the order to admit them), orders (what offices were ordered to verify,
    and with what chance each was chosen), clues and cases (in truth, looked at or not). Raises
    Refused for a world too small to learn from, or larger than there are identity numbers.
    """
    if not LEAST_CLUES <= clues <= MOST_CLUES or months < LEAST_MONTHS or plenty <= 0:
        raise Refused(
            wanted=f"{LEAST_CLUES} to {MOST_CLUES} clues, at least {LEAST_MONTHS} months,"
            " plenty above 0",
            got=f"{clues} clues, {months} months, plenty {plenty}",
            cure="ask for another number",
        )
    blocks = -(-clues // BLOCK_CLUES)
    institutions = make_institutions(np.random.default_rng([seed, MOST_BLOCKS]))
    cases = 0
    with stages.stage("simulate", STEPS * blocks) as bar, Writer(out, blocks) as writer:
        writer.offices(institutions)
        for block in range(blocks):
            count = clues // blocks + (block < clues % blocks)
            cases += _block(writer, institutions, block, count, months, seed, plenty, bar)
    return {
        "files": writer.files,
        "orders": writer.orders,
        "clues": clues,
        "cases": cases,
        "records": writer.rows,
    }


def _block(
    writer: Writer,
    institutions: Institutions,
    block: int,
    clues: int,
    months: int,
    seed: int,
    plenty: float,
    bar: Bar,
) -> int:
    """Make and write one block; returns how many of its clues are cases."""
    draw = np.random.default_rng([seed, block])
    world = make_world(clues, draw, block=block, institutions=institutions, months=months)
    bar.advance()
    found = plan_findings(world, clues, months, draw)
    frames = make_records(world, found, months, plenty, draw)
    bar.advance()
    ids = clue_ids(world, found, frames)
    history = play_history(world, found, ids, months, seed)
    soiled, faults = soil(frames, draw)
    bar.advance()
    writer.block(
        block,
        soiled,
        faults,
        outcomes=history.outcomes,
        orders=true_orders(found, history, ids, months),
        clues=true_clues(world, found, history, ids),
    )
    bar.advance()
    return int(history.became_case.sum())


def clue_ids(world: World, found: Findings, frames: Frames) -> list[str]:
    """The ids the platform itself will give: ground, subject, ground key."""
    penalties = frames["penalties"]
    of_finding = penalties[penalties["finding"] >= 0].set_index("finding")["penalty_no"].to_dict()
    ids = []
    for at, (kind, person, company) in enumerate(
        zip(found.kind.tolist(), found.person.tolist(), found.company.tolist(), strict=True)
    ):
        of_company = KINDS[kind].subject == "company"
        subject = world.company_id[company] if of_company else world.person_id[person]
        ids.append(clue_id(KINDS[kind].ground, str(subject), str(of_finding.get(at, "-"))))
    return ids
