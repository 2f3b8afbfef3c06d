"""A study: trials of parameters, kept in one SQLite file. Optuna is known to this file alone.

Trials are asked in batches of a fixed size (TPE) and judged at once. What a trial is, and whether
it is given up, follows from its number and from earlier batches alone, never from which thread was
faster: so the choice does not depend on the number of cores, and a study killed at any moment goes
on to the choice it would have come to.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy.exc import DatabaseError

from base.errors import NotReady, Refused
from base.progress import Bar
from training.experiment import Experiment, Range, Tuning
from training.fit import Parameters, used_parameters

# Trials asked together. Fixed, whatever the cores: the choice must not depend on the machine.
BATCH = 8
RANDOM_TRIALS = 2 * BATCH
# Trials that must have told every fold before any other is given up.
PRUNE_AFTER = BATCH
# A trial whose process died this often is given up.
ATTEMPTS = 3
SAMPLER = f"optuna {optuna.__version__}"


@dataclass(frozen=True)
class Outcome:
    """The chosen trial's number, parameters and value; the declared parameters' value (None where
    that trial did not end); how many trials were asked, given up early, and died for good.
    """

    number: int
    parameters: Parameters
    value: float
    declared: float | None
    trials: int
    given_up: int
    died: int


@dataclass(frozen=True)
class Trials:
    """Trials of a study, batch by batch. Only the thread that asks writes to the study."""

    study: optuna.Study
    storage: optuna.storages.RDBStorage
    experiment: Experiment
    tuning: Tuning
    folds: int
    bar: Bar

    def begin(self) -> None:
        """The declared parameters are the first trial; what died is taken up, not too often."""
        self.bar.expect(self.tuning.trials)
        trials = self.study.get_trials(deepcopy=False)
        if not trials:
            self.study.enqueue_trial(_declared_point(self.experiment, self.tuning))
        for trial in trials:
            if trial.state.is_finished():
                self.bar.advance()
            elif trial.state == TrialState.RUNNING:
                died = 1 + int(trial.user_attrs.get("died", 0))
                self.storage.set_trial_user_attr(self._id(trial.number), "died", died)
                if died >= ATTEMPTS:
                    self._tell(trial.number, TrialState.FAIL)

    def run_batch(self, start: int, judged: Callable[[Parameters, int], Future[float]]) -> None:
        """Ask what of the batch was not asked yet, then judge what has not finished."""
        medians = self._medians(start)
        for number in range(start, min(start + BATCH, self.tuning.trials)):
            self._ask(number)
        batch = self.study.get_trials(deepcopy=False)[start : start + BATCH]
        batch = [trial for trial in batch if not trial.state.is_finished()]
        asked = {trial.number: trial.params for trial in batch}
        told = {trial.number: _fold_values(trial) for trial in batch}
        running: dict[Future[float], int] = {}
        ready = list(told)
        while ready or running:
            for number in ready:
                if not self._finished(number, told[number], medians):
                    running[judged(asked[number], len(told[number]))] = number
            ready = []
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number = running.pop(future)
                value = _value_of(future, asked[number], running)
                step = len(told[number])
                self.storage.set_trial_intermediate_value(self._id(number), step, value)
                told[number].append(value)
                ready.append(number)

    def outcome(self) -> Outcome:
        """The best trial that told every fold (of equals the first), and how the others ended.

        Raises Refused where none did.
        """
        trials = self.study.get_trials(deepcopy=False)
        complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
        if not complete:
            raise Refused(
                wanted="at least one trial that ended",
                got=f"{len(trials)} trials whose process died",
                cure="narrow tuning.ranges: fewer leaves, fewer trees",
            )
        sign = 1.0 if less_is_better(self.tuning) else -1.0
        best = min(complete, key=lambda trial: (sign * float(trial.value or 0), trial.number))
        return Outcome(
            number=best.number,
            parameters=dict(best.params),
            value=float(best.value or 0),
            declared=trials[0].value if trials[0].state == TrialState.COMPLETE else None,
            trials=len(trials),
            given_up=sum(trial.state == TrialState.PRUNED for trial in trials),
            died=sum(trial.state == TrialState.FAIL for trial in trials),
        )

    def _ask(self, number: int) -> None:
        """Ask the trial of this number, or ask on where its process died while asking."""
        trials = self.study.get_trials(deepcopy=False)
        waiting = number >= len(trials) or trials[number].state == TrialState.WAITING
        if not waiting:
            known = trials[number]
            if known.state.is_finished() or len(known.params) == len(self.tuning.ranges):
                return
        self.study.sampler = optuna.samplers.TPESampler(
            seed=_drawn_seed(self.experiment.seed, number), n_startup_trials=RANDOM_TRIALS
        )
        trial = self.study.ask() if waiting else Trial(self.study, self._id(number))
        for name, where in self.tuning.ranges.items():
            _suggest(trial, name, where)

    def _finished(self, number: int, values: list[float], medians: list[float]) -> bool:
        """Tell a trial that has judged every fold, or is worse so far than the median was."""
        if len(values) == self.folds:
            self._tell(number, TrialState.COMPLETE, float(np.mean(values)))
            return True
        if not values or not medians:
            return False
        bar = medians[len(values) - 1]
        worse = np.mean(values) > bar if less_is_better(self.tuning) else np.mean(values) < bar
        if worse:
            self._tell(number, TrialState.PRUNED)
        return bool(worse)

    def _medians(self, start: int) -> list[float]:
        """Per fold the median of the means so far, over trials of earlier batches that told all.

        The median rule of Golovin et al., "Google Vizier" (2017). Empty before PRUNE_AFTER trials.
        """
        earlier = self.study.get_trials(deepcopy=False)[:start]
        told = [_fold_values(each) for each in earlier if each.state == TrialState.COMPLETE]
        if len(told) < PRUNE_AFTER:
            return []
        so_far = np.cumsum(told, axis=1) / np.arange(1, self.folds + 1)
        return [float(value) for value in np.median(so_far, axis=0)]

    def _tell(self, number: int, state: TrialState, value: float | None = None) -> None:
        self.study.tell(number, value, state=state)
        self.bar.advance()

    def _id(self, number: int) -> int:
        study = self.storage.get_study_id_from_name(self.study.study_name)
        return self.storage.get_trial_id_from_study_id_trial_number(study, number)


@contextmanager
def opened(
    path: Path, identity: str, experiment: Experiment, tuning: Tuning, folds: int, bar: Bar
) -> Iterator[Trials]:
    """The study of this identity, for this process alone.

    Raises NotReady where another process holds it, Refused where its file is no study.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with path.with_suffix(".lock").open("w") as lock:
        try:
            # Given back by the system when the process dies, however it dies.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise NotReady(
                wanted="a study that nobody else is running",
                got=f"{path.name}, which another process holds",
                cure="wait for it, or stop it: what it finished is kept",
            ) from None
        try:
            storage = optuna.storages.RDBStorage(f"sqlite:///{path.resolve()}")
        except DatabaseError:
            raise Refused(
                wanted="a study of earlier trials",
                got=f"{path.name}, which is no SQLite file",
                cure="remove it: it holds nothing but trials",
            ) from None
        try:
            study = optuna.create_study(
                storage=storage,
                study_name=identity,
                direction="minimize" if less_is_better(tuning) else "maximize",
                load_if_exists=True,
                pruner=optuna.pruners.NopPruner(),
            )
            yield Trials(study, storage, experiment, tuning, folds, bar)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def _declared_point(experiment: Experiment, tuning: Tuning) -> dict[str, Any]:
    """The declared parameters that lie in their ranges."""
    used = used_parameters(experiment)
    return {
        name: used[name]
        for name, where in tuning.ranges.items()
        if name in used and _within(where, used[name])
    }


def _within(where: Range, value: Any) -> bool:
    if where.choices is not None:
        return value in where.choices
    if isinstance(value, str | bool):
        return False
    low, high = float(where.low or 0), float(where.high or 0)
    return low <= value <= high and (not where.step or (value - low) % where.step == 0)


def _suggest(trial: Trial, name: str, where: Range) -> None:
    """Whole numbers where low, high and step are whole."""
    if where.choices is not None:
        trial.suggest_categorical(name, where.choices)
        return
    low, high = where.low, where.high
    assert low is not None
    assert high is not None
    if isinstance(low, int) and isinstance(high, int) and isinstance(where.step, int | None):
        trial.suggest_int(name, low, high, step=where.step or 1, log=where.log)
    else:
        trial.suggest_float(name, low, high, step=where.step, log=where.log)


def _drawn_seed(seed: int, number: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4], "big")


def _fold_values(trial: FrozenTrial) -> list[float]:
    return [trial.intermediate_values[step] for step in range(len(trial.intermediate_values))]


def _value_of(
    future: Future[float], parameters: Parameters, others: Iterable[Future[float]]
) -> float:
    try:
        return future.result()
    except (Refused, lgb.basic.LightGBMError) as error:
        for other in others:
            other.cancel()
        raise Refused(
            wanted="parameters that LightGBM takes",
            got=f"{json.dumps(parameters)}: {error.got if isinstance(error, Refused) else error}",
            cure="narrow the range that leads there",
            where="tuning.ranges",
        ) from None


def less_is_better(tuning: Tuning) -> bool:
    """A loss, not a gain."""
    return tuning.metric == "log_loss"
