"""What of a declared experiment is at odds with itself: each key in the way, and its cure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from base.errors import Fault

if TYPE_CHECKING:
    from training.experiment import Experiment

# What of `scorer` a teacher leaves to decide: the size of the trees that repeat it.
BESIDE_TEACHER = frozenset({"num_leaves", "min_child_samples"})


def at_odds(experiment: Experiment) -> Iterator[Fault]:
    """Every contradiction, by the key where it stands."""
    yield from _tested_twice(experiment)
    yield from _idle(experiment)
    if "past_cases" in experiment.baselines and experiment.past_cases is None:
        cure = "add past_cases: {feature: NAME}"
        yield Fault("the feature that past_cases ranks by", "none", cure, "baselines")
    names = [rival.name for rival in experiment.rivals]
    if len({*names, *experiment.baselines, "scorer"}) <= len(names) + len(experiment.baselines):
        yield Fault("a name of its own for each ranking", "one twice", "rename a rival", "rivals")


def _idle(experiment: Experiment) -> Iterator[Fault]:
    """Beside a teacher these decide nothing: trees only repeat it."""
    if experiment.teacher is None:
        return
    idle = [f"scorer.{name}" for name in sorted({*experiment.scorer} - BESIDE_TEACHER)]
    idle += [name for name in ("tuning", "early_stopping") if getattr(experiment, name)]
    for place in idle:
        name = place.rpartition(".")[2]
        wanted = f"no {name} with teacher: it decides nothing there"
        yield Fault(wanted, f"the key {name}", f"leave {name} out, or teacher", place)


def _tested_twice(experiment: Experiment) -> Iterator[Fault]:
    """A clue tested twice would count twice in the mean over splits."""
    ordered = sorted(experiment.splits, key=lambda split: split.test_from)
    for one, next_one in pairwise(ordered):
        if next_one.test_from < one.test_until:
            got = (
                f"tests overlap: {one.test_from:%Y-%m-%d} to {one.test_until:%Y-%m-%d}, and"
                f" from {next_one.test_from:%Y-%m-%d}"
            )
            yield Fault("tests that are apart", got, "move test_from or test_until", "splits")
