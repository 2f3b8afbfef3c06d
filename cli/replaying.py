"""`clues replay`: the closed loop on a simulated province, beside other orders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.options import DEFAULT_HOME, HomeOption, JsonOption, answers


@answers
def replay(
    months: Annotated[int, typer.Option(min=1, max=48, help="How many months, the last ones.")],
    capacity_share: Annotated[
        float, typer.Option(min=0.01, max=1, help="Hands for this share of what is raised.")
    ] = 0.5,
    exploration_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the places drawn by lot.")
    ] = 0.05,
    retrain_every: Annotated[
        int, typer.Option(min=0, help="Months between retrainings; 0 never.")
    ] = 3,
    source: Annotated[
        Path | None, typer.Option(help="What clues simulate wrote; default HOME/simulated.")
    ] = None,
    clues: Annotated[int, typer.Option(help="Size of the province, where it is made.")] = 12_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same replay.")] = 7,
    home: HomeOption = DEFAULT_HOME,
    as_json: JsonOption = False,
) -> dict[str, Any]:
    """Play the last months again: raise, score, dispatch, hear, retrain, promote; compare."""
    from base.progress import Stages
    from experiments.replay.province import open_province
    from experiments.replay.run import Asked
    from experiments.replay.run import replay as play_again

    stages = Stages(visible=True)
    opened, folder = open_province(home, source, clues=clues, seed=seed, stages=stages)
    asked = Asked(months, capacity_share, exploration_share, retrain_every, seed)
    return play_again(opened, folder, asked, stages)
