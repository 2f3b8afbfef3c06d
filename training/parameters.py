"""Parameters of the trees that an experiment may set: each under one name, within its bounds.

LightGBM takes several names for one parameter, passes unknown ones by with a line on the terminal,
and ends the process over some values. So the names are listed here, with the bounds of LightGBM's
own documentation, and everything else is refused before anything is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from base.errors import Fault, nearest

Value = float | int | bool | str


@dataclass(frozen=True)
class Bounds:
    """What a parameter may be: a `whole` number or any, from `low` to `high`, ends included unless
    `above` (low itself is out); or one of `choices`."""

    low: float | None = None
    high: float | None = None
    whole: bool = False
    above: bool = False
    choices: tuple[Value, ...] = ()

    def __str__(self) -> str:
        if self.choices:
            return f"one of {', '.join(str(choice).lower() for choice in self.choices)}"
        told = "a whole number" if self.whole else "a number"
        if self.low is not None:
            told += f" {'above' if self.above else 'of at least'} {self.low:g}"
        return told if self.high is None else f"{told}, at most {self.high:g}"

    def hold(self, value: Any) -> bool:
        """Whether `value` may be given."""
        if self.choices:
            return any(value == each and type(value) is type(each) for each in self.choices)
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        low = self.low is None or (value > self.low if self.above else value >= self.low)
        return low and (self.high is None or value <= self.high)


FLAG = Bounds(choices=(True, False))
SHARE = Bounds(0, 1, above=True)
SHARE_OR_NONE = Bounds(0, 1)
AT_LEAST_0 = Bounds(0)
KNOWN: Mapping[str, Bounds] = {
    "n_estimators": Bounds(1, 100_000, whole=True),
    "boosting": Bounds(choices=("gbdt", "rf", "dart")),
    "data_sample_strategy": Bounds(choices=("bagging", "goss")),
    "num_leaves": Bounds(2, 131_072, whole=True),
    "max_depth": Bounds(-1, 100, whole=True),
    "learning_rate": Bounds(0, 10, above=True),
    "min_child_samples": Bounds(0, whole=True),
    "min_child_weight": AT_LEAST_0,
    "min_gain_to_split": AT_LEAST_0,
    "bagging_fraction": SHARE,
    "bagging_freq": Bounds(0, whole=True),
    "pos_bagging_fraction": SHARE,
    "neg_bagging_fraction": SHARE,
    "feature_fraction": SHARE,
    "feature_fraction_bynode": SHARE,
    "extra_trees": FLAG,
    "lambda_l1": AT_LEAST_0,
    "lambda_l2": AT_LEAST_0,
    "max_delta_step": Bounds(),
    "path_smooth": AT_LEAST_0,
    "scale_pos_weight": Bounds(0, above=True),
    "is_unbalance": FLAG,
    "top_rate": SHARE_OR_NONE,
    "other_rate": SHARE_OR_NONE,
    "drop_rate": SHARE_OR_NONE,
    "skip_drop": SHARE_OR_NONE,
    "max_drop": Bounds(whole=True),
    "uniform_drop": FLAG,
    "xgboost_dart_mode": FLAG,
    "max_bin": Bounds(2, 65_535, whole=True),
    "min_data_in_bin": Bounds(1, whole=True),
    "bin_construct_sample_cnt": Bounds(1, whole=True),
    "enable_bundle": FLAG,
    "use_missing": FLAG,
    "zero_as_missing": FLAG,
    "cat_l2": AT_LEAST_0,
    "cat_smooth": AT_LEAST_0,
    "max_cat_threshold": Bounds(1, whole=True),
    "max_cat_to_onehot": Bounds(1, whole=True),
    "min_data_per_group": Bounds(1, whole=True),
    "monotone_constraints_method": Bounds(choices=("basic", "intermediate", "advanced")),
    "monotone_penalty": AT_LEAST_0,
}
NOT_YOURS: Mapping[str, str] = {
    "linear_tree": "exact explanations need constant leaves",
    "objective": "it is binary",
    "num_threads": "threads follow rows and cores",
    "seed": "write seed beside scorer",
    "monotone_constraints": "write monotone beside scorer",
}
# How like a name that is meant another one must be, 1 being the same.
NEAR = 0.6
OTHER_NAMES: Mapping[str, str] = {
    "num_iterations": "n_estimators",
    "num_iteration": "n_estimators",
    "num_rounds": "n_estimators",
    "n_iter": "n_estimators",
    "max_iter": "n_estimators",
    "shrinkage_rate": "learning_rate",
    "max_leaf_nodes": "num_leaves",
    "min_samples_leaf": "min_child_samples",
    "num_trees": "n_estimators",
    "num_boost_round": "n_estimators",
    "boosting_type": "boosting",
    "eta": "learning_rate",
    "max_leaves": "num_leaves",
    "min_data_in_leaf": "min_child_samples",
    "min_data": "min_child_samples",
    "min_sum_hessian_in_leaf": "min_child_weight",
    "min_split_gain": "min_gain_to_split",
    "subsample": "bagging_fraction",
    "subsample_freq": "bagging_freq",
    "colsample_bytree": "feature_fraction",
    "colsample_bynode": "feature_fraction_bynode",
    "reg_alpha": "lambda_l1",
    "reg_lambda": "lambda_l2",
}


def parameter_faults(declared: Mapping[str, Any], place: str = "") -> Iterator[Fault]:
    """What is wrong with `declared` values, each once; `place` is where they stand."""
    for name, value in declared.items():
        where = f"{place}.{name}" if place else name
        if name in NOT_YOURS:
            cure = f"leave it out: {NOT_YOURS[name]}"
            yield Fault("a parameter that is yours to set", repr(name), cure, where)
        elif name not in KNOWN:
            yield Fault("a parameter of the trees", repr(name), _meant(name), where)
        elif not KNOWN[name].hold(value):
            yield Fault(str(KNOWN[name]), repr(value), "give a value so", where)


def _meant(name: str) -> str:
    """The cure of a wrong name: what LightGBM knows it as comes first, then the nearest of all."""
    close = get_close_matches(name, [*OTHER_NAMES, *KNOWN], n=1, cutoff=NEAR)
    meant = OTHER_NAMES.get(close[0], close[0]) if close else None
    return nearest(name, KNOWN) if meant is None else f"write {meant!r}"
