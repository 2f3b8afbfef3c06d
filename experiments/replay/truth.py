"""What the simulator knows of the clues that the loop plays with. The loop itself never sees it:
it draws outcomes from it, ranks the oracle by it, and judges the months by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from base.errors import NotReady

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """`frame`: rows of the simulator's truth, parallel to the clues asked about."""

    frame: pd.DataFrame

    @property
    def chance(self) -> Floats:
        """(n,) of a case where the clue's own office looks at once."""
        found = self.frame["probability"] * self.frame["skill"]
        return np.asarray(found.to_numpy(np.float64).clip(1e-9, 1 - 1e-9), np.float64)

    @property
    def case(self) -> Bools:
        """(n,) what looking at it at once would bring, whether anybody did or not."""
        return np.asarray(self.frame["became_case"].to_numpy() == 1, bool)

    @property
    def pattern(self) -> Bools:
        """(n,) of the pattern that appears late in the world."""
        return np.asarray(self.frame["pattern"].to_numpy(bool), bool)

    def where(self, chosen: Bools) -> Truth:
        """The chosen clues alone."""
        return Truth(self.frame[chosen].reset_index(drop=True))


def read_truth(folder: Path, clues: pa.Table) -> tuple[pa.Table, Truth]:
    """The clues that the simulator planned, and their truth. Raises NotReady without its files.

    What a supervision model raised from soiled records has no truth, and is left out.
    """
    path = folder / "clues.parquet"
    if not path.is_file():
        raise NotReady(
            wanted="the truth of a simulated province",
            got="none beside its files",
            cure="give --source the folder that clues simulate wrote",
        )
    known = pd.read_parquet(path).set_index("clue_id", drop=False)
    ids = clues["clue_id"].to_pylist()
    there = np.array([each in known.index for each in ids], bool)
    planned = clues.filter(pa.array(there)).combine_chunks()
    return planned, Truth(known.loc[planned["clue_id"].to_pylist()].reset_index(drop=True))
