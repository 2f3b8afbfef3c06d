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
    """Parallel to the clues asked about, all (n,).

    `probability`: of a case where a middling office looks; `case`: what looking at it brings, the
    same in every arm; `pattern`: the clue belongs to the pattern that is new in the world.
    """

    probability: Floats
    case: Bools
    pattern: Bools

    def where(self, chosen: Bools) -> Truth:
        """The chosen clues alone."""
        return Truth(self.probability[chosen], self.case[chosen], self.pattern[chosen])


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
    known = pd.read_parquet(path).set_index("clue_id")
    ids = clues["clue_id"].to_pylist()
    there = np.array([each in known.index for each in ids], bool)
    planned = clues.filter(pa.array(there)).combine_chunks()
    rows = known.loc[planned["clue_id"].to_pylist()]
    return planned, Truth(
        rows["probability"].to_numpy(np.float64),
        rows["became_case"].to_numpy(np.int64) == 1,
        rows["pattern"].to_numpy(bool) if "pattern" in rows else np.zeros(len(rows), bool),
    )
