"""A writer for a process of its own, that goes on stage by stage.

It starts after the last stage that the store has, as a writer does that comes after a killed one;
with nothing to add, too, it clears away what the killed one left.
"""

from __future__ import annotations

from pathlib import Path

import feature_worlds as worlds
import online_worlds as online

from features.online.catching_up import catch_up
from features.online.manifest import only_writer, read_manifest


def go_on(folder: Path, stages: int) -> None:
    """Take in what is left of the world with seed 3."""
    paid, ended, _ = online.hot_world(online.SEED, online.ROWS, 1)
    with worlds.records_of(paid, ended) as records:
        with only_writer(folder):
            nothing = records.connection().cursor()
            catch_up(folder, online.wide_definitions(), nothing, [], read_manifest(folder))
        for stage in range(stages):
            note = read_manifest(folder).sources.get("payments")
            if note is None or note.version < stage:
                online.take_in(folder, online.wide_definitions(), records, stage, stages)
