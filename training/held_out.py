"""Labels that do not teach: of endings that were flagged, where the jurisdiction says so.

`monitoring.yaml`, `feedback.hold_out`: kinds of flags. What is held out is told with the run, by
number and by whose endings they are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from governance.home import Home
from scoring.feedback import held_out
from scoring.ledger import open_ledger
from scoring.watch_rules import load_watch_rules
from training.label import Labels
from training.note import Note


def held_out_clues(home: Home) -> dict[str, str]:
    """Clue id -> the principal whose ending does not teach; none without a rule or a ledger."""
    rules = load_watch_rules(home.jurisdiction.folder).feedback
    url = home.ledger_url
    absent = url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file()
    if not rules.hold_out or absent:
        return {}
    return held_out(open_ledger(url), rules)


def without_held_out(
    labels: Labels, clues: pa.Table, held: Mapping[str, str]
) -> tuple[Labels, tuple[Note, ...]]:
    """The labels of `clues` (parallel) with those that are held out unknown, and a note of it."""
    if not held:
        return labels, ()
    authors = [held.get(clue) for clue in clues["clue_id"].to_pylist()]
    known = ~np.isnan(labels.values)
    out = known & np.array([author is not None for author in authors], bool)
    number = Counter(author for author, left in zip(authors, out, strict=True) if left)
    if not number:
        return labels, ()
    told = replace(
        labels,
        values=np.where(out, np.nan, labels.values),
        weight=np.where(out, 0.0, labels.weight),
    )
    listed = ", ".join(f"{author}: {count}" for author, count in sorted(number.items()))
    note = Note(
        f"{int(out.sum())} labels held out, flagged feedback of {listed}",
        f"{int(out.sum())} 个标签因反馈存疑未参与训练（{listed}）",
    )
    return told, (note,)
