"""The province that is replayed: the one a home was made of, or a new one where there is none."""

from __future__ import annotations

from pathlib import Path

from base.errors import NotReady
from base.moment import WallClock, add_months
from base.progress import Stages
from experiments.demo import MONTHS, take_in
from experiments.province.simulate import simulate
from governance.home import Home
from governance.jurisdiction import load_jurisdiction

SOURCE = "simulated"


def open_province(
    path: Path, source: Path | None, *, clues: int, seed: int, stages: Stages
) -> tuple[Home, Path]:
    """The home and the folder of the simulator's files and truth.

    A home that does not exist yet is made: simulated, admitted, raised. Raises NotReady for a home
    that is not of a simulated province, unless `source` says where its files are.
    """
    folder = source or path / SOURCE
    if (path / "home.json").is_file():
        home = Home.open(path)
        if not (folder / "truth").is_dir():
            raise NotReady(
                wanted="the files and the truth of a simulated province",
                got="none in this home",
                cure="give --source the folder that clues simulate wrote, or an empty --home",
            )
        return home, folder
    made = simulate(folder, clues=clues, seed=seed, months=MONTHS, stages=stages)
    home = Home.create(path, load_jurisdiction("anhui"))
    clock = WallClock(home.jurisdiction.timezone)
    end = add_months(home.jurisdiction.manifest.raise_cycle.first, MONTHS - 1)
    take_in(home, made["files"], end.isoformat(), clock, stages)
    return home, folder
