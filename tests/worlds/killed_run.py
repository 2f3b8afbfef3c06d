"""A working run that kills itself, as the system would: python killed_run.py HOME WHERE PARTS."""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from base.bilingual import Language
from base.moment import FixedClock
from base.progress import silent
from dispatch.parts import Parts
from dispatch.score_clues import score_clues
from governance.home import Home

AUGUST = datetime(2024, 8, 1)
ROWS_OF_A_PART = 5


def run(home: Home, output: Path, clock: FixedClock, language: Language = "en") -> dict[str, Any]:
    """The run that is killed and taken up again."""
    return score_clues(
        home,
        AUGUST,
        output=output,
        chosen=None,
        reasons=3,
        language=language,
        clock=clock,
        stages=silent(),
        rows_of_a_part=ROWS_OF_A_PART,
    )


def main(home: str, where: str, part: int) -> None:
    """Die when part number `part` is kept in the ledger, and `where` its file is written."""
    keep = Parts.keep

    def deadly(self: Parts, number: int, table: Any) -> None:
        if number == part and where == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        keep(self, number, table)
        if number == part:
            os.kill(os.getpid(), signal.SIGKILL)

    Parts.keep = deadly  # type: ignore[method-assign]
    run(Home.open(Path(home)), Path(home) / "scores.parquet", FixedClock(datetime(2024, 8, 2)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
